"""Every key that is acted on changes the settings, and the settings say what the key says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from router_service.config import choices
from router_service.config.budgets_section import BudgetsSection, ProviderBudget
from router_service.config.deviations_entry import DeviationsEntry
from router_service.config.entries import ProviderEntry
from router_service.config.fields import Section
from router_service.config.model_entry import LongContextEntry, ModelEntry, PricesEntry, SpeedEntry
from router_service.config.routing_section import RoutingSection
from router_service.config.rule_entry import ConditionsEntry, RuleEntry
from router_service.core import budget
from router_service.core.catalog import Catalog, Kind, LongContextPrices, Prices, Speed
from router_service.core.decision.points import FACTORS
from router_service.core.decision.policy import EnvironmentPoints, Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.quota import Limit, Overflow, Unit
from router_service.core.settings import Settings
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.core.windows import Per

from .files import load_text

WHOLE = """\
version: 1
providers:
  - name: groq
    base_url: https://api.example.com/v1
    PROVIDER
    models:
      - id: small
      - id: large
        MODEL
routing: {ROUTING}
budgets: {BUDGETS}
"""

EFFECTS: Mapping[type[Section], Mapping[str, str]] = {
    ProviderEntry: {
        "name": "other",
        "enabled": "false",
        "dialect": "gemini",
        "base_url": "https://other.example.com",
        "key_env": "KEY",
        "key_file": "key",
        "key_page": "https://example.com/keys",
        "tier": "local",
        "region": "eu",
        "compliance": "[gdpr]",
        "sla": "99.9",
        "open_weights": "true",
        "unpriced": "true",
        "limits": "[{unit: tokens, per: day, max: 7}]",
        "free": "{unit: tokens, per: day, max: 7}",
        "overflow": "paid",
        "pacing": "true",
        "max_concurrency": "7",
        "speed": "{tokens_per_s: 7}",
        "deviations": "{stream_usage: false}",
        "timeouts_s": "{gap: 7}",
        "models": "[{id: other}]",
        "retired": "[{id: last, since: 2026-10-23}]",
    },
    ModelEntry: {
        "id": "other",
        "alias": "fast",
        "kind": "embedding",
        "enabled": "false",
        "roles": "[complex]",
        "tasks": "{chat: 0.7}",
        "quality": "{chat: 0.7}",
        "capabilities": "[tools]",
        "rejects": "[temperature]",
        "context": "7",
        "max_output": "7",
        "prices": "{input: 7}",
        "speed": "{tokens_per_s: 7}",
        "retires": "2028-01-01",
        "replacement": "small",
    },
    PricesEntry: {
        "input": "7",
        "output": "7",
        "cached_input": "7",
        "cache_write": "7",
        "long_context": "{from_input_tokens: 7}",
    },
    LongContextEntry: {"from_input_tokens": "7", "input": "7", "output": "7", "cached_input": "7", "cache_write": "7"},
    SpeedEntry: {"first_token_s": "7", "first_token_p90_s": "7", "tokens_per_s": "7"},
    DeviationsEntry: {
        "output_limit_field": "both",
        "seed_field": "none",
        "stream_usage": "false",
        "image_uri": "false",
        "tool_choice": "false",
        "json_object": "false",
        "reasoning_back": "true",
        "tool_call_ids": "nine_characters",
    },
    RoutingSection: {
        "strategy": "balanced",
        "weights": "{cost: 2}",
        "rules": "[{prefer: [groq]}]",
        "exploration": "0.5",
        "environment": "development",
        "region": "eu",
        "budget_tier": "low",
        "prefer_self_hosted_only": "true",
        "unsupported_fields": "refuse",
        "task_confidence": "0.9",
        "complexity_confidence": "0.9",
        "deadline_floor": "0.9",
        "quality_floor": "0.9",
        "chain_length": "7",
        "balance": "{cost: 2}",
        "shares": "{groq: 2}",
        "priorities": "[groq]",
        "votes": "{points: 2}",
        "environment_points": "{development: {hosted: 7}}",
        "auto_upgrade": "true",
        "max_attempts": "7",
        "max_output_mib": "7",
        "queue_length": "7",
        "queue_wait_s": "7",
        "content_filter_failover": "true",
    },
    RuleEntry: {"name": "mine", "when": "{task: rag}", "only": "[groq]", "prefer": "[groq]"},
    ConditionsEntry: {
        "task": "rag",
        "complexity": "complex",
        "input_tokens_over": "7",
        "input_tokens_max": "7",
        "budget_tier": "low",
        "over_budget": "true",
        "region": "eu",
        "environment": "development",
        "tenant": "web",
        "labels": "{team: search}",
        "speed_critical": "false",
        "prefer_cheap": "true",
        "requires_sla": "true",
        "requires_compliance": "true",
        "technical": "true",
        "refactoring": "true",
        "paid_embeddings": "true",
    },
    BudgetsSection: {
        "daily_usd": "7",
        "weekly_usd": "7",
        "monthly_usd": "7",
        "zone": "Europe/Berlin",
        "hard": "true",
        "free_only": "true",
        "warn_at": "0.7",
        "providers": "{groq: {daily_usd: 7}}",
    },
    ProviderBudget: {"daily_usd": "7", "request_usd": "7"},
}
PLACES: Mapping[type[Section], tuple[str, str]] = {
    ProviderEntry: ("PROVIDER", "%"),
    ModelEntry: ("MODEL", "%"),
    PricesEntry: ("MODEL", "prices: {%}"),
    LongContextEntry: ("MODEL", "prices: {long_context: {from_input_tokens: 9, %}}"),
    SpeedEntry: ("MODEL", "speed: {%}"),
    DeviationsEntry: ("PROVIDER", "deviations: {%}"),
    RoutingSection: ("ROUTING", "%"),
    RuleEntry: ("ROUTING", "rules: [{%}]"),
    ConditionsEntry: ("ROUTING", "rules: [{when: {%}}]"),
    BudgetsSection: ("BUDGETS", "%"),
    ProviderBudget: ("BUDGETS", "providers: {groq: {%}}"),
}


def loaded(directory: Path, *, environ: Mapping[str, str] | None = None, **parts: str) -> Settings:
    """The settings of the whole file, its capitals filled with parts of it. A key that it has already is replaced."""
    text = WHOLE
    for place in ("PROVIDER", "MODEL", "ROUTING", "BUDGETS"):
        text = text.replace(place, parts.get(place.lower(), ""))
    return load_text(directory, text, environ)


def _with(section: type[Section], key: str, value: str) -> str:
    """The whole file with one key more, or with another value of it."""
    place, around = PLACES[section]
    text = WHOLE
    if section is ProviderEntry and key in ("name", "base_url"):
        text = re.sub(rf"{key}: \S+", f"{key}: {value}", text)
    elif section is ProviderEntry and key == "models":
        text = re.sub(r"models:.*MODEL\n", f"models: {value}\n", text, flags=re.DOTALL)
    elif section is ModelEntry and key == "id":
        text = text.replace("id: large", f"id: {value}")
    elif section is LongContextEntry and key == "from_input_tokens":
        text = text.replace(place, around.replace("from_input_tokens: 9, %", f"{key}: {value}"))
    else:
        text = text.replace(place, around.replace("%", f"{key}: {value}"))
    return re.sub(r"\b[A-Z]{5,}\b", "", text)


@pytest.mark.parametrize("section", EFFECTS, ids=lambda section: section.__name__)
def test_each_key_has_an_effect(tmp_path: Path, section: type[Section]) -> None:
    assert EFFECTS[section].keys() == section.model_fields.keys()
    place, around = PLACES[section]
    plain = load_text(tmp_path, re.sub(r"\b[A-Z]{5,}\b", "", WHOLE.replace(place, around.replace("%", ""))))
    for key, value in EFFECTS[section].items():
        # The switch of what happens on a day needs that day, and has a test of its own.
        if key != "auto_upgrade":
            assert _content(load_text(tmp_path, _with(section, key, value))) != _content(plain), key


def _content(settings: Settings) -> Settings:
    """Without the version and the warnings, which would tell any two files apart."""
    return replace(settings, catalog=Catalog(settings.catalog.targets), warnings=())


def test_choices_are_those_of_core() -> None:
    for choice, kind in (
        (choices.Task, TaskType),
        (choices.BudgetTier, BudgetTier),
        (choices.Environment, Environment),
        (choices.Window, Per),
    ):
        assert set(get_args(choice)) == {member.value for member in kind}
    assert set(get_args(choices.Complexity)) == {member.value for member in Complexity} | {"unknown"}
    assert get_args(choices.Factor) == FACTORS


def test_a_provider_says_what_its_entry_says(tmp_path: Path) -> None:
    entry = """region: eu-west
    compliance: [gdpr, soc2]
    sla: 99.9
    open_weights: true
    unpriced: true
    pacing: true
    overflow: paid
    max_concurrency: 50
    dialect: azure
    key_page: https://example.com/keys
    speed: {first_token_s: 0.2, first_token_p90_s: 0.4, tokens_per_s: 500}
    free: {unit: neurons, per: day, max: 10000}
    limits:
      - {unit: requests, per: minute, max: 30, models: [small, large]}
      - {unit: tokens, per: month, max: 1_000_000_000}
      - {unit: usd, per: ever, max: 12.34}"""
    provider = loaded(tmp_path, provider=entry).catalog.providers[0]
    assert (provider.region, provider.compliance) == ("eu-west", frozenset({"gdpr", "soc2"}))
    assert (provider.sla, provider.dialect, provider.max_concurrency) == (99.9, "azure", 50)
    assert (provider.open_weights, provider.is_unpriced, provider.pacing) == (True, True, True)
    assert (provider.overflow, provider.key_page) == (Overflow.PAID, "https://example.com/keys")
    assert provider.speed == Speed(time_to_first_token_s=0.2, time_to_first_token_p90_s=0.4, tokens_per_second=500)
    assert provider.free == Limit(unit=Unit.NEURONS, per=Per.DAY, max=10_000)
    assert provider.limits == (
        Limit(unit=Unit.REQUESTS, per=Per.MINUTE, max=30, models=frozenset({"small", "large"})),
        Limit(unit=Unit.TOKENS, per=Per.MONTH, max=10**9),
        Limit(unit=Unit.USD_NANOS, per=Per.EVER, max=12_340_000_000),
    )


@pytest.mark.parametrize(
    ("entry", "fetches"),
    [
        ("", True),
        ("tier: local", False),
        ("tier: local\n    deviations: {image_uri: true}", True),
        ("deviations: {image_uri: false}", False),
    ],
)
def test_pictures_are_fetched_by_all_but_local_providers_unless_told(tmp_path: Path, entry: str, fetches: bool) -> None:
    assert loaded(tmp_path, provider=entry).catalog.providers[0].deviations.fetches_images is fetches


def test_a_model_says_what_its_entry_says(tmp_path: Path) -> None:
    entry = """kind: embedding
        roles: [reasoning]
        tasks: {rag: 0.9}
        quality: {default: 0.7, rag: 0.8}
        capabilities: [tools]
        context: 1000
        max_output: 100
        prices: {input: 1, output: 2, cache_write: 1.25,
          long_context: {from_input_tokens: 500, input: 2, output: 3, cached_input: 0.1, cache_write: 2.5}}
        retires: 2028-01-31
        replacement: small"""
    model = loaded(tmp_path, model=entry).catalog.targets[1].model
    assert (model.kind, model.roles, model.capabilities) == (
        Kind.EMBEDDING,
        frozenset({"reasoning"}),
        frozenset({"tools"}),
    )
    assert (model.tasks, model.quality, model.default_quality) == ({TaskType.RAG: 0.9}, {TaskType.RAG: 0.8}, 0.7)
    assert (model.context_tokens, model.max_output_tokens) == (1000, 100)
    long = LongContextPrices(from_input_tokens=500, input=2, output=3, cached_input=0.1, cache_write=2.5)
    assert model.prices == Prices(input=1, output=2, cache_write=1.25, long_context=long)
    assert (model.retires, model.replacement) == (date(2028, 1, 31), "small")


def test_the_policy_says_what_the_file_says(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        routing="""strategy: weighted, weights: {cost: 2, task_match: 0}, exploration: 0, region: eu, budget_tier: high,
  environment: development, prefer_self_hosted_only: true, task_confidence: 0.1, complexity_confidence: 0.2,
  deadline_floor: 0.3, quality_floor: 0.4, chain_length: 9, balance: {latency: 3}, shares: {groq: 3},
  priorities: ["tier:local", groq], votes: {points: 1}, environment_points: {production: {local: 5}}""",
    ).policy
    assert policy == Policy(
        strategy="weighted",
        weights={"cost": 2, "task_match": 0},
        exploration=0,
        environment=Environment.DEVELOPMENT,
        region="eu",
        budget_tier=BudgetTier.HIGH,
        environment_points={
            Environment.PRODUCTION: EnvironmentPoints(hosted=10, local=5),
            Environment.DEVELOPMENT: EnvironmentPoints(hosted=0, local=20),
        },
        task_confidence=0.1,
        complexity_confidence=0.2,
        deadline_floor=0.3,
        quality_floor=0.4,
        only_self_hosted=True,
        chain_length=9,
        balance=(1, 3, 1),
        shares={"groq": 3},
        priorities=("tier:local", "groq"),
        votes={"points": 1},
    )


def test_a_file_without_routing_has_the_policy_of_core(tmp_path: Path) -> None:
    assert loaded(tmp_path).policy == Policy()


def test_rules_say_what_the_file_says_and_have_names(tmp_path: Path) -> None:
    rules = loaded(
        tmp_path,
        routing="""rules: [
    {name: first, when: {task: [rag, chat], complexity: [simple, unknown], budget_tier: [low, free], region: eu,
      environment: production, tenant: [a, b], labels: {x: y}, over_budget: false}, only: ["tier:local", free]},
    {when: {input_tokens_over: 10, input_tokens_max: 11, speed_critical: true, prefer_cheap: false, requires_sla: true,
      requires_compliance: true, technical: true, refactoring: true, paid_embeddings: false}, prefer: [groq]}, {}]""",
    ).policy.rules
    assert rules == (
        Rule(
            name="first",
            when=Conditions(
                is_over_budget=False,
                tasks=frozenset({TaskType.RAG, TaskType.CHAT}),
                complexities=frozenset({Complexity.SIMPLE, None}),
                budget_tiers=frozenset({BudgetTier.LOW, BudgetTier.FREE}),
                regions=frozenset({"eu"}),
                environments=frozenset({Environment.PRODUCTION}),
                tenants=frozenset({"a", "b"}),
                labels={"x": "y"},
            ),
            only=("tier:local", "free"),
        ),
        Rule(
            name="rule 2",
            when=Conditions(
                over_input_tokens=10,
                max_input_tokens=11,
                is_speed_critical=True,
                prefers_cheap=False,
                requires_sla=True,
                requires_compliance=True,
                is_technical=True,
                is_refactoring=True,
                allows_paid_embeddings=False,
            ),
            prefer=("groq",),
        ),
        Rule(name="rule 3", when=Conditions()),
    )


@pytest.mark.parametrize(("attempts", "length"), [(1, 6), (4, 6), (5, 7), (16, 18)])
def test_a_chain_has_room_for_all_attempts(tmp_path: Path, attempts: int, length: int) -> None:
    assert loaded(tmp_path, routing=f"max_attempts: {attempts}").policy.chain_length == length


def test_budgets_say_what_the_file_says_to_the_billionth(tmp_path: Path) -> None:
    rules = loaded(
        tmp_path,
        budgets="""daily_usd: 0.1, weekly_usd: 1.0e-9, monthly_usd: 1000000, zone: Europe/Berlin, hard: true,
  free_only: true, warn_at: 0.5, providers: {groq: {daily_usd: 0.29, request_usd: 0}}""",
    ).budgets
    assert rules == budget.BudgetRules(
        daily_usd_nanos=100_000_000,
        weekly_usd_nanos=1,
        monthly_usd_nanos=10**15,
        providers={"groq": budget.ProviderBudget(daily_usd_nanos=290_000_000, request_usd_nanos=0)},
        warn_at=0.5,
        is_hard=True,
        free_only=True,
        zone=ZoneInfo("Europe/Berlin"),
    )


def test_a_file_without_budgets_bounds_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path).budgets == budget.BudgetRules(zone=UTC)


@pytest.mark.parametrize(
    ("routing", "variable", "expected"),
    [
        ("", "", Environment.PRODUCTION),
        ("", "development", Environment.DEVELOPMENT),
        ("environment: production", "development", Environment.PRODUCTION),
        ("environment: development", "nonsense", Environment.DEVELOPMENT),
    ],
)
def test_the_environment_is_the_files_else_the_variables_else_production(
    tmp_path: Path, routing: str, variable: str, expected: Environment
) -> None:
    assert loaded(tmp_path, routing=routing, environ={"SIGNALBOX_ENV": variable}).policy.environment is expected
