"""The commented example: it loads, asks for nothing in vain, and does what its comments say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from router_service.config import load
from router_service.core.settings import Settings

from .files import TODAY

EXAMPLE = Path(__file__).parents[2] / "router_service" / "config" / "example.yaml"


def _loaded(today: date = TODAY) -> Settings:
    shipped = load(None, environ={}, today=TODAY).catalog.providers
    environ = {name: "key" for provider in shipped for name in provider.key_env}
    return load(EXAMPLE, environ={**environ, "HOUSE_API_KEY": "key"}, today=today)


def test_the_example_asks_for_nothing_in_vain() -> None:
    about_the_file = [line for line in _loaded().warnings if "example.yaml" in line or "rule" in line]
    assert about_the_file == []


def test_the_example_changes_what_it_says_and_keeps_the_rest() -> None:
    settings = _loaded()
    providers = {provider.name: provider for provider in settings.catalog.providers}
    assert providers["vllm"].is_enabled
    assert providers["house"].base_url == "https://models.example.com/v1"
    assert providers["openai"].base_url == "https://api.openai.com/v1"
    assert not settings.catalog.by_id["openai/gpt-4o"].model.is_enabled
    assert settings.budgets.monthly_usd_nanos == 150 * 10**9
    assert settings.budgets.providers.keys() >= {"anthropic", "openai"}
    assert settings.policy.rules[0].name == "personal data stays here"


def test_the_examples_retired_model_is_replaced() -> None:
    catalog = _loaded(date(2028, 1, 1)).catalog
    assert catalog.by_id["house/house-next"].answers_to("house-large")
    assert not catalog.by_id["house/house-large"].model.is_enabled
