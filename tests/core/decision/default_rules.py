"""The rules that ship, as data, and a small catalogue of the roles that they name."""

from __future__ import annotations

from dataclasses import replace

from router_service.core.catalog import Kind, Model, Provider, Speed, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from tests.core.decision.making import made

T, SIMPLE, MEDIUM, COMPLEX = TaskType, Complexity.SIMPLE, Complexity.MEDIUM, Complexity.COMPLEX


def when(*tasks: TaskType, complexity: Complexity | str | None = "any", **others: object) -> Conditions:
    complexities = frozenset() if isinstance(complexity, str) else frozenset({complexity})
    base = Conditions(tasks=frozenset(tasks), complexities=complexities)
    return replace(base, **others)  # type: ignore[arg-type]


def rule(name: str, conditions: Conditions, *prefer: str, only: tuple[str, ...] = ()) -> Rule:
    return Rule(name=name, when=conditions, prefer=prefer, only=only)


RULES = (
    rule("1 over budget", when(is_over_budget=True), only=("tier:local", "free")),
    rule(
        "2 embedding",
        when(T.EMBEDDING, allows_paid_embeddings=False),
        "*/nomic-embed-text",
        "*/all-minilm",
        only=("tier:local",),
    ),
    rule("3 classification", when(T.CLASSIFICATION), "tier:local", "groq"),
    rule("4 fast and cheap", when(is_speed_critical=True, prefers_cheap=True), "tier:local"),
    rule("5 development", when(environments=frozenset({Environment.DEVELOPMENT})), "tier:local"),
    rule("5a fast", when(is_speed_critical=True, environments=frozenset({Environment.PRODUCTION}))),
    rule("6 very long", when(over_input_tokens=200_000), "gemini", "vertex"),
    rule("7 long", when(over_input_tokens=32_000), "anthropic", "gemini", "bedrock", "azure"),
    rule("7 long summary", when(T.SUMMARIZATION, over_input_tokens=8_000), "anthropic", "gemini", "bedrock", "azure"),
    rule("8 rag", when(T.RAG), "cohere", "anthropic", "openai", "openrouter"),
    rule("9 web search", when(T.WEB_SEARCH), "perplexity", "openrouter", "openai"),
    rule("10 vision", when(T.VISION), "openai", "gemini", "vertex"),
    rule("11 sla", when(requires_sla=True), "azure", "bedrock", "vertex"),
    rule(
        "12 eu compliance",
        when(regions=frozenset({"eu"}), requires_compliance=True),
        "mistral",
        "azure",
        only=("compliance:gdpr", "compliance:eu_data_residency"),
    ),
    rule("13 reasoning, complex", when(T.REASONING, complexity=COMPLEX), "anthropic", "openai", "deepseek/*reason*"),
    rule(
        "13 reasoning, dear",
        when(T.REASONING, budget_tiers=frozenset({BudgetTier.HIGH, BudgetTier.UNLIMITED})),
        "anthropic/*opus*",
        "openai",
        "deepseek/*reason*",
    ),
    rule("14 code, complex", when(T.CODE_GENERATION, complexity=COMPLEX), "anthropic", "openai"),
    rule("14 refactoring, complex", when(complexity=COMPLEX, is_refactoring=True), "anthropic", "openai"),
    rule("15 testing", when(T.TESTING), "anthropic", "tier:local"),
    rule("16 documentation", when(T.DOCUMENTATION), "tier:local", "anthropic"),
    rule("17 chat, technical", when(T.CHAT, is_technical=True), "anthropic", "openai"),
    rule(
        "18 chat, low",
        when(T.CHAT, budget_tiers=frozenset({BudgetTier.LOW})),
        "deepseek",
        "mistral/*small*",
        "gemini/*flash*",
    ),
    rule("19 simple", when(T.REASONING, T.CHAT, complexity=SIMPLE), "tier:local", "groq"),
    rule("19 short summary", when(T.SUMMARIZATION, complexity=SIMPLE, max_input_tokens=8_000), "tier:local", "groq"),
    rule("20 simple code", when(T.CODE_GENERATION, complexity=SIMPLE), "*/deepseek-coder", "groq"),
    rule("21 medium code", when(T.CODE_GENERATION, complexity=MEDIUM), "*/deepseek-coder-33b", "anthropic"),
    rule("22 medium", when(complexity=MEDIUM), "groq", "together", "fireworks", "anthropic"),
    rule("23 code", when(T.CODE_GENERATION, complexity=None), "vertex", "huggingface", "openai"),
    rule("24 chat", when(T.CHAT, complexity=None), "openrouter", "deepseek", "mistral"),
)
POLICY = Policy(rules=RULES, exploration=0.0)


def _provider(name: str, tier: str, **others: object) -> Provider:
    base = Provider(name=name, dialect="openai", base_url="", tier=tier)
    return replace(base, **others)  # type: ignore[arg-type]


EU = {"region": "eu", "compliance": frozenset({"gdpr", "eu_data_residency"})}
LOCAL = _provider("ollama", "local", open_weights=True)
CAPABLE = "tools vision json_schema reasoning"


def _fast(first_s: float, tokens_per_second: float) -> Speed:
    return Speed(time_to_first_token_s=first_s, tokens_per_second=tokens_per_second)


def catalogue() -> tuple[Target, ...]:
    """Every provider of the rules with the models that the worked examples name, at the catalogue's prices."""
    everything = dict.fromkeys(TaskType, 0.7)
    small = {"tier": "local", "provider": LOCAL, "price": 0, "context": 32_000}
    return (
        made("ollama/llama-8b", quality=0.55, tasks={**everything, T.CODE_GENERATION: 0.3}, **small),  # type: ignore[arg-type]
        made("ollama/deepseek-coder", quality=0.6, tasks={T.CODE_GENERATION: 0.8}, **small),  # type: ignore[arg-type]
        made("ollama/deepseek-coder-33b", quality=0.65, tasks={T.CODE_GENERATION: 0.9}, **small),  # type: ignore[arg-type]
        made("ollama/nomic-embed-text", model=Model(id="", kind=Kind.EMBEDDING), **small),  # type: ignore[arg-type]
        made("ollama/all-minilm", model=Model(id="", kind=Kind.EMBEDDING), **small),  # type: ignore[arg-type]
        made(
            "openai/text-embedding-3-small",
            price=(0.02, 0.0),
            model=Model(id="", kind=Kind.EMBEDDING),
            context=8191,
        ),
        made(
            "groq/gpt-oss-120b",
            price=(0.15, 0.6),
            tier="fast_cloud",
            region="us",
            quality=0.7,
            tasks=everything,
            paced=_fast(0.2, 500),
            context=131_072,
            capabilities="tools json_schema reasoning",
        ),
        made("together/llama-70b", price=0.9, tier="fast_cloud", region="us", quality=0.7, context=131_072),
        made("fireworks/llama-70b", price=0.9, tier="fast_cloud", region="us", quality=0.7, context=131_072),
        made("deepseek/chat", price=(0.3, 1.2), tier="fast_cloud", quality=0.78, context=128_000, tasks=everything),
        made(
            "deepseek/reasoner",
            price=(0.6, 2.4),
            tier="fast_cloud",
            quality=0.8,
            context=128_000,
            tasks={T.REASONING: 1.0},
            capabilities="reasoning",
        ),
        made(
            "mistral/small",
            price=(0.1, 0.3),
            quality=0.65,
            context=128_000,
            tasks=everything,
            provider=_provider("mistral", "premium", **EU),
        ),
        made(
            "mistral/medium",
            price=(0.4, 2.0),
            quality=0.75,
            context=128_000,
            tasks=everything,
            provider=_provider("mistral", "premium", **EU),
        ),
        made(
            "azure/gpt",
            price=(2.5, 10),
            quality=0.88,
            context=128_000,
            capabilities=CAPABLE,
            provider=_provider("azure", "premium", sla=99.9, **EU),
        ),
        made(
            "anthropic/opus",
            price=(4, 20),
            region="us",
            compliance="soc2",
            quality=0.92,
            context=200_000,
            tasks={**everything, T.REASONING: 1.0, T.CODE_GENERATION: 1.0},
            capabilities=CAPABLE,
        ),
        made(
            "anthropic/sonnet",
            price=(2, 10),
            region="us",
            compliance="soc2",
            quality=0.88,
            context=200_000,
            tasks={**everything, T.RAG: 0.9},
            capabilities=CAPABLE,
        ),
        made("openai/gpt", price=(2, 8), region="us", quality=0.88, context=1_047_576, capabilities=CAPABLE),
        made("gemini/flash", price=(0.75, 3.75), quality=0.8, context=1_048_576, capabilities=CAPABLE),
        made("vertex/flash", price=(0.75, 3.75), quality=0.8, context=1_048_576, capabilities=CAPABLE),
        made("bedrock/nova", price=(0.8, 3.2), quality=0.8, context=300_000),
        made("cohere/command", price=(2.5, 10), quality=0.8, context=256_000, tasks={T.RAG: 1.0}),
        made("perplexity/sonar", price=1.0, quality=0.75, context=127_000, tasks={T.WEB_SEARCH: 1.0}),
        made("openrouter/free-r1", price=0, tier="gateway", quality=0.75, context=163_000, capabilities="reasoning"),
        made("huggingface/open", price=None, tier="gateway", quality=0.7, context=128_000),
    )
