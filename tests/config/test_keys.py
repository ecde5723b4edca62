"""Provider keys: where they come from, what their absence means, and that nothing shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.core.catalog import Provider

from .files import SMALL, load_text, mistakes_in

CANARY = "sk-canary-7f3a"


def _provider(directory: Path, line: str, environ: dict[str, str]) -> Provider:
    return load_text(directory, f"{SMALL}    {line}\n", environ).catalog.providers[0]


def test_a_key_comes_from_the_first_variable_that_is_set(tmp_path: Path) -> None:
    line = "key_env: [FIRST, SECOND]"
    assert _provider(tmp_path, line, {"SECOND": "b"}).key.reveal() == "b"
    assert _provider(tmp_path, line, {"FIRST": "", "SECOND": "b"}).key.reveal() == "b"
    assert _provider(tmp_path, line, {"FIRST": "a", "SECOND": "b"}).key.reveal() == "a"


@pytest.mark.parametrize("line", ["key_env: ABSENT", "key_file: absent"])
def test_a_provider_without_its_key_is_skipped_and_no_error(tmp_path: Path, line: str) -> None:
    provider = _provider(tmp_path, line, {})
    assert not provider.is_usable
    assert not provider.key


def test_a_provider_that_wants_no_key_is_usable(tmp_path: Path) -> None:
    assert load_text(tmp_path, SMALL).catalog.providers[0].is_usable


def test_a_key_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "alder.key").write_text(f"{CANARY}\n")
    provider = _provider(tmp_path, "key_file: alder.key", {})
    assert provider.key.reveal() == CANARY
    assert provider.is_usable


def test_a_variable_comes_before_the_key_file(tmp_path: Path) -> None:
    (tmp_path / "alder.key").write_text("from-file")
    text = f"{SMALL}    key_file: alder.key\n    key_env: ALDER_KEY\n"
    provider = load_text(tmp_path, text, {"ALDER_KEY": "from-variable"}).catalog.providers[0]
    assert provider.key.reveal() == "from-variable"


@pytest.mark.parametrize("key", [f"{CANARY}\r\nx-forged: 1", f"{CANARY} b", f"{CANARY}é"])
def test_what_cannot_be_a_key_is_not_used_and_not_shown(tmp_path: Path, key: str) -> None:
    settings = load_text(tmp_path, f"{SMALL}    key_env: ALDER_KEY\n", {"ALDER_KEY": key})
    assert not settings.catalog.providers[0].is_usable
    (warning,) = settings.warnings
    assert "alder is skipped" in warning
    assert "ALDER_KEY" in warning
    assert CANARY not in warning


def test_a_key_file_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "alder.key").mkdir()
    settings = load_text(tmp_path, f"{SMALL}    key_file: alder.key\n")
    assert not settings.catalog.providers[0].is_usable
    assert "is a directory" in settings.warnings[0]


def test_settings_show_no_key(tmp_path: Path) -> None:
    settings = load_text(tmp_path, f"{SMALL}    key_env: ALDER_KEY\n", {"ALDER_KEY": CANARY})
    key = settings.catalog.providers[0].key
    assert key.reveal() == CANARY
    for shown in (repr(settings), str(settings), repr(settings.catalog), f"{key}", f"{key!r}"):
        assert CANARY not in shown


@pytest.mark.parametrize("word", ["key", "api_key", "token", "secret"])
def test_a_key_in_the_file_is_refused_with_the_right_way(tmp_path: Path, word: str) -> None:
    (problem,) = mistakes_in(tmp_path, f"{SMALL}    {word}: {CANARY}\n").problems
    assert (problem.line, problem.path) == (6, f"providers[0].{word}")
    assert "key_env" in problem.hint


@pytest.mark.parametrize(
    "line",
    [
        f"    key: {CANARY}",
        f"    key_env: {CANARY}",
        f"    key_env: [A, {CANARY}]",
        f"    tier: {CANARY}",
        f"    {CANARY}é: 1",
        f"    key_env: *{CANARY}",
        f"    key_env: !{CANARY} x",
        f'    key_env: "{CANARY}',
        f"    timeouts_s: {CANARY}",
        f"    region: '{CANARY}!'",
        f"  - {{name: b, base_url: 'https://u:{CANARY}@b.example', models: [{{id: m}}]}}",
        f"  - {{name: b, base_url: 'https://b.example?key={CANARY}', models: [{{id: m}}]}}",
        f"{CANARY}: : :",
    ],
)
def test_no_error_repeats_a_value_that_may_be_a_key(tmp_path: Path, line: str) -> None:
    error = mistakes_in(tmp_path, f"{SMALL}{line}\n")
    for shown in (str(error), repr(error), repr(error.problems)):
        assert CANARY not in shown
