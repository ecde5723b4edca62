"""The worked examples: what the shipped rules must answer, with all keys present, all healthy and quotas full."""

from __future__ import annotations

import pytest

from router_service.core.budget import BudgetStanding
from router_service.core.plan import Plan
from router_service.core.quota import QuotaStanding
from router_service.core.request import Request, Routing
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from tests.core.decision.default_rules import POLICY, RULES, catalogue
from tests.core.decision.making import OVER, asked, candidate, decided, ids, refused, viewed

TARGETS = catalogue()
USD = 1_000_000_000
CAPS = BudgetStanding(request_limits={"anthropic": USD // 2, "openai": USD // 2})
WINDOWS = {
    name: QuotaStanding(provider=name, remaining_share=1.0, is_free=True) for name in ("groq", "mistral", "openrouter")
}
LOW, MEDIUM, HIGH = BudgetTier.LOW, BudgetTier.MEDIUM, BudgetTier.HIGH


def answered(request: Request, *, without: str = "") -> Plan:
    kept = [t for t in TARGETS if not without or t.provider.name != without]
    return decided(request, viewed(*kept, policy=POLICY, budget=CAPS, quotas=WINDOWS))


@pytest.mark.parametrize(
    ("request_", "rule", "chain"),
    [
        pytest.param(
            asked(Routing(task_type=TaskType.CHAT, budget_tier=LOW), tokens=2000),
            "18 chat, low",
            ["deepseek/chat", "mistral/small", "gemini/flash"],
            id="chat-low-budget",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.REASONING, budget_tier=HIGH)),
            "13 reasoning, dear",
            ["anthropic/opus", "openai/gpt", "deepseek/reasoner"],
            id="reasoning-high-budget",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.RAG, budget_tier=MEDIUM)),
            "8 rag",
            ["cohere/command", "anthropic/sonnet", "openai/gpt", "openrouter/free-r1"],
            id="rag-medium-budget",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.SUMMARIZATION, budget_tier=MEDIUM), tokens=500_000),
            "6 very long",
            ["gemini/flash", "vertex/flash"],
            id="a-very-long-summary",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.CLASSIFICATION)),
            "3 classification",
            ["ollama/llama-8b", "groq/gpt-oss-120b"],
            id="classification",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.REASONING, environment=Environment.DEVELOPMENT)),
            "5 development",
            ["ollama/llama-8b"],
            id="reasoning-in-development",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.CHAT, speed_critical=True)),
            "5a fast",
            ["groq/gpt-oss-120b"],
            id="speed-critical-chat-in-production",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.SIMPLE_QA, strategy="cost_optimized")),
            "",
            ["ollama/llama-8b"],
            id="simple-question-at-the-least-cost",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.CODE_GENERATION, strategy="quality_optimized")),
            "",
            ["anthropic/opus"],
            id="code-of-the-best-quality",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.EMBEDDING), tokens=100),
            "2 embedding",
            ["ollama/nomic-embed-text", "ollama/all-minilm"],
            id="embedding",
        ),
    ],
)
def test_example(request_: Request, rule: str, chain: list[str]) -> None:
    found = answered(request_)
    assert found.rule == rule
    assert ids(found)[: len(chain)] == chain


def test_eu_with_compliance_goes_to_the_eu_and_nowhere_else() -> None:
    routing = Routing(task_type=TaskType.CHAT, budget_tier=MEDIUM, region="eu", requires_compliance=True)
    found = answered(asked(routing))
    assert found.rule == "12 eu compliance"
    assert [id.partition("/")[0] for id in ids(found)] == ["mistral", "azure", "mistral"]
    assert {refused(found, t.id)[0] for t in TARGETS if t.provider.name not in ("mistral", "azure")} == {
        "CAPABILITY",
        "REGION",
    }


def test_a_very_long_summary_says_whose_window_or_cap_is_too_small() -> None:
    found = answered(asked(Routing(task_type=TaskType.SUMMARIZATION, budget_tier=MEDIUM), tokens=500_000))
    assert refused(found, "anthropic/sonnet")[0] == "CONTEXT_WINDOW"
    assert "window of 200 000 tokens" in refused(found, "anthropic/sonnet")[1]
    reason, detail = refused(found, "openai/gpt")
    assert reason == "COST_PER_REQUEST"
    assert "the bound for one request to openai of 0.50 USD" in detail


def test_without_a_local_one_the_cheapest_capable_answers() -> None:
    routing = Routing(
        task_type=TaskType.SIMPLE_QA,
        strategy="cost_optimized",
        denied_providers=frozenset({"openrouter", "groq", "mistral", "deepseek", "fireworks"}),
    )
    assert ids(answered(asked(routing), without="ollama"))[0] == "together/llama-70b"


def test_three_bounds_refuse_together_and_the_widest_one_lets_the_best_through() -> None:
    def request(max_latency_s: float) -> Request:
        routing = Routing(
            task_type=TaskType.ANALYSIS,
            strategy="balanced",
            max_cost_usd_nanos=USD // 100,
            min_quality=0.75,
            max_latency_s=max_latency_s,
        )
        return asked(routing, tokens=1000, output=400)

    narrow = answered(request(1.0))
    assert narrow.targets == ()
    assert {reason.name for reason in narrow.rejected_counts} == {
        "CAPABILITY",
        "QUALITY",
        "COST_PER_REQUEST",
        "LATENCY",
    }
    wide = answered(request(3.0))
    best = candidate(wide, ids(wide)[0])
    assert best.estimate is not None
    assert best.estimate.quality >= 0.75
    assert best.estimate.latency_s <= 3.0
    assert best.estimate.cost_usd_nanos is not None
    assert best.estimate.cost_usd_nanos <= USD // 100
    assert best.target.id == "deepseek/chat"


def test_embeddings_are_local_or_refused_unless_paid_ones_are_allowed() -> None:
    assert answered(asked(Routing(task_type=TaskType.EMBEDDING), tokens=100), without="ollama").targets == ()
    paid = Routing(task_type=TaskType.EMBEDDING, allow_paid_embeddings=True)
    assert ids(answered(asked(paid, tokens=100), without="ollama")) == ["openai/text-embedding-3-small"]


def test_over_budget_only_what_is_free_is_left() -> None:
    view = viewed(*TARGETS, policy=POLICY, budget=OVER)
    found = decided(asked(Routing(task_type=TaskType.CHAT)), view)
    assert found.rule == "1 over budget"
    assert {t.provider.name for t in found.targets} == {"ollama", "openrouter"}


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (asked(Routing(speed_critical=True, prefer_cheap=True)), "4 fast and cheap"),
        (asked(tokens=40_000), "7 long"),
        (asked(Routing(task_type=TaskType.SUMMARIZATION), tokens=9_000), "7 long summary"),
        (asked(Routing(task_type=TaskType.WEB_SEARCH)), "9 web search"),
        (asked(Routing(task_type=TaskType.VISION)), "10 vision"),
        (asked(Routing(requires_sla=True)), "11 sla"),
        (asked(Routing(task_type=TaskType.REASONING, complexity=Complexity.COMPLEX)), "13 reasoning, complex"),
        (asked(Routing(task_type=TaskType.CODE_GENERATION, complexity=Complexity.COMPLEX)), "14 code, complex"),
        (asked(Routing(complexity=Complexity.COMPLEX), labels={"refactoring": "true"}), "14 refactoring, complex"),
        (asked(Routing(task_type=TaskType.TESTING)), "15 testing"),
        (asked(Routing(task_type=TaskType.DOCUMENTATION)), "16 documentation"),
        (asked(Routing(task_type=TaskType.CHAT), labels={"technical": "true"}), "17 chat, technical"),
        (asked(Routing(task_type=TaskType.CHAT, complexity=Complexity.SIMPLE)), "19 simple"),
        (asked(Routing(task_type=TaskType.SUMMARIZATION, complexity=Complexity.SIMPLE)), "19 short summary"),
        (asked(Routing(task_type=TaskType.CODE_GENERATION, complexity=Complexity.SIMPLE)), "20 simple code"),
        (asked(Routing(task_type=TaskType.CODE_GENERATION, complexity=Complexity.MEDIUM)), "21 medium code"),
        (asked(Routing(task_type=TaskType.ANALYSIS, complexity=Complexity.MEDIUM)), "22 medium"),
        (asked(Routing(task_type=TaskType.CODE_GENERATION)), "23 code"),
        (asked(Routing(task_type=TaskType.CHAT)), "24 chat"),
        (asked(Routing(task_type=TaskType.TRANSLATION)), ""),
        (asked(), ""),
    ],
)
def test_each_rule_is_met_and_its_first_usable_choice_serves(request_: Request, rule: str) -> None:
    found = answered(request_)
    assert found.rule == rule
    assert found.targets
    prefer = next((r.prefer for r in RULES if r.name == rule), ())
    if prefer:
        assert candidate(found, ids(found)[0]).preference_class == 0
        assert f"the rule {rule!r} prefers {prefer[0]}" in found.reason
