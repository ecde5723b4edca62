"""A file laid over the shipped one: what it changes, what it leaves, and whose line a message names."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.config import ConfigError
from router_service.core.settings import Settings

from .files import load_text

SHIPPED = """\
version: 1
server: {drain_s: 7, lame_duck_s: 3}
providers:
  - name: alder
    base_url: https://alder.example
    key_env: [ALDER_KEY, OTHER_KEY]
    models:
      - {id: small, alias: [cheap, quick], context: 1000, prices: {input: 1, output: 2}}
      - {id: large, context: 2000}
  - {name: birch, base_url: https://birch.example, models: [{id: small}]}
routing: {rules: [{name: one, prefer: [alder]}, {name: two, prefer: [birch]}], weights: {cost: 2}}
budgets: {daily_usd: 10, providers: {alder: {daily_usd: 5, request_usd: 1}}}
"""
LINES = len(SHIPPED.splitlines())


def _over(directory: Path, text: str) -> Settings:
    return load_text(directory, f"version: 1\nextends: shipped\n{text}", shipped=SHIPPED)


def test_a_file_that_only_extends_is_the_shipped_one(tmp_path: Path) -> None:
    settings = _over(tmp_path, "")
    alone = load_text(tmp_path, SHIPPED)
    assert settings.catalog == alone.catalog
    assert (settings.policy, settings.budgets, settings.server) == (alone.policy, alone.budgets, alone.server)


def test_a_provider_needs_only_its_name(tmp_path: Path) -> None:
    settings = _over(tmp_path, "providers: [{name: birch, enabled: false}]\n")
    assert [(p.name, p.is_enabled, p.base_url) for p in settings.catalog.providers] == [
        ("alder", True, "https://alder.example"),
        ("birch", False, "https://birch.example"),
    ]


def test_models_are_merged_by_id_and_new_ones_come_last(tmp_path: Path) -> None:
    settings = _over(
        tmp_path,
        "providers: [{name: alder, models: [{id: huge}, {id: small, prices: {input: 9}}]}, "
        "{name: cedar, base_url: https://c.example, models: [{id: m}]}]\n",
    )
    targets = {target.id: target.model for target in settings.catalog.targets}
    assert list(targets) == ["alder/small", "alder/large", "alder/huge", "birch/small", "cedar/m"]
    small = targets["alder/small"]
    assert (small.prices.input, small.prices.output, small.context_tokens) == (9, 2, 1000)
    assert small.aliases == ("cheap", "quick")


def test_other_lists_replace_each_other(tmp_path: Path) -> None:
    settings = _over(
        tmp_path,
        "providers: [{name: alder, key_env: MINE, models: [{id: small, alias: []}]}]\n"
        "routing: {rules: [{name: mine, prefer: [birch]}]}\n",
    )
    assert settings.catalog.providers[0].key_env == ("MINE",)
    assert settings.catalog.targets[0].model.aliases == ()
    assert [rule.name for rule in settings.policy.rules] == ["mine"]


def test_mappings_are_merged_key_by_key(tmp_path: Path) -> None:
    settings = _over(
        tmp_path,
        "server: {drain_s: 1}\nrouting: {weights: {latency: 3}}\nbudgets: {providers: {alder: {daily_usd: 2}}}\n",
    )
    assert (settings.server.drain_s, settings.server.lame_duck_s) == (1, 3)
    assert settings.policy.weights == {"cost": 2, "latency": 3}
    budget = settings.budgets.providers["alder"]
    assert (budget.daily_usd_nanos, budget.request_usd_nanos) == (2 * 10**9, 10**9)


def test_a_key_without_a_value_changes_nothing(tmp_path: Path) -> None:
    settings = _over(tmp_path, "server:\nproviders:\n  - {name: alder, base_url: }\nbudgets: {daily_usd: }\n")
    assert settings.server.drain_s == 7
    assert settings.catalog.providers[0].base_url == "https://alder.example"
    assert settings.budgets.daily_usd_nanos == 10 * 10**9


def test_a_message_names_the_file_line_and_path_that_a_value_comes_from(tmp_path: Path) -> None:
    broken = SHIPPED.replace("context: 2000", "context: 0").replace("lame_duck_s: 3", "lame_duck_s: -1")
    text = """\
version: 1
extends: shipped
providers:
  - name: cedar
    models: [{id: m, context: 0}]
  - name: alder
    tier: fast
"""
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text, shipped=broken)
    mine = str(tmp_path / "signalbox.yaml")
    assert {(p.file, p.line, p.path) for p in caught.value.problems} == {
        ("catalog.yaml", 2, "server.lame_duck_s"),
        ("catalog.yaml", 9, "providers[0].models[1].context"),
        (mine, 4, "providers[0].base_url"),
        (mine, 5, "providers[0].models[0].context"),
        (mine, 7, "providers[1].tier"),
    }


def test_a_name_that_the_file_itself_repeats_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _over(tmp_path, "providers: [{name: birch, tier: local}, {name: birch, tier: premium}]\n")
    (problem, *_) = [p for p in caught.value.problems if "another provider" in p.message]
    assert (problem.line, problem.path) == (3, "providers[1].name")


def test_a_name_of_the_shipped_file_that_stands_twice_there_is_told_with_both_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _over(tmp_path, "providers: [{name: alder, models: [{id: new}, {id: new}]}]\n")
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (3, "providers[0].models[1].id")


def test_warnings_name_their_own_file(tmp_path: Path) -> None:
    settings = _over(tmp_path, "routing: {priorities: [nobody]}\n")
    mine = tmp_path / "signalbox.yaml"
    assert f"{mine}:3: routing.priorities[0]: means no target of the catalogue" in settings.warnings


def test_without_extends_nothing_is_laid_over(tmp_path: Path) -> None:
    text = "version: 1\nextends: none\nproviders: [{name: a, base_url: https://a.example, models: [{id: m}]}]\n"
    settings = load_text(tmp_path, text, shipped="not even: [YAML")
    assert [target.id for target in settings.catalog.targets] == ["a/m"]


@pytest.mark.parametrize("text", ["extends: ship", "extends: [shipped]", "extends: true"])
def test_only_the_shipped_file_can_be_extended(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, f"version: 1\n{text}\n", shipped=SHIPPED)
    assert "extends" in [problem.path for problem in caught.value.problems]
