"""What is written out of a configuration: it loads again, to the same, and no key is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from router_service.config import ConfigError, Form, exported, load, shown, simulated
from router_service.core.settings import Settings

from .files import SMALL, TODAY

SHIPPED = f"""\
{SMALL}    key_env: [ALDER_KEY, OTHER_KEY]
    limits: [{{unit: usd, per: ever, max: 0.1}}]
    free: {{unit: requests, per: day, max: 5, models: [chat-small]}}
routing: {{rules: [{{when: {{task: rag, labels: {{a: b}}}}, only: ["tier:premium"]}}], chain_length: 9}}
budgets: {{daily_usd: 10, zone: Europe/Berlin}}
"""
OWN = """\
version: 1
extends: shipped
server: {drain_s: 7}
health: {recovery_shares: [0.5, 1]}
providers: [{name: alder, models: [{id: chat-small, retires: 2028-01-31, tasks: {chat: 0.7}}, {id: large}]}]
simulator: {behaviours: {alder: {latency: {shape: lognormal, median_s: 1, p95_s: 2}}}}
"""
ENVIRON = {"ALDER_KEY": "sk-canary-7f3a", "SIGNALBOX_ENV": "development"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "signalbox.yaml"
    path.write_text(OWN)
    return path


def _loaded(path: Path) -> Settings:
    """Warnings name the file and are left aside."""
    settings = load(path, environ=ENVIRON, today=TODAY, shipped=SHIPPED.encode())
    return replace(settings, warnings=())


@pytest.mark.parametrize("form", Form)
def test_what_is_exported_loads_to_the_same_settings(own: Path, form: Form) -> None:
    copy = own.parent / "copy.yaml"
    copy.write_text(exported(own, form=form, shipped=SHIPPED.encode()))
    assert _loaded(copy) == _loaded(own)


@pytest.mark.parametrize("form", Form)
def test_what_is_shown_loads_to_the_same_settings(own: Path, form: Form) -> None:
    copy = own.parent / "copy.yaml"
    copy.write_text(shown(own, environ=ENVIRON, form=form, shipped=SHIPPED.encode()))
    again, first = _loaded(copy), _loaded(own)
    # The environment and the length of a chain are spelt out, which makes it another file.
    assert replace(again, catalog=replace(again.catalog, version=first.catalog.version)) == first


def test_an_export_stands_alone_and_leaves_defaults_out(own: Path) -> None:
    content = yaml.safe_load(exported(own, form=Form.YAML, shipped=SHIPPED.encode()))
    assert "extends" not in content
    assert content["server"] == {"drain_s": 7}
    assert [provider["name"] for provider in content["providers"]] == ["alder"]


def test_what_is_shown_spells_defaults_out(own: Path) -> None:
    content = json.loads(shown(own, environ=ENVIRON, form=Form.JSON, shipped=SHIPPED.encode()))
    assert content["server"]["lame_duck_s"] == 2
    assert content["routing"]["environment"] == "development"
    assert content["providers"][0]["tier"] == "premium"


@pytest.mark.parametrize("form", Form)
def test_no_key_is_written(own: Path, form: Form) -> None:
    for text in (
        exported(own, form=form, shipped=SHIPPED.encode()),
        shown(own, environ=ENVIRON, form=form, shipped=SHIPPED.encode()),
    ):
        assert ENVIRON["ALDER_KEY"] not in text
        assert "ALDER_KEY" in text


def test_a_file_with_mistakes_is_not_exported(own: Path) -> None:
    own.write_text("version: 2\n")
    with pytest.raises(ConfigError):
        exported(own, form=Form.YAML)


def test_the_simulated_providers_can_be_exported(tmp_path: Path) -> None:
    copy = tmp_path / "copy.yaml"
    copy.write_text(exported(simulated(), form=Form.YAML))
    assert _loaded(copy) == _loaded(simulated())
