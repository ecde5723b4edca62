"""`signalbox providers`: the states that a configuration gives, where keys are had, and what is left for free."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from signalbox.v1.admin_pb2 import AVAILABILITY_NO_KEY
from signalbox.v1.health_feed_pb2 import ProviderHealth, QuotaWindow, Snapshot

from router_service import config
from router_service.commands.provider_rows import configured_rows
from tests.commands.conftest import Played, Run

NOBODY = "127.0.0.1:1"
CONFIG = """\
version: 1
providers:
  - name: ready
    dialect: openai
    base_url: "http://127.0.0.1:1/v1"
    free: {unit: requests, per: day, max: 200}
    models: [{id: a}, {id: b}, {id: c}, {id: d}, {id: e}]
  - name: keyless
    dialect: openai
    base_url: "http://127.0.0.1:1/v1"
    key_env: SOME_KEY
    key_page: "https://keys.example/"
    models: [{id: m}]
  - {name: nowhere, dialect: openai, base_url: "https://${SOME_ACCOUNT}.example/v1", models: [{id: m}]}
  - {name: "off", enabled: false, dialect: openai, base_url: "http://127.0.0.1:1/v1", models: [{id: m}]}
  - {name: foreign, dialect: gemini, base_url: "http://127.0.0.1:1/v1", models: [{id: m}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(CONFIG)
    return path


def test_states_and_key_pages(run: Run, file: Path) -> None:
    output = run("providers", "--json", "--config", str(file), "--prober-address", NOBODY)
    items = {item["name"]: item for item in output.document()["items"]}
    states = {name: item["state"] for name, item in items.items()}
    assert output.code == 0
    assert states == {
        "ready": "ready",
        "keyless": "no_key",
        "nowhere": "no_key",
        "off": "off",
        "foreign": "unsupported",
    }
    assert items["keyless"]["key_page"] == "https://keys.example/"
    assert items["ready"]["key_page"] is None
    assert items["ready"]["free_left"] is None, "nobody reports a window"


def test_table_says_what_is_missing_and_where_to_get_it(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    lines = {
        line.split()[0]: line
        for line in run("providers", "--config", str(file), "--prober-address", NOBODY).out.splitlines()
    }
    assert "SOME_KEY (https://keys.example/)" in lines["keyless"]
    assert "SOME_ACCOUNT" in lines["nowhere"]
    assert "a, b, c and 2 more" in lines["ready"]
    assert "free left" not in lines["provider"]


def test_free_window_is_the_one_that_the_prober_reports(file: Path) -> None:
    catalog = config.load(file, environ={}, today=date(2026, 11, 21)).catalog
    minute = QuotaWindow(unit="requests/minute", limit=30, remaining=29)
    day = QuotaWindow(unit="requests/day", limit=200, remaining=150, free=True)
    snapshot = Snapshot(providers=[ProviderHealth(provider="ready", windows=[minute, day])])
    rows = {row.name: row for row in configured_rows(catalog, snapshot)}
    assert rows["ready"].free_left == day
    assert rows["keyless"].free_left is None


HERE = """\
version: 1
providers:
  - name: groq
    base_url: "https://groq.example/v1"
    key_env: GROQ_API_KEY
    key_page: "https://keys.example/"
    models: [{id: another}]
  - {name: local, base_url: "http://127.0.0.1:1/v1", models: [{id: m}]}
"""


def test_the_routers_own_providers_are_listed_and_not_those_of_this_directory(run: Run, played: Played) -> None:
    Path("signalbox.yaml").write_text(HERE)
    groq, *_ = played.router.targets
    groq.availability, groq.availability_detail = AVAILABILITY_NO_KEY, "there is no key in GROQ_API_KEY"
    for target in played.router.targets:
        target.dialect, target.tier = "openai", "fast_cloud"
    output = run("providers", "--json", "--address", played.address, "--prober-address", NOBODY)
    items = {item["name"]: item for item in output.document()["items"]}
    assert output.code == 0
    assert "no router" not in output.err
    assert {name: (item["state"], item["health"]) for name, item in items.items()} == {
        "anthropic": ("ready", "healthy"),
        "groq": ("no_key", "unknown"),
        "together": ("ready", "healthy"),
    }
    assert items["groq"]["models"] == ["openai/gpt-oss-120b"]
    assert (items["groq"]["key_env"], items["groq"]["key_page"]) == (["GROQ_API_KEY"], "https://keys.example/")
    assert items["together"]["key_env"] == []
    table = run("providers", "--address", played.address, "--prober-address", NOBODY).out
    assert "there is no key in GROQ_API_KEY (https://keys.example/)" in " ".join(table.split())


def test_a_configuration_here_that_is_broken_does_not_hide_the_routers(run: Run, played: Played) -> None:
    Path("signalbox.yaml").write_text("version: 2\n")
    output = run("providers", "--json", "--address", played.address, "--prober-address", NOBODY)
    assert (output.code, len(output.document()["items"])) == (0, 3)


def test_without_a_router_the_configuration_here_is_shown_and_that_is_said(run: Run) -> None:
    Path("signalbox.yaml").write_text(HERE)
    output = run("providers", "--json", "--address", NOBODY, "--prober-address", NOBODY)
    assert [item["name"] for item in output.document()["items"]] == ["groq", "local"]
    assert f"no router at {NOBODY}: this is what the configuration here says" in output.err
