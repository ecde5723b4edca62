"""The worked examples: what the shipped configuration answers, with all keys present, all healthy and quotas full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from itertools import pairwise, zip_longest

from router_service.core.request import Routing
from router_service.core.task import BudgetTier, Environment, TaskType

USD = 1_000_000_000
KEYS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "ANTHROPIC_API_KEY",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AZURE_OPENAI_API_KEY",
            "AZURE_OPENAI_EU_API_KEY",
            "CLOUDFLARE_API_TOKEN",
            "CO_API_KEY",
            "DEEPSEEK_API_KEY",
            "FIREWORKS_API_KEY",
            "GOOGLE_API_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "GROQ_API_KEY",
            "HF_TOKEN",
            "MISTRAL_API_KEY",
            "NVIDIA_API_KEY",
            "OPENAI_API_KEY",
            "OPENROUTER_API_KEY",
            "PERPLEXITY_API_KEY",
            "TOGETHER_API_KEY",
        ),
        "not-a-key",
    ),
    "AWS_REGION": "us-east-1",
    "AZURE_OPENAI_ENDPOINT": "https://here.openai.azure.invalid",
    "AZURE_OPENAI_EU_ENDPOINT": "https://there.openai.azure.invalid/",
    "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef",
    "GOOGLE_CLOUD_PROJECT": "project-1",
}
"""An environment in which every provider that ships has its key and its address."""


class Order(Enum):
    """What the whole of a chain is ordered by, where one thing alone decides."""

    BY_COST = "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedExample:
    """A request and its answer, in patterns of target ids: the first, and those that follow it in this order.

    An empty chain is a refusal. `only` are those that may stand in the chain at all. `rejected` are targets with the
    reason's name and a piece of its detail; `reasons` must be among those that rejected somebody.
    """

    name: str
    routing: Routing
    input_tokens: int = 1000
    output_tokens: int | None = None
    rule: str = ""
    chain: tuple[str, ...] = ()
    only: tuple[str, ...] = ("*",)
    rejected: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reasons: frozenset[str] = frozenset()
    order: Order | None = None

    def mismatches(self, rule: str, chain: Sequence[str], rejections: Mapping[str, tuple[str, str]]) -> Iterator[str]:
        """What a plan says otherwise, in words. `rejections` are the rejected targets, each with reason and detail."""
        if rule != self.rule:
            yield f"the rule is {rule!r}, expected {self.rule!r}"
        for pattern, target in zip_longest(self.chain, chain[: len(self.chain) or 1]):
            if pattern is None or target is None or not fnmatchcase(target, pattern):
                yield f"the chain has {target}, expected {pattern}"
        for target in chain:
            if not any(fnmatchcase(target, pattern) for pattern in self.only):
                yield f"the chain has {target}, and only {', '.join(self.only)} may serve"
        for target, (reason, words) in self.rejected.items():
            seen, detail = rejections.get(target, ("", ""))
            if seen != reason or words not in detail:
                yield f"{target} is rejected by {seen or 'nothing'} ({detail}), expected {reason} ({words})"
        if missing := self.reasons - {reason for reason, _ in rejections.values()}:
            yield f"nobody is rejected by {', '.join(sorted(missing))}"

    def misorders(self, chain: Sequence[str], costs: Mapping[str, float]) -> Iterator[str]:
        """Where a chain is not in the order of the estimated costs; `costs` are those of all that could serve."""
        if self.order is not Order.BY_COST:
            return
        if costs[chain[0]] > min(costs.values()):
            yield f"{chain[0]} costs {costs[chain[0]]}, and another {min(costs.values())}"
        for before, after in pairwise(chain):
            if costs[before] > costs[after]:
                yield f"{before} costs {costs[before]} and stands before {after} at {costs[after]}"


def _analysis(max_latency_s: float) -> Routing:
    return Routing(
        task_type=TaskType.ANALYSIS,
        strategy="balanced",
        max_cost_usd_nanos=USD // 100,
        min_quality=0.75,
        max_latency_s=max_latency_s,
    )


LOCAL = ("ollama/*",)
EU = ("mistral/*", "azure-eu/*")

EXAMPLES: tuple[WorkedExample, ...] = (
    WorkedExample(
        name="chat on a low budget",
        routing=Routing(task_type=TaskType.CHAT, budget_tier=BudgetTier.LOW),
        input_tokens=2000,
        rule="18 chat, low budget",
        chain=("deepseek/*", "mistral/*small*", "gemini/*flash*"),
    ),
    WorkedExample(
        name="reasoning on a high budget",
        routing=Routing(task_type=TaskType.REASONING, budget_tier=BudgetTier.HIGH),
        rule="13 reasoning, high budget",
        chain=("anthropic/*opus*", "openai/*-sol", "deepseek/*pro*"),
    ),
    WorkedExample(
        name="chat in the EU with compliance",
        routing=Routing(task_type=TaskType.CHAT, budget_tier=BudgetTier.MEDIUM, region="eu", requires_compliance=True),
        rule="12 compliance in the EU",
        chain=EU,
        only=EU,
        reasons=frozenset({"REGION"}),
    ),
    WorkedExample(
        name="rag on a medium budget",
        routing=Routing(task_type=TaskType.RAG, budget_tier=BudgetTier.MEDIUM),
        rule="8 rag",
        chain=("cohere/*", "anthropic/*sonnet*", "openai/*", "openrouter/*"),
    ),
    WorkedExample(
        name="a summary of half a million tokens",
        routing=Routing(task_type=TaskType.SUMMARIZATION, budget_tier=BudgetTier.MEDIUM),
        input_tokens=500_000,
        rule="6 very long input",
        chain=("gemini/*", "vertex/*"),
        rejected={
            "anthropic/claude-haiku-4-5": ("CONTEXT_WINDOW", "window of 200 000 tokens"),
            "anthropic/claude-sonnet-5-5": ("COST_PER_REQUEST", "the bound for one request to anthropic of 0.50 USD"),
            "openai/gpt-6.1-sol": ("COST_PER_REQUEST", "the bound for one request to openai of 0.50 USD"),
        },
    ),
    WorkedExample(
        name="a simple question at the least cost",
        routing=Routing(task_type=TaskType.SIMPLE_QA, strategy="cost_optimized"),
        chain=LOCAL,
        order=Order.BY_COST,
    ),
    WorkedExample(
        name="a simple question at the least cost without a local target",
        routing=Routing(
            task_type=TaskType.SIMPLE_QA,
            strategy="cost_optimized",
            denied_providers=frozenset({"ollama", "groq", "cloudflare", "nvidia", "mistral", "openrouter"}),
        ),
        chain=("openai/gpt-6-luna", "anthropic/claude-haiku-5-5"),
        order=Order.BY_COST,
    ),
    WorkedExample(
        name="analysis within a second",
        routing=_analysis(max_latency_s=1.0),
        output_tokens=400,
        reasons=frozenset({"QUALITY", "COST_PER_REQUEST", "LATENCY"}),
        rejected={
            "groq/openai/gpt-oss-120b": ("QUALITY", "a quality of 0.70 is under the floor of 0.75"),
            "anthropic/claude-opus-5-5": ("COST_PER_REQUEST", "the request's bound of 0.01 USD"),
            "deepseek/deepseek-flash": ("LATENCY", "over the bound of 1 s"),
        },
    ),
    WorkedExample(
        name="analysis within three seconds",
        routing=_analysis(max_latency_s=3.0),
        output_tokens=400,
        chain=("*/*deepseek*",),
    ),
    WorkedExample(
        name="code of the best quality",
        routing=Routing(task_type=TaskType.CODE_GENERATION, strategy="quality_optimized"),
        chain=("anthropic/*opus*",),
    ),
    WorkedExample(
        name="classification",
        routing=Routing(task_type=TaskType.CLASSIFICATION),
        rule="3 classification",
        chain=("ollama/*", "groq/*"),
    ),
    WorkedExample(
        name="embedding",
        routing=Routing(task_type=TaskType.EMBEDDING),
        input_tokens=100,
        rule="2 embedding",
        chain=("ollama/nomic-embed-text", "ollama/all-minilm"),
        only=LOCAL,
    ),
    WorkedExample(
        name="embedding without a local target",
        routing=Routing(task_type=TaskType.EMBEDDING, denied_providers=frozenset({"ollama"})),
        input_tokens=100,
        rule="2 embedding",
        reasons=frozenset({"RULE"}),
        rejected={"openai/text-embedding-3-small": ("RULE", "keeps to tier:local")},
    ),
    WorkedExample(
        name="embedding without a local target where paid ones are allowed",
        routing=Routing(
            task_type=TaskType.EMBEDDING, denied_providers=frozenset({"ollama"}), allow_paid_embeddings=True
        ),
        input_tokens=100,
        rule="2 embedding, paid ones allowed",
        chain=("mistral/mistral-embed", "fireworks/*nomic-embed*", "openai/text-embedding-3-small"),
        only=("*/*embed*",),
        order=Order.BY_COST,
    ),
    WorkedExample(
        name="reasoning in development",
        routing=Routing(task_type=TaskType.REASONING, environment=Environment.DEVELOPMENT),
        rule="5 development",
        chain=LOCAL,
    ),
    WorkedExample(
        name="speed-critical chat in production",
        routing=Routing(task_type=TaskType.CHAT, environment=Environment.PRODUCTION, speed_critical=True),
        rule="5a speed",
        chain=("groq/*",),
    ),
)
