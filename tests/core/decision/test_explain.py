"""A plan that explains itself: the chosen target, its estimate, every candidate, and the sentence."""

from __future__ import annotations

from dataclasses import replace

from router_service.core.decision.points import FACTORS
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.health import State
from router_service.core.plan import Standing
from router_service.core.quota import QuotaStanding
from router_service.core.request import Routing
from router_service.core.task import Complexity, TaskType
from tests.core.decision.making import STILL, asked, candidate, decided, factor, ids, made, speed, viewed

A = made("a/x", price=(0.15, 0.6), paced=speed(0.2, 500), tasks={TaskType.CHAT: 0.8}, context=4000)
B, C = made("b/y", price=2.0), made("c/z", region="us")
CHAT = Routing(task_type=TaskType.CHAT, complexity=Complexity.SIMPLE, denied_providers=frozenset({"c"}))


def test_plan_tells_what_was_decided() -> None:
    found = decided(asked(CHAT, tokens=1000, output=100), viewed(A, B, C))
    assert (found.strategy, found.rule, found.is_inferred) == ("points", "", False)
    assert (found.task_type, found.complexity) == (TaskType.CHAT, Complexity.SIMPLE)
    assert found.estimate is not None
    assert found.estimate.cost_usd_nanos == 1000 * 150 + 100 * 600
    assert found.estimate.blended_usd_nanos_per_million == 262_500_000
    assert found.estimate.latency_s == 0.4
    assert found.estimate.quality == 0.85
    assert [c.target.id for c in found.candidates] == ["a/x", "b/y", "c/z"]
    assert sum(found.rejected_counts.values()) == 1


def test_the_sentence_names_points_factors_others_and_rejections() -> None:
    found = decided(asked(CHAT, tokens=1000, output=100), viewed(A, B, C))
    assert found.reason == (
        f"a/x has {candidate(found, 'a/x').score:.1f} points, most of them for health 25.0, quota 20.0, cost 17.2; "
        "1 more could serve; rejected: 1 by provider not allowed."
    )
    rules = (Rule(name="chat first", when=Conditions(), prefer=("b", "a")),)
    found = decided(asked(CHAT), viewed(A, B, C, policy=replace(STILL, rules=rules)))
    assert "the rule 'chat first' prefers b, a" in found.reason
    assert "prefers b, a;" in found.reason
    alone = decided(asked(CHAT), viewed(A))
    assert alone.reason.endswith("; no other may serve.")
    kept = (Rule(name="a alone", when=Conditions(), only=("a",)),)
    assert "keeps to a;" in decided(asked(CHAT), viewed(A, B, policy=replace(STILL, rules=kept))).reason


def test_the_sentence_names_no_factor_that_earned_nothing() -> None:
    found = decided(asked(replace(CHAT, weights=dict.fromkeys(FACTORS, 0.0))), viewed(A, B))
    assert found.reason == "a/x has 0.0 points; 1 more could serve."
    found = decided(asked(replace(CHAT, weights={**dict.fromkeys(FACTORS, 0.0), "cost": 1.0})), viewed(A, B))
    assert ", most of them for cost " in found.reason
    assert "quota" not in found.reason


def test_a_preference_that_nobody_meets_is_told_as_such() -> None:
    policy = replace(STILL, rules=(Rule(name="c first", when=Conditions(), prefer=("c", "b")),))
    found = decided(asked(replace(CHAT, denied_providers=frozenset({"c", "b"}))), viewed(A, B, C, policy=policy))
    assert "the rule 'c first' prefers c, b, of whom none may serve;" in found.reason
    assert candidate(found, "a/x").preference_class == 2, "it is none of the preferred"
    idle = {"b/y": Standing(state=State.DEGRADED, traffic_share=0.0)}
    found = decided(asked(CHAT), viewed(A, B, C, policy=policy, standings=idle))
    assert "prefers c, b, which come behind it this time;" in found.reason
    assert candidate(found, "a/x").preference_class < candidate(found, "b/y").preference_class


def test_nobody_to_choose_from() -> None:
    found = decided(asked(), viewed())
    assert (found.targets, found.candidates, found.estimate) == ((), (), None)
    assert found.reason == "No target may serve this request: none is there."


def test_notes_say_the_value_in_words() -> None:
    target = made("a/x", price=None, capabilities="tools")
    view = viewed(
        target,
        quotas={"a": QuotaStanding(provider="a", remaining_share=0.625)},
        standings={"a/x": Standing(state=State.DEGRADED, traffic_share=0.1)},
        statistics={"a/x": TargetStatistics(success_rate_lower=0.7, consecutive_failures=1)},
    )
    routing = Routing(preferred_capabilities=frozenset({"tools", "vision"}))
    found = decided(asked(routing), view)
    notes = {f.name: f.note for f in candidate(found, "a/x").factors}
    assert "the price is unknown" in notes["cost"]
    assert notes["quota"] == "62.5 % of the tightest window left"
    assert notes["health"] == (
        "share of successes that is certain; 1 failures in a row; no fresh evidence; degraded, 10 % of the traffic"
    )
    assert notes["latency"].startswith("seconds to the end of the answer; ")
    assert notes["task_match"] == "match for a task that is not known, from 0 to 1"
    assert notes["environment"] == "points of a hosted target in production"
    assert notes["capabilities"] == "share of what is preferred: tools, vision"
    assert factor(found, "a/x", "quota").value == 0.625


def test_another_strategys_score_stands_before_the_points() -> None:
    found = decided(asked(Routing(strategy="quality_optimized")), viewed(A, B))
    first = candidate(found, ids(found)[0])
    assert first.factors[0].name == "quality_optimized"
    assert first.factors[0].points == first.score
    assert len(first.factors) == 8


def test_a_plan_explains_nothing_until_it_is_asked() -> None:
    found = decided(asked(), viewed(A, B))
    assert not {"candidates", "rejected", "reason", "estimate"} & set(vars(found))
    assert found.candidates is found.candidates


def test_what_was_prepared_for_another_policy_is_not_used() -> None:
    view = viewed(A, B)
    other = replace(view, policy=Policy(exploration=0, strategy="quality_optimized"))
    assert decided(asked(), other).strategy == "quality_optimized"
    assert decided(asked(), replace(view, prepared=None)).strategy == "points"
