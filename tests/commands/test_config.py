"""`signalbox config`: mistakes with their places, the chains, the effective configuration, and imports."""

from __future__ import annotations

from pathlib import Path

import pytest

import router_service.config
from tests.commands.conftest import Run

GOOD = """\
version: 1
providers:
  - name: alder
    dialect: openai
    base_url: "http://127.0.0.1:1/v1"
    key_env: ALDER_KEY
    tier: fast_cloud
    models: [{id: chat-small, prices: {input: 0.1, output: 0.4}}]
  - name: birch
    dialect: openai
    base_url: "http://127.0.0.1:1/v1"
    tier: premium
    models: [{id: chat-large, prices: {input: 5, output: 15}}]
routing:
  rules: [{name: summaries go to birch, when: {task: summarization}, prefer: [birch]}]
"""
BAD = """\
version: 2
providers:
  - name: alder
    dialect: openai
    base_url: "not a url"
    models: [{id: chat-small}]
nonsense: 1
"""

LITELLM = """\
model_list:
  - model_name: fast
    litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/GROQ_API_KEY}
general_settings: {master_key: sk-very-secret}
"""


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ALDER_KEY", "k-secret")
    return _written(tmp_path, "good.yaml", GOOD)


def test_check_shows_the_chain_of_each_task_and_tier(run: Run, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = run("config", "check", "--config", good)
    assert output.code == 0
    assert f"{good} is good" in output.err
    assert 80 < max(len(line) for line in output.out.splitlines()) <= 160, "nobody's terminal bounds it"
    monkeypatch.setenv("COLUMNS", "200")
    said = " ".join(run("config", "check", "--config", good).out.split())
    assert "none, high, unlimited alder/chat-small → birch/chat-large" in said
    assert "summarization none, high, unlimited summaries go to birch birch/chat-large → alder/chat-small" in said
    assert "nobody: 2 by budget tier" in said, "nothing is free here"
    assert "embedding, vision all nobody: 2 by capability" in said


@pytest.mark.parametrize("columns", ["", "80"])
def test_check_of_the_shipped_file_breaks_no_word(run: Run, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("GROQ_API_KEY", "k-secret")
    output = run("config", "check", "--config", _shipped())
    words = {word.strip(",") for word in output.out.split()}
    assert output.code == 0
    assert {"classification", "summarization", "unlimited"} <= words
    assert "" not in words, "no comma stands alone"


def test_check_names_every_mistake_with_its_line(run: Run, tmp_path: Path) -> None:
    file = _written(tmp_path, "bad.yaml", BAD)
    output = run("config", "check", "--config", file)
    assert output.code == 2
    lines = output.out.splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"{file}:1:", f"{file}:5:", f"{file}:7:"]
    assert lines[1].startswith(f"{file}:5: providers[0].base_url: ")
    assert output.err == f"3 mistakes in {file}\n"


def test_check_as_json_has_the_documented_shape(run: Run, good: str, tmp_path: Path) -> None:
    fine = run("config", "check", "--json", "--config", good)
    assert (fine.code, fine.err) == (0, "")
    assert fine.document() == {"ok": True, "errors": [], "warnings": []}
    bad = run("config", "check", "--json", "--config", _written(tmp_path, "bad.yaml", BAD))
    assert bad.code == 2
    document = bad.document()
    assert not document["ok"]
    assert [(e["line"], e["path"]) for e in document["errors"]] == [
        (1, "version"),
        (5, "providers[0].base_url"),
        (7, "nonsense"),
    ]
    assert set(document["errors"][0]) == {"file", "line", "path", "message", "hint"}


def test_check_warns_of_what_is_in_vain(run: Run, tmp_path: Path) -> None:
    file = _written(tmp_path, "vain.yaml", GOOD.replace("prefer: [birch]", "prefer: [nobody]"))
    output = run("config", "check", "--config", file)
    assert output.code == 0
    warnings = [line for line in output.out.splitlines() if line.startswith("warning: ")]
    assert any("routing.rules[0].prefer" in warning for warning in warnings)
    assert any("ALDER_KEY" in warning for warning in warnings), "a provider without its key is skipped"
    assert run("config", "check", "--json", "--config", file).document()["warnings"] == [
        warning.removeprefix("warning: ") for warning in warnings
    ]


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_show_spells_out_defaults_and_no_secret(run: Run, good: str, form: str) -> None:
    output = run("config", "show", "--format", form, "--config", good)
    assert (output.code, output.err) == (0, "")
    for word in ("ALDER_KEY", "drain_s", "exploration", "production"):
        assert word in output.out
    assert "k-secret" not in output.out


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_export_stands_alone_and_loads_again(run: Run, good: str, form: str, tmp_path: Path) -> None:
    output = run("config", "export", "--format", form, "--config", good)
    assert output.code == 0
    assert "drain_s" not in output.out
    again = _written(tmp_path, "again.yaml", output.out)
    assert run("config", "export", "--format", form, "--config", again).out == output.out


def test_schema_is_one_for_editors(run: Run) -> None:
    schema = run("config", "schema").document()
    assert "providers" in schema["properties"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", ["show", "export"])
def test_broken_file_is_exit_2(run: Run, tmp_path: Path, name: str) -> None:
    output = run("config", name, "--config", _written(tmp_path, "bad.yaml", BAD))
    assert (output.code, output.out) == (2, "")
    assert "providers[0].base_url" in output.err


def test_import_carries_what_has_a_place_and_names_the_rest(run: Run, tmp_path: Path) -> None:
    file = _written(tmp_path, "litellm.yaml", LITELLM)
    output = run("config", "import", "--from", "litellm", file)
    assert output.code == 0
    assert "GROQ_API_KEY" in output.out
    assert "llama-3.3-70b-versatile" in output.out
    assert f"{file}:4" in output.err
    assert "sk-very-secret" not in output.out + output.err
    imported = _written(tmp_path, "imported.yaml", output.out)
    assert run("config", "check", "--config", imported).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "--from", "litellm", "/nowhere/litellm.yaml"],
        ["import", "--from", "nobody", "x"],
        ["import", "x"],
        ["show", "--format", "toml"],
        ["check", "--config", "/nowhere/signalbox.yaml"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_misuse_is_exit_2(run: Run, arguments: list[str]) -> None:
    output = run("config", *arguments)
    assert output.code == 2
    assert "Traceback" not in output.err


def test_check_of_a_file_that_is_not_there_as_json(run: Run) -> None:
    document = run("config", "check", "--json", "--config", "/nowhere/signalbox.yaml").document()
    assert (document["ok"], document["errors"][0]["line"]) == (False, 0)


def _written(directory: Path, name: str, text: str) -> str:
    file = directory / name
    file.write_text(text)
    return str(file)


def _shipped() -> str:
    return str(Path(router_service.config.__file__).with_name("catalog.yaml"))
