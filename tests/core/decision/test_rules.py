"""Rules: which one applies, whom it keeps, whom it puts first, and what a strategy that is named leaves of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router_service.core.catalog import Provider, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule, selects
from router_service.core.inference import Inference
from router_service.core.plan import Plan, View
from router_service.core.quota import QuotaStanding
from router_service.core.request import Request, Routing
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from tests.core.decision.making import OVER, asked, decided, ids, made, refused, viewed

CHEAP, DEAR = made("a/cheap", price=0.1, region="eu"), made("b/dear", price=40, region="eu")
LOCAL = made("l/local", tier="local")
CHAT = frozenset({TaskType.CHAT})


def ruled(when: Conditions, *, only: tuple[str, ...] = (), prefer: tuple[str, ...] = ("b",)) -> Policy:
    return Policy(exploration=0, rules=(Rule(name="r", when=when, only=only, prefer=prefer),))


def view(policy: Policy, *, is_over: bool = False) -> View:
    return viewed(CHEAP, DEAR, policy=policy, budget=OVER if is_over else None)


@pytest.mark.parametrize(
    ("when", "matching", "other"),
    [
        (Conditions(tasks=CHAT), asked(Routing(task_type=TaskType.CHAT)), asked(Routing(task_type=TaskType.RAG))),
        (Conditions(tasks=CHAT), asked(Routing(task_type=TaskType.CHAT)), asked()),
        (
            Conditions(complexities=frozenset({Complexity.COMPLEX})),
            asked(Routing(complexity=Complexity.COMPLEX)),
            asked(),
        ),
        (Conditions(complexities=frozenset({None})), asked(), asked(Routing(complexity=Complexity.SIMPLE))),
        (Conditions(over_input_tokens=32_000), asked(tokens=32_001), asked(tokens=32_000)),
        (Conditions(max_input_tokens=8_000), asked(tokens=8_000), asked(tokens=8_001)),
        (
            Conditions(budget_tiers=frozenset({BudgetTier.UNLIMITED})),
            asked(Routing(budget_tier=BudgetTier.UNLIMITED)),
            asked(),
        ),
        (Conditions(regions=frozenset({""})), asked(), asked(Routing(region="eu"))),
        (Conditions(regions=frozenset({"eu"})), asked(Routing(region="EU")), asked()),
        (
            Conditions(environments=frozenset({Environment.DEVELOPMENT})),
            asked(Routing(environment=Environment.DEVELOPMENT)),
            asked(),
        ),
        (Conditions(tenants=frozenset({"web"})), asked(tenant="web"), asked(tenant="batch")),
        (Conditions(labels={"team": "x"}), asked(labels={"team": "x", "b": "c"}), asked(labels={"team": "y"})),
        (Conditions(is_speed_critical=True), asked(Routing(speed_critical=True)), asked()),
        (Conditions(prefers_cheap=True), asked(Routing(prefer_cheap=True)), asked()),
        (Conditions(is_technical=True), asked(labels={"technical": "true"}), asked(labels={"technical": "no"})),
        (Conditions(is_refactoring=True), asked(labels={"refactoring": "true"}), asked()),
        (Conditions(is_technical=False), asked(), asked(labels={"technical": "true"})),
        (
            Conditions(tasks=CHAT, over_input_tokens=10),
            asked(Routing(task_type=TaskType.CHAT), tokens=11),
            asked(Routing(task_type=TaskType.CHAT), tokens=10),
        ),
    ],
)
def test_condition(when: Conditions, matching: Request, other: Request) -> None:
    found = decided(matching, view(ruled(when)))
    assert (found.rule, ids(found)) == ("r", ["b/dear", "a/cheap"])
    found = decided(other, view(ruled(when)))
    assert (found.rule, ids(found)) == ("", ["a/cheap", "b/dear"])


def test_a_rule_for_a_region_holds_for_its_parts() -> None:
    policy = ruled(Conditions(regions=frozenset({"eu"})))
    here = [made("a/cheap", price=0.1, region="eu-west-1"), made("b/dear", price=40, region="eu-west-1")]
    found = decided(asked(Routing(region="EU-West")), viewed(*here, policy=policy))
    assert (found.rule, ids(found)) == ("r", ["b/dear", "a/cheap"])


def test_conditions_on_the_budget_and_on_compliance_and_sla() -> None:
    over = ruled(Conditions(is_over_budget=True))
    assert decided(asked(), view(over, is_over=True)).rule == "r"
    assert decided(asked(), view(over)).rule == ""
    assert decided(asked(Routing(requires_sla=True)), view(ruled(Conditions(requires_sla=True)))).rule == "r"
    compliant = ruled(Conditions(requires_compliance=True))
    assert decided(asked(Routing(requires_compliance=True)), view(compliant)).rule == "r"
    assert decided(asked(Routing(required_compliance=frozenset({"soc2"}))), view(compliant)).rule == "r"
    assert decided(asked(), view(compliant)).rule == ""
    paid = ruled(Conditions(allows_paid_embeddings=False))
    assert decided(asked(Routing(allow_paid_embeddings=True)), view(paid)).rule == ""


def test_the_first_rule_that_matches_applies_also_one_that_prefers_nobody() -> None:
    rules = (
        Rule(name="none", when=Conditions(tasks=CHAT)),
        Rule(name="all", when=Conditions(), prefer=("b",)),
    )
    policy = Policy(exploration=0, rules=rules)
    found = decided(asked(Routing(task_type=TaskType.CHAT)), view(policy))
    assert (found.rule, ids(found)) == ("none", ["a/cheap", "b/dear"])
    assert decided(asked(), view(policy)).rule == "all"


def test_prefer_ranks_in_its_order_before_all_others_and_points_decide_inside_a_rank() -> None:
    targets = (made("a/1", price=9), made("a/2", price=8), made("b/3", price=1), made("c/4", price=0.1))
    policy = Policy(exploration=0, rules=(Rule(name="r", when=Conditions(), prefer=("a", "b")),))
    found = decided(asked(), viewed(*targets, policy=policy))
    assert ids(found) == ["a/2", "b/3", "c/4", "a/1"], "across providers first"
    assert {c.target.id: c.preference_class for c in found.candidates} == {"a/1": 0, "a/2": 0, "b/3": 1, "c/4": 2}


def test_only_keeps_its_targets_alone_and_ranks_nobody() -> None:
    policy = ruled(Conditions(), only=("b", "l"), prefer=())
    found = decided(asked(), viewed(CHEAP, DEAR, LOCAL, policy=policy))
    assert ids(found) == ["l/local", "b/dear"]
    assert refused(found, "a/cheap") == ("RULE", "the rule 'r' keeps to b, l")


def test_only_without_anybody_left_refuses() -> None:
    found = decided(asked(), viewed(CHEAP, DEAR, policy=ruled(Conditions(), only=("tier:local",), prefer=())))
    assert found.targets == ()
    assert found.reason == "No target may serve this request: 2 by rule."


def test_only_what_is_free_follows_the_windows() -> None:
    policy = ruled(Conditions(is_over_budget=True), only=("tier:local", "free"), prefer=())
    quotas = {"b": QuotaStanding(provider="b", is_free=True)}
    over = OVER
    found = decided(asked(), viewed(CHEAP, DEAR, LOCAL, policy=policy, budget=over, quotas=quotas))
    assert set(ids(found)) == {"b/dear", "l/local"}


@pytest.mark.parametrize("only", [(), ("a", "b")])
def test_a_strategy_that_is_named_skips_what_rules_prefer_but_never_what_they_keep_to(only: tuple[str, ...]) -> None:
    policy = ruled(Conditions(), only=only, prefer=("b",))
    found = decided(asked(Routing(strategy="points")), viewed(CHEAP, DEAR, LOCAL, policy=policy))
    assert found.rule == ("r" if only else "")
    assert ids(found) == (["a/cheap", "b/dear"] if only else ["a/cheap", "l/local", "b/dear"])


@pytest.mark.parametrize(
    ("selector", "is_selected"),
    [
        ("groq", True),
        ("gro", False),
        ("groq/openai/gpt-oss-120b", True),
        ("groq/*oss*", True),
        ("groq/*llama*", False),
        ("*/openai/*", True),
        ("openai/gpt-oss-120b", True),
        ("fast", True),
        ("tier:fast_cloud", True),
        ("tier:local", False),
        ("role:default", True),
        ("role:complex", False),
        ("region:eu", True),
        ("region:EU", True),
        ("region:eu-west", False),
        ("compliance:gdpr", True),
        ("compliance:hipaa", False),
        ("open_weights", True),
        ("free", False),
    ],
)
def test_selector(selector: str, is_selected: bool) -> None:
    provider = Provider(name="groq", dialect="openai", base_url="", open_weights=True)
    target = made(
        "groq/openai/gpt-oss-120b",
        tier="fast_cloud",
        region="eu",
        compliance="gdpr",
        roles="default",
        provider=provider,
    )
    target = Target(target.provider, replace(target.model, aliases=("fast",)))
    assert selects(selector, target, is_free=False) is is_selected


def test_self_hosted_come_first_when_that_is_wished_then_open_weights_then_the_rules_order() -> None:
    open_ = made("o/open", price=30, provider=Provider(name="o", dialect="openai", base_url="", open_weights=True))
    policy = ruled(Conditions(), prefer=("b",))
    found = decided(asked(Routing(prefer_self_hosted=True)), viewed(CHEAP, DEAR, LOCAL, open_, policy=policy))
    assert ids(found) == ["l/local", "o/open", "b/dear", "a/cheap"]


def inferred(task: TaskType | None, confidence: float, complexity: Complexity | None, sure: float) -> Inference:
    return Inference(
        task=task,
        complexity=complexity,
        confidence=confidence,
        complexity_confidence=sure,
        is_technical=True,
        is_refactoring=False,
    )


@pytest.mark.parametrize(
    ("routing", "inference", "task", "complexity", "is_inferred", "confidence"),
    [
        (Routing(), None, None, None, False, None),
        (Routing(), inferred(TaskType.CHAT, 0.9, Complexity.SIMPLE, 0.9), "chat", "simple", True, 0.9),
        (Routing(), inferred(TaskType.CHAT, 0.9, Complexity.SIMPLE, 0.3), "chat", None, True, 0.9),
        (Routing(), inferred(TaskType.CHAT, 0.2, Complexity.SIMPLE, 0.3), None, None, False, 0.2),
        (Routing(), inferred(None, 0.3, Complexity.SIMPLE, 0.9), None, "simple", True, 0.3),
        (
            Routing(task_type=TaskType.RAG, complexity=Complexity.MEDIUM),
            inferred(TaskType.CHAT, 0.9, Complexity.SIMPLE, 0.9),
            "rag",
            "medium",
            False,
            None,
        ),
        (
            Routing(task_type=TaskType.RAG),
            inferred(TaskType.CHAT, 0.9, Complexity.SIMPLE, 0.9),
            "rag",
            "simple",
            True,
            0.9,
        ),
    ],
)
def test_inference_counts_above_a_confidence_and_only_for_what_was_left_out(
    routing: Routing,
    inference: Inference | None,
    task: str | None,
    complexity: str | None,
    is_inferred: bool,
    confidence: float | None,
) -> None:
    found = _with_inference(routing, inference)
    assert (found.task_type and found.task_type.value) == task
    assert (found.complexity and found.complexity.value) == complexity
    assert (found.is_inferred, found.inference_confidence) == (is_inferred, confidence)


def _with_inference(routing: Routing, inference: Inference | None) -> Plan:
    return decided(replace(asked(routing), inference=inference), view(Policy(exploration=0)))


def test_the_servers_settings_fill_in_what_the_request_leaves_out() -> None:
    policy = Policy(exploration=0, region="eu", environment=Environment.DEVELOPMENT, budget_tier=BudgetTier.LOW)
    here, there = made("a/here", region="eu"), made("b/there", region="us")
    found = decided(asked(), viewed(here, there, made("c/dear", region="eu", price=2), policy=policy))
    assert ids(found) == ["a/here"]
    assert found.decision.question.profile.environment is Environment.DEVELOPMENT
    found = decided(asked(Routing(region="us", budget_tier=BudgetTier.HIGH)), viewed(here, there, policy=policy))
    assert ids(found) == ["b/there"]
