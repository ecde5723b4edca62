"""The table of points, row by row: what each factor earns, on scales that no other candidate moves."""

from __future__ import annotations

import pytest

from router_service.core.catalog import Provider
from router_service.core.decision.policy import EnvironmentPoints, Policy
from router_service.core.decision.statistics import UNPROVEN_LOWER, ObservedQuality, TargetStatistics
from router_service.core.quota import Limit, QuotaStanding, Unit
from router_service.core.request import Routing
from router_service.core.task import Complexity, Environment, TaskType
from router_service.core.windows import Per
from tests.core.decision.making import asked, candidate, decided, factor, made, speed, viewed

FACTORS = ["cost", "quota", "health", "latency", "task_match", "environment", "capabilities"]


@pytest.mark.parametrize(
    ("price", "tokens", "output", "expected"),
    [
        pytest.param(0.0, 1000, 100, 30, id="no-price"),
        pytest.param(0.02, 1000, 100, 24, id="the-cheap-end"),
        pytest.param(0.001, 1000, 100, 24, id="below-it"),
        pytest.param(60.0, 1000, 100, 0, id="the-dear-end"),
        pytest.param(500.0, 1000, 100, 0, id="beyond-it"),
        pytest.param(1.0954451150103321, 1000, 100, 12, id="the-middle-of-a-log-scale"),
        pytest.param((1.0, 9.0), 300, 100, 24 * (1 - 0.6291), id="three-to-one-is-the-blended-price-of-3"),
        pytest.param((0.02, 60.0), 10**9, 1, 24, id="the-mix-of-the-request-all-input"),
    ],
)
def test_cost(price: float | tuple[float, float], tokens: int, output: int, expected: float) -> None:
    found = decided(asked(tokens=tokens, output=output), viewed(made("a/x", price=price)))
    assert factor(found, "a/x", "cost").points == pytest.approx(expected, abs=0.08)
    assert factor(found, "a/x", "cost").max_points == 30


@pytest.mark.parametrize("tier", ["local", "gateway"])
def test_cost_of_what_is_local_or_in_its_free_window_is_nothing(tier: str) -> None:
    quotas = {} if tier == "local" else {"a": QuotaStanding(provider="a", is_free=True)}
    found = decided(asked(), viewed(made("a/x", price=60.0, tier=tier), quotas=quotas))
    assert factor(found, "a/x", "cost").points == 30
    assert found.estimate is not None
    assert (found.estimate.cost_usd_nanos, found.estimate.blended_usd_nanos_per_million) == (0, 0)


def test_a_free_window_that_nobody_counts_is_open_to_the_models_that_share_it_alone() -> None:
    window = Limit(unit=Unit.REQUESTS, per=Per.DAY, max=200, models=frozenset({"free"}))
    provider = Provider(name="a", dialect="openai", base_url="", free=window)
    found = decided(
        asked(), viewed(made("a/free", price=60.0, provider=provider), made("a/dear", price=60.0, provider=provider))
    )
    assert factor(found, "a/free", "cost").points == 30
    assert factor(found, "a/dear", "cost").points == 0


def test_unknown_price_ranks_as_the_dearest_of_its_provider_and_is_not_told_as_a_cost() -> None:
    view = viewed(
        made("a/dear", price=20), made("a/cheap", price=0.1), made("a/x", price=None), made("b/y", price=None)
    )
    found = decided(asked(), view)
    assert factor(found, "a/x", "cost").points == factor(found, "a/dear", "cost").points
    assert factor(found, "b/y", "cost").points == 0
    unknown = candidate(found, "a/x").estimate
    assert unknown is not None
    assert unknown.cost_usd_nanos is None


@pytest.mark.parametrize(
    ("share", "window_left", "pacing", "expected"),
    [
        pytest.param(None, 0.0, False, 20, id="no-limit"),
        pytest.param(1.0, 1.0, False, 20, id="full"),
        pytest.param(0.06, 0.9, False, 20, id="full-until-the-last-twentieth"),
        pytest.param(0.05, 0.9, False, 20, id="at-the-last-twentieth"),
        pytest.param(0.025, 0.9, False, 10, id="half-of-it"),
        pytest.param(0.0, 0.9, False, 0, id="nothing-left"),
        pytest.param(0.4, 0.8, True, 10, id="paced-used-twice-as-fast-as-time-goes"),
        pytest.param(0.8, 0.8, True, 20, id="paced-in-step"),
        pytest.param(0.025, 0.0, True, 10, id="paced-at-the-end-of-its-window"),
    ],
)
def test_quota(share: float | None, window_left: float, pacing: bool, expected: float) -> None:
    target = made("a/x", provider=Provider(name="a", dialect="openai", base_url="", pacing=pacing))
    quotas = {"a": QuotaStanding(provider="a", remaining_share=share, window_left_share=window_left)}
    assert factor(decided(asked(), viewed(target, quotas=quotas)), "a/x", "quota").points == pytest.approx(expected)


def test_quota_of_a_target_with_its_own_window_is_that_windows() -> None:
    quotas = {
        "a": QuotaStanding(provider="a", remaining_share=1.0),
        "a/x": QuotaStanding(provider="a", remaining_share=0.0, has_room=False),
    }
    found = decided(asked(), viewed(made("a/x"), made("a/y"), quotas=quotas))
    assert [t.id for t in found.targets] == ["a/y"]
    assert factor(found, "a/y", "quota").points == 20


@pytest.mark.parametrize(
    ("lower", "failures", "is_fresh", "expected"),
    [
        (0.95, 0, True, 30),
        (0.80, 0, True, 30),
        (0.65, 0, True, 15),
        (0.50, 0, True, 0),
        (0.35, 0, True, -15),
        (0.10, 0, True, -30),
        (0.95, 1, True, 20),
        (0.95, 9, True, -30),
        (0.65, 0, False, 10),
        (0.10, 0, False, -30),
        (UNPROVEN_LOWER, 0, False, 25),
    ],
)
def test_health(lower: float, failures: int, is_fresh: bool, expected: float) -> None:
    statistics = TargetStatistics(success_rate_lower=lower, consecutive_failures=failures, has_fresh_evidence=is_fresh)
    found = decided(asked(), viewed(made("a/x"), statistics={"a/x": statistics}))
    assert factor(found, "a/x", "health").points == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first_s", "tokens_per_second", "expected"),
    [(0.1, 1e9, 10), (0.2, 1e9, 10), (2.0, 1e9, 5), (20.0, 1e9, 0), (90.0, 1e9, 0), (1.7, 1000, 5)],
)
def test_latency_is_that_to_the_end_of_the_answer(first_s: float, tokens_per_second: float, expected: float) -> None:
    found = decided(asked(output=300), viewed(made("a/x", paced=speed(first_s, tokens_per_second))))
    assert factor(found, "a/x", "latency").points == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("task", "complexity", "tags", "roles", "expected"),
    [
        pytest.param(TaskType.REASONING, None, {TaskType.REASONING: 1.0}, "", 15, id="tagged"),
        pytest.param(TaskType.REASONING, None, {TaskType.REASONING: 0.6}, "", 9, id="tagged-in-part"),
        pytest.param(TaskType.REASONING, None, {TaskType.CHAT: 1.0}, "", 0, id="tagged-for-something-else"),
        pytest.param(TaskType.REASONING, None, {}, "", 7.5, id="untagged-is-neither-best-nor-worst"),
        pytest.param(None, None, {TaskType.CHAT: 1.0}, "", 7.5, id="task-not-known"),
        pytest.param(None, None, {TaskType.GENERAL: 0.2}, "", 3, id="task-not-known-and-tagged-as-a-specialist"),
        pytest.param(TaskType.CHAT, Complexity.COMPLEX, {TaskType.CHAT: 1.0}, "complex", 15, id="role-fits"),
        pytest.param(TaskType.CHAT, Complexity.COMPLEX, {TaskType.CHAT: 1.0}, "default", 7.5, id="role-for-another"),
        pytest.param(TaskType.CHAT, Complexity.SIMPLE, {TaskType.CHAT: 1.0}, "reasoning", 7.5, id="too-much"),
        pytest.param(TaskType.CHAT, Complexity.MEDIUM, {TaskType.CHAT: 1.0}, "default", 15, id="medium-is-for-all"),
        pytest.param(TaskType.CHAT, Complexity.COMPLEX, {TaskType.CHAT: 1.0}, "", 15, id="no-role-says-nothing"),
    ],
)
def test_task_match(
    task: TaskType | None, complexity: Complexity | None, tags: dict[TaskType, float], roles: str, expected: float
) -> None:
    routing = Routing(task_type=task, complexity=complexity)
    found = decided(asked(routing), viewed(made("a/x", tasks=tags, roles=roles)))
    assert factor(found, "a/x", "task_match").points == pytest.approx(expected)


@pytest.mark.parametrize(("mean", "samples", "expected"), [(0.9, 4, 10.5), (0.1, 4, 4.5), (1.0, 1e9, 15 * 0.9)])
def test_graded_answers_move_the_match_as_they_move_the_quality(mean: float, samples: float, expected: float) -> None:
    """The prior of 0.5 is worth four answers: four of 0.9 make it 0.7, and 0.2 more than before."""
    tags = {TaskType.CHAT: 0.4 if samples > 4 else 0.5}
    statistics = TargetStatistics(quality={TaskType.CHAT: ObservedQuality(mean, samples)})
    view = viewed(made("a/x", tasks=tags, quality=0.5), statistics={"a/x": statistics})
    found = decided(asked(Routing(task_type=TaskType.CHAT)), view)
    assert factor(found, "a/x", "task_match").points == pytest.approx(expected)


def test_where_speed_is_critical_latency_takes_the_place_of_the_match() -> None:
    target = made("a/x", tasks={TaskType.CHAT: 1.0}, paced=speed(2.0, 1e9))
    found = decided(asked(Routing(task_type=TaskType.CHAT, speed_critical=True)), viewed(target))
    assert factor(found, "a/x", "task_match").points == pytest.approx(7.5, abs=1e-4)


@pytest.mark.parametrize(
    ("environment", "tier", "expected"),
    [
        (Environment.PRODUCTION, "premium", 10),
        (Environment.PRODUCTION, "local", 0),
        (Environment.DEVELOPMENT, "premium", 0),
        (Environment.DEVELOPMENT, "local", 20),
    ],
)
def test_environment(environment: Environment, tier: str, expected: float) -> None:
    found = decided(asked(Routing(environment=environment)), viewed(made("a/x", tier=tier)))
    assert factor(found, "a/x", "environment").points == expected


def test_environment_points_are_configurable() -> None:
    policy = Policy(exploration=0, environment_points={Environment.PRODUCTION: EnvironmentPoints(hosted=3, local=20)})
    found = decided(asked(), viewed(made("a/x"), made("l/y", tier="local"), policy=policy))
    assert [factor(found, id, "environment").points for id in ("a/x", "l/y")] == [3, 20]


@pytest.mark.parametrize(
    ("has", "preferred", "required", "task", "expected"),
    [
        ("", "", "", None, 10),
        ("tools", "tools vision", "", None, 5),
        ("tools vision", "tools vision", "", None, 10),
        ("vision", "tools", "", None, 0),
        ("tools", "tools vision", "tools", None, 0),
        ("reasoning", "", "", TaskType.REASONING, 10),
        ("tools", "", "", TaskType.REASONING, 0),
        ("reasoning", "tools", "", TaskType.REASONING, 5),
    ],
)
def test_capabilities(has: str, preferred: str, required: str, task: TaskType | None, expected: float) -> None:
    routing = Routing(
        task_type=task,
        preferred_capabilities=frozenset(preferred.split()),
        required_capabilities=frozenset(required.split()),
    )
    found = decided(asked(routing), viewed(made("a/x", capabilities=has)))
    assert factor(found, "a/x", "capabilities").points == expected


@pytest.mark.parametrize("name", FACTORS)
def test_weights_multiply_a_factor_and_the_requests_replace_the_servers(name: str) -> None:
    policy = Policy(exploration=0, weights={name: 3.0})
    plain = factor(decided(asked(), viewed(made("a/x"))), "a/x", name)
    weighed = factor(decided(asked(), viewed(made("a/x"), policy=policy)), "a/x", name)
    replaced = factor(decided(asked(Routing(weights={name: 0.5})), viewed(made("a/x"), policy=policy)), "a/x", name)
    assert (weighed.points, weighed.max_points) == (3 * plain.points, 3 * plain.max_points)
    assert (replaced.points, replaced.max_points) == (plain.points / 2, plain.max_points / 2)


def test_score_is_the_sum_of_the_factors_in_the_order_of_the_table() -> None:
    routing = Routing(weights={"cost": 0.3, "latency": 2.0}, task_type=TaskType.CHAT)
    found = decided(asked(routing), viewed(made("a/x", price=3.0), made("l/y", tier="local")))
    for seen in found.candidates:
        assert [f.name for f in seen.factors] == FACTORS
        assert sum(f.points for f in seen.factors) == pytest.approx(seen.score)
        assert all(f.note for f in seen.factors)
