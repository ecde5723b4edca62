"""The shipped configuration: who is in it, on what terms, and that each of its rules can be met and served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest

from router_service.config import load
from router_service.core.catalog import FORCED_TOOL_CHOICE, Kind, Provider, Target
from router_service.core.chat import Message, Prompt, Role
from router_service.core.deviations import Deviations, OutputLimitField, SeedField, ToolCallIds
from router_service.core.inference import Inference, infer
from router_service.core.plan import View
from router_service.core.quota import Overflow
from router_service.core.request import Request, Routing
from router_service.core.settings import Settings
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from tests.config.shipped import TAKEN_ON, full_view, planned, shipped
from tests.core.decision.making import asked, candidate, ids
from tests.harness.worked_examples import KEYS

CATALOGUE = Path(__file__).parents[2] / "docs" / "catalogue.md"
NOTICE = timedelta(days=30)
T, C = TaskType, Complexity
TIERS: Mapping[str, str] = {
    **dict.fromkeys(("ollama", "lmstudio", "localai", "vllm", "llamacpp"), "local"),
    **dict.fromkeys(("groq", "together", "fireworks", "cloudflare", "nvidia", "deepseek", "llm7"), "fast_cloud"),
    **dict.fromkeys(("anthropic", "openai", "gemini", "vertex", "mistral", "cohere"), "premium"),
    **dict.fromkeys(("azure", "azure-eu", "bedrock", "perplexity"), "premium"),
    **dict.fromkeys(("openrouter", "huggingface"), "gateway"),
}
RETIRED = [
    "gpt-4",
    "o1",
    "gpt-3.5-turbo",
    "llama-3.3-70b-versatile",
    "llama-3.1-8b-instant",
    "mixtral-8x7b-32768",
    "deepseek-chat",
    "deepseek-reasoner",
    "claude-sonnet-4-5",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
]
"""Models that providers have withdrawn, or withdraw within thirty days of the catalogue's date."""


@pytest.fixture(scope="module")
def settings() -> Settings:
    return shipped()


@pytest.fixture(scope="module")
def view(settings: Settings) -> View:
    return full_view(settings)


def provider(settings: Settings, name: str) -> Provider:
    return next(p for p in settings.catalog.providers if p.name == name)


def running(settings: Settings) -> list[Target]:
    return [t for t in settings.catalog.targets if t.provider.is_enabled and t.model.is_enabled]


def test_every_provider_is_there_with_its_tier(settings: Settings) -> None:
    assert {p.name: p.tier for p in settings.catalog.providers} == TIERS


def test_with_all_keys_everybody_but_those_who_have_to_be_asked_for_is_ready(settings: Settings) -> None:
    asked_for = {"lmstudio", "localai", "vllm", "llamacpp", "llm7"}
    assert {p.name for p in settings.catalog.providers if not p.is_enabled} == asked_for
    assert all(p.is_usable for p in settings.catalog.providers)
    assert not any("skipped" in warning for warning in settings.warnings)


def test_addresses_take_their_accounts_from_the_environment(settings: Settings) -> None:
    urls = {name: provider(settings, name).base_url for name in ("cloudflare", "azure", "azure-eu", "bedrock")}
    assert urls == {
        "cloudflare": "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/ai/v1",
        "azure": "https://here.openai.azure.invalid/openai/v1",
        "azure-eu": "https://there.openai.azure.invalid/openai/v1",
        "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    }


def test_without_any_key_it_loads_and_says_who_is_skipped() -> None:
    bare = shipped({})
    ready = {p.name for p in bare.catalog.providers if p.is_enabled and p.is_usable}
    assert ready == {"ollama"}
    told = "\n".join(bare.warnings)
    assert all(name in told for name in ("groq", "openai", "cloudflare", "azure-eu", "huggingface"))
    assert "llm7" not in told


def test_what_is_local_needs_no_key_and_stays_on_this_machine(settings: Settings) -> None:
    local = [p for p in settings.catalog.providers if p.is_self_hosted]
    assert all(not p.key_env and p.is_unpriced and p.base_url.startswith("http://127.0.0.1:") for p in local)


MAX_TOKENS = Deviations(output_limit_field=OutputLimitField.MAX_TOKENS)
DEVIATIONS: Mapping[str, Deviations] = {
    **dict.fromkeys(("together", "cloudflare", "llm7"), MAX_TOKENS),
    "ollama": replace(MAX_TOKENS, fetches_images=False, minds_tool_choice=False),
    "lmstudio": replace(MAX_TOKENS, fetches_images=False, has_json_object=False),
    "localai": replace(MAX_TOKENS, fetches_images=False),
    **dict.fromkeys(("vllm", "llamacpp", "gemini"), Deviations(fetches_images=False)),
    "nvidia": replace(MAX_TOKENS, fetches_images=False),
    "deepseek": replace(MAX_TOKENS, wants_reasoning_back=True),
    "groq": Deviations(asks_for_stream_usage=False),
    "mistral": replace(
        MAX_TOKENS,
        seed_field=SeedField.RANDOM_SEED,
        asks_for_stream_usage=False,
        tool_call_ids=ToolCallIds.NINE_CHARACTERS,
    ),
    "perplexity": replace(MAX_TOKENS, asks_for_stream_usage=False, has_json_object=False),
}


def test_everybody_is_written_to_in_his_own_spelling(settings: Settings) -> None:
    assert {p.name: p.deviations for p in settings.catalog.providers if p.deviations != Deviations()} == DEVIATIONS


def test_newer_models_are_told_no_sampling_and_some_are_forced_to_nothing(settings: Settings) -> None:
    rejecting = {t.id: t.model.rejects for t in settings.catalog.targets if t.model.rejects}
    assert all({"temperature", "top_p"} <= rejects for rejects in rejecting.values())
    assert {id for id, rejects in rejecting.items() if FORCED_TOOL_CHOICE in rejects} == {
        "anthropic/claude-opus-5-5",
        "anthropic/claude-sonnet-5-5",
        "bedrock/global.anthropic.claude-sonnet-5-5",
    }
    assert {"openai/gpt-6.1-sol", "azure/gpt-6.1-sol", "gemini/gemini-3.8-flash"} <= rejecting.keys()


def test_everybody_is_bounded_and_every_key_has_a_page(settings: Settings) -> None:
    assert {p.max_concurrency for p in settings.catalog.providers} == {50}
    document = resources.files("router_service.config").joinpath("catalog.yaml").read_text()
    assert document.count("key_page: https://") == document.count("key_env: [") == len(TIERS) - 6


def test_prices_are_known_where_money_is_spent(settings: Settings) -> None:
    """But for gateways, whose unknown prices keep them out of every bound on money."""
    unknown = {t.id for t in running(settings) if not t.provider.is_unpriced and t.model.prices.blended is None}
    assert unknown == {"openrouter/openai/gpt-oss-120b", "huggingface/openai/gpt-oss-120b"}


def test_context_windows_are_known_of_all_that_run(settings: Settings) -> None:
    assert [t.id for t in running(settings) if not t.model.context_tokens] == []


def test_nothing_is_retired_or_about_to_be(settings: Settings) -> None:
    models = [t.model for t in settings.catalog.targets]
    assert {m.id for m in models if m.id in RETIRED or set(m.aliases) & set(RETIRED)} == set()
    assert [m.id for m in models if m.retires is not None and m.retires <= TAKEN_ON + NOTICE] == []


def test_replacements_outlive_what_they_replace(settings: Settings) -> None:
    for target in settings.catalog.targets:
        if target.model.replacement:
            replacement = settings.catalog.by_id[f"{target.provider.name}/{target.model.replacement}"].model
            assert target.model.retires is not None
            assert replacement.retires is None or replacement.retires > target.model.retires


def test_groups_have_members_at_several_providers(settings: Settings) -> None:
    for name in ("fast", "smart", "cheap", "gpt-oss-120b", "deepseek-v4.1-flash", "llama-3.3-70b", "gemini-3.8-flash"):
        members = [t for t in settings.catalog.named(name) if t.provider.is_enabled]
        assert len({t.provider.name for t in members}) > 1, name
        assert {t.model.kind for t in members} == {Kind.CHAT}


def test_the_budgets_are_those_that_are_documented(settings: Settings) -> None:
    usd, budgets = 1_000_000_000, settings.budgets
    assert (budgets.daily_usd_nanos, budgets.warn_at) == (10 * usd, 0.8)
    for name in ("anthropic", "openai"):
        assert budgets.providers[name].daily_usd_nanos == 5 * usd
        assert budgets.request_limit(name) == usd // 2


def test_the_documentation_has_every_provider_group_and_rule(settings: Settings) -> None:
    text = CATALOGUE.read_text(encoding="utf-8")
    names = [f"| `{p.name}`" for p in settings.catalog.providers]
    variables = [f"`{name}`" for p in settings.catalog.providers for name in p.key_env]
    groups = [f"| `{name}` |" for t in settings.catalog.targets for name in t.model.aliases]
    rules = [f"| {rule.name} |" for rule in settings.policy.rules]
    assert [piece for piece in names + variables + groups + rules if piece not in text] == []


def test_the_documented_way_of_making_it_yours_works(tmp_path: Path) -> None:
    example = CATALOGUE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "signalbox.yaml"
    path.write_text(example)
    mine = load(path, environ=KEYS, today=TAKEN_ON)
    assert {t.model.id for t in running(mine) if t.provider.name == "lmstudio"} == {
        "openai/gpt-oss-20b",
        "qwen2.5-7b-instruct",
    }
    assert provider(mine, "groq").overflow is Overflow.PAID
    assert not mine.catalog.by_id["openai/gpt-4o"].model.is_enabled
    assert mine.catalog.by_id["mistral/mistral-small-latest"].model.prices.input == 0.1
    assert mine.catalog.by_id["mistral/mistral-small-latest"].model.prices.output == 0.6
    assert mine.policy.environment is Environment.DEVELOPMENT
    assert mine.budgets.daily_usd_nanos == 50_000_000_000
    assert mine.budgets.providers["openai"].request_usd_nanos == 500_000_000
    assert len(mine.policy.rules) == len(shipped().policy.rules)


def test_the_prices_come_with_their_licence() -> None:
    licence = resources.files("router_service.config").joinpath("LICENSE-LiteLLM.txt").read_text()
    assert "Copyright (c) 2023 Berri AI" in licence
    assert "The above copyright notice and this permission notice shall be included" in licence


def when(*, tokens: int = 1000, labels: str = "", **routing: object) -> Request:
    given = {labels: "true"} if labels else {}
    return asked(Routing(**routing), tokens=tokens, labels=given)  # type: ignore[arg-type]


MET: tuple[tuple[Request, str], ...] = (
    (when(task_type=T.EMBEDDING), "2 embedding"),
    (when(task_type=T.EMBEDDING, allow_paid_embeddings=True), "2 embedding, paid ones allowed"),
    (when(task_type=T.CLASSIFICATION), "3 classification"),
    (when(speed_critical=True, prefer_cheap=True), "4 fast and cheap"),
    (when(environment=Environment.DEVELOPMENT), "5 development"),
    (when(environment=Environment.DEVELOPMENT, speed_critical=True), "5 development"),
    (when(speed_critical=True, task_type=T.RAG), "5a speed"),
    (when(tokens=200_001), "6 very long input"),
    (when(tokens=200_000), "7 long input"),
    (when(tokens=32_001), "7 long input"),
    (when(task_type=T.SUMMARIZATION, tokens=8_001), "7 long summary"),
    (when(task_type=T.RAG), "8 rag"),
    (when(task_type=T.WEB_SEARCH), "9 web search"),
    (when(task_type=T.VISION), "10 vision"),
    (when(requires_sla=True), "11 service level agreement"),
    (when(region="eu", requires_compliance=True), "12 compliance in the EU"),
    (when(region="eu", required_compliance=frozenset({"eu_data_residency"})), "12 compliance in the EU"),
    (when(task_type=T.REASONING, complexity=C.COMPLEX), "13 reasoning, complex"),
    (when(task_type=T.REASONING, budget_tier=BudgetTier.UNLIMITED), "13 reasoning, high budget"),
    (when(task_type=T.CODE_GENERATION, complexity=C.COMPLEX), "14 code, complex"),
    (when(complexity=C.COMPLEX, labels="refactoring"), "14 refactoring, complex"),
    (when(task_type=T.TESTING), "15 testing"),
    (when(task_type=T.DOCUMENTATION), "16 documentation"),
    (when(task_type=T.CHAT, labels="technical"), "17 chat, technical"),
    (when(task_type=T.CHAT, budget_tier=BudgetTier.LOW), "18 chat, low budget"),
    (when(task_type=T.CHAT, complexity=C.SIMPLE), "19 simple"),
    (when(task_type=T.REASONING, complexity=C.SIMPLE), "19 simple"),
    (when(task_type=T.SUMMARIZATION, tokens=3_000), "19 short summary"),
    (when(task_type=T.CODE_GENERATION, complexity=C.SIMPLE), "20 code, simple"),
    (when(task_type=T.CODE_GENERATION, complexity=C.MEDIUM), "21 code, medium"),
    (when(task_type=T.SUMMARIZATION, complexity=C.MEDIUM), "22 medium"),
    (when(task_type=T.CODE_GENERATION), "23 code, complexity unknown"),
    (when(task_type=T.CHAT), "24 chat, complexity unknown"),
    (when(task_type=T.TRANSLATION), ""),
    (when(), ""),
)


@pytest.mark.parametrize(("request_", "rule"), MET)
def test_each_rule_is_met_and_its_first_choice_serves(request_: Request, rule: str, view: View) -> None:
    found = planned(request_, view)
    assert found.rule == rule
    assert found.targets
    if any(r.prefer for r in view.policy.rules if r.name == rule):
        assert candidate(found, ids(found)[0]).preference_class == 0


def test_every_rule_is_among_those_that_are_met(view: View) -> None:
    assert {rule.name for rule in view.policy.rules} == {rule for _, rule in MET if rule} | {"1 over budget"}


@pytest.mark.parametrize(
    ("task", "confidence", "rule"),
    [
        pytest.param(T.REASONING, 0.75, "13 reasoning, complex", id="sure-of-reasoning"),
        pytest.param(T.REASONING, 0.65, "", id="unsure-of-reasoning"),
        pytest.param(T.CODE_GENERATION, 0.75, "14 code, complex", id="sure-of-code"),
        pytest.param(T.CODE_GENERATION, 0.65, "", id="unsure-of-code"),
    ],
)
def test_a_guessed_task_leads_to_dear_models_only_where_the_guess_is_good(
    task: TaskType, confidence: float, rule: str, view: View
) -> None:
    guess = Inference(
        task=task,
        complexity=C.COMPLEX,
        confidence=confidence,
        complexity_confidence=0.9,
        is_technical=True,
        is_refactoring=False,
    )
    assert planned(replace(asked(), inference=guess), view).rule == rule


def test_a_prompt_for_an_architecture_reaches_the_best_models(view: View) -> None:
    text = "Design an architecture for a distributed rate limiter."
    prompt = Prompt(messages=(Message(role=Role.USER, content=text),))
    found = planned(Request(request_id="req-1", prompt=prompt, deadline=1000.0, inference=infer(prompt)), view)
    assert ids(found)[0] == "anthropic/claude-opus-5-5"
