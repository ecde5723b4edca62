"""`signalbox providers`: the states that a configuration gives, where keys are had, and what is left for free."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from signalbox.v1.health_feed_pb2 import ProviderHealth, QuotaWindow, Snapshot

from router_service import config
from router_service.commands.providers import provider_rows
from tests.commands.conftest import Run

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
    rows = {row.provider.name: row for row in provider_rows(catalog, snapshot)}
    assert rows["ready"].free_left == day
    assert rows["keyless"].free_left is None
