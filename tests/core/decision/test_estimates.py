"""Estimates: lengths, prices, times with their priors, congestion, and the chance to be done in time."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest

from router_service.core.catalog import Speed
from router_service.core.decision import words
from router_service.core.decision.appraisal import Estimate
from router_service.core.decision.estimates import Pace, chance, pace
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import input_tokens
from router_service.core.decision.statistics import UNPROVEN_LOWER, TargetStatistics, of_health
from router_service.core.health import Latency, TargetHealth
from router_service.core.request import Request, Routing
from router_service.core.task import TaskType
from tests.core.decision.making import asked, decided, made, refused, speed, viewed
from tests.core.examples import prompt

POLICY = Policy()


def estimated(request: Request, statistics: TargetStatistics | None = None, **changes: object) -> Estimate:
    target = made("a/x", price=(1.0, 2.0), paced=speed(0.5, 100))
    target = replace(target, model=replace(target.model, **changes))  # type: ignore[arg-type]
    found = decided(request, viewed(target, statistics={"a/x": statistics or TargetStatistics()})).estimate
    assert found is not None
    return found


@pytest.mark.parametrize(("given", "text", "expected"), [(None, "x" * 401, 101), (7, "x" * 400, 7), (0, "", 1)])
def test_input_tokens_are_the_given_ones_else_a_quarter_of_the_characters(
    given: int | None, text: str, expected: int
) -> None:
    assert input_tokens(replace(asked(), prompt=prompt(text), estimated_input_tokens=given)) == expected


@pytest.mark.parametrize(
    ("output", "learnt", "most", "paid", "latency_s"),
    [
        pytest.param(None, {}, None, 300, 3.5, id="usual-for-any-task"),
        pytest.param(None, {TaskType.CHAT: 100.0}, None, 100, 1.5, id="learnt-for-the-task"),
        pytest.param(None, {None: 50.0}, None, 50, 1.0, id="learnt-for-all-tasks"),
        pytest.param(4000, {TaskType.CHAT: 100.0}, None, 4000, 1.5, id="a-limit-is-paid-the-usual-is-waited-for"),
        pytest.param(50, {TaskType.CHAT: 100.0}, None, 50, 1.0, id="a-limit-under-the-usual"),
        pytest.param(4000, {}, 200, 200, 2.5, id="no-more-than-the-model-gives"),
    ],
)
def test_output_tokens(
    output: int | None, learnt: dict[TaskType | None, float], most: int | None, paid: int, latency_s: float
) -> None:
    request = asked(Routing(task_type=TaskType.CHAT), output=output, tokens=1000)
    found = estimated(request, TargetStatistics(output_tokens=learnt), max_output_tokens=most)
    assert found.output_tokens == paid
    assert found.latency_s == pytest.approx(latency_s)
    assert found.cost_usd_nanos == 1000 * (1000 * 1 + paid * 2)


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3])
def test_a_target_that_counts_other_tokens_costs_by_its_own_count(scale: float) -> None:
    found = estimated(asked(tokens=1000, output=10), TargetStatistics(input_token_scale=scale))
    assert found.input_tokens == 1000 * scale
    assert found.cost_usd_nanos == 1000 * (1000 * scale + 20)
    assert found.room == math.inf
    narrow = estimated(asked(tokens=1000, output=10), TargetStatistics(input_token_scale=scale), context_tokens=5000)
    assert narrow.room == pytest.approx(4990 / scale)


def test_a_vector_has_no_output() -> None:
    assert POLICY.usual_output_tokens(TaskType.EMBEDDING) == 0


@pytest.mark.parametrize(
    ("tier", "model", "measured", "expected"),
    [
        pytest.param("local", Speed(), TargetStatistics(), (0.16, 0.5, 1 / 30), id="local-prior"),
        pytest.param("fast_cloud", Speed(), TargetStatistics(), (0.17, 0.3, 1 / 200), id="fast-cloud-prior"),
        pytest.param("premium", Speed(), TargetStatistics(), (1.0, 2.0, 1 / 60), id="premium-prior"),
        pytest.param("unheard-of", Speed(), TargetStatistics(), (1.0, 2.0, 1 / 60), id="any-other-tier"),
        pytest.param("premium", speed(0.2, 500), TargetStatistics(), (0.2, 0.4, 1 / 500), id="the-catalogues-word"),
        pytest.param(
            "premium",
            speed(0.2, 500),
            TargetStatistics(time_to_first_token_p50_s=0.3, time_to_first_token_p90_s=0.9, seconds_per_token_p50=0.1),
            (0.3, 0.9, 0.1),
            id="measured",
        ),
        pytest.param(
            "premium",
            Speed(),
            TargetStatistics(time_to_first_token_p50_s=0.3, time_to_first_token_p90_s=0.4),
            (0.3, 0.4, 1 / 60),
            id="measured-in-part",
        ),
        pytest.param(
            "premium",
            Speed(),
            TargetStatistics(
                time_to_first_token_p50_s=0.3, time_to_first_token_p90_s=0.4, peak_time_to_first_token_s=0.39
            ),
            (0.3, 0.4, 1 / 60),
            id="a-peak-inside-the-usual-is-noise",
        ),
        pytest.param(
            "premium",
            Speed(),
            TargetStatistics(
                time_to_first_token_p50_s=0.3, time_to_first_token_p90_s=0.4, peak_time_to_first_token_s=3.0
            ),
            (3.0, 3.0, 1 / 60),
            id="a-peak-beyond-it-is-congestion",
        ),
    ],
)
def test_pace(tier: str, model: Speed, measured: TargetStatistics, expected: tuple[float, float, float]) -> None:
    found = pace(made("a/x", tier=tier, paced=model), measured, POLICY)
    assert (found.first_p50_s, found.first_p90_s, found.token_p50_s) == pytest.approx(expected)
    assert found.token_p90_s >= found.token_p50_s


def test_the_models_own_speed_goes_before_its_providers() -> None:
    target = made("a/x", paced=Speed(tokens_per_second=10))
    provider = replace(target.provider, speed=speed(0.05, 500))
    found = pace(replace(target, provider=provider), TargetStatistics(), POLICY)
    assert (found.first_p50_s, found.token_p50_s) == (0.05, 0.1)


@pytest.mark.parametrize("tokens", [0, 100])
def test_chance_agrees_with_a_simulation(tokens: int) -> None:
    rng = Random(1)
    seen = Pace(0.5, 1.2, 0.01, 0.015)
    sigmas = (math.log(1.2 / 0.5) / 1.28155, math.log(1.5) / 1.28155)
    times = sorted(
        rng.lognormvariate(math.log(0.5), sigmas[0]) + tokens * rng.lognormvariate(math.log(0.01), sigmas[1])
        for _ in range(20_000)
    )
    for share in (0.1, 0.5, 0.9):
        assert chance(seen, tokens, times[round(share * len(times))]) == pytest.approx(share, abs=0.025)


def test_chance_at_the_ends() -> None:
    steady = Pace(1.0, 1.0, 0.0, 0.0)
    assert [chance(steady, 10, left_s) for left_s in (-1.0, 0.0, 0.99, 1.0, 5.0)] == [0, 0, 0, 1, 1]
    assert chance(Pace(0.0, 0.0, 0.0, 0.0), 10, 0.1) == 1
    assert chance(Pace(1.0, 1e9, 0.0, 0.0), 0, 4.0) > 0.5, "percentiles far apart are held to a width"


def timed(first_s: float, tokens_per_second: float = 1000.0, length: float = 100.0) -> TargetStatistics:
    return TargetStatistics(
        has_fresh_evidence=True,
        time_to_first_token_p50_s=first_s,
        time_to_first_token_p90_s=2 * first_s,
        seconds_per_token_p50=1 / tokens_per_second,
        seconds_per_token_p90=2 / tokens_per_second,
        output_tokens={None: length},
    )


@pytest.mark.parametrize("floor", [0.05, 0.5, 0.9])
def test_the_deadline_decides_by_the_chance_to_meet_it(floor: float) -> None:
    policy = Policy(exploration=0, deadline_floor=floor)
    view = viewed(
        made("a/x", price=0.1), made("b/y", price=20), policy=policy, statistics={"a/x": timed(2.0), "b/y": timed(0.2)}
    )
    for left_s in (0.1, 0.5, 1.0, 2.0, 3.0, 10.0):
        found = decided(asked(time_left_s=left_s, output=100), view)
        chances = {
            "a/x": chance(Pace(2.0, 4.0, 0.001, 0.002), 100, left_s),
            "b/y": chance(Pace(0.2, 0.4, 0.001, 0.002), 100, left_s),
        }
        assert {t.id for t in found.targets} == {id for id, p in chances.items() if p >= floor}


@pytest.mark.parametrize(
    "learnt",
    [
        pytest.param(TargetStatistics(), id="nothing"),
        pytest.param(replace(timed(9.0, 10), has_fresh_evidence=False), id="nothing-fresh"),
        pytest.param(replace(timed(0.2, 10), seconds_per_token_p50=None), id="no-rate"),
        pytest.param(replace(timed(0.2, 10), output_tokens={}), id="no-length"),
        pytest.param(replace(timed(9.0, 1000), time_to_first_token_p50_s=None), id="no-first-token"),
    ],
)
def test_what_was_not_measured_refuses_nobody_but_goes_behind_those_who_are_likely(learnt: TargetStatistics) -> None:
    """The prior of a slow tier would else keep a fast target out for ever: only a call shows how fast it is."""
    slow, likely = made("a/slow", price=0, paced=speed(30.0, 10)), made("b/likely", price=50, paced=speed(0.1))
    alone = decided(asked(time_left_s=1.0), viewed(slow, statistics={"a/slow": learnt}))
    assert [t.id for t in alone.targets] == ["a/slow"]
    both = decided(asked(time_left_s=1.0), viewed(slow, likely, statistics={"a/slow": learnt}))
    assert [t.id for t in both.targets] == ["b/likely", "a/slow"]
    assert [t.id for t in decided(asked(), viewed(slow, likely)).targets] == ["a/slow", "b/likely"]


def test_what_was_measured_too_slow_is_refused_by_that_part_alone() -> None:
    """The first token was timed, the rate never: the first token alone is too late."""
    learnt = replace(timed(9.0), seconds_per_token_p50=None, output_tokens={})
    found = decided(asked(time_left_s=0.5), viewed(made("a/x"), statistics={"a/x": learnt}))
    assert refused(found, "a/x") == (
        "DEADLINE",
        "a chance of under 0.1 % to finish within 0.5 s is under the floor of 10 %",
    )


def test_statistics_of_health_fall_back_to_the_prior() -> None:
    assert of_health(TargetHealth(target="a/x")) == TargetStatistics(success_rate_lower=UNPROVEN_LOWER)
    assert pytest.approx(0.804, abs=0.001) == UNPROVEN_LOWER
    seen = of_health(
        TargetHealth(
            target="a/x",
            samples=12,
            success_rate_lower=0.9,
            consecutive_failures=1,
            in_flight=3,
            time_to_first_token=Latency(p50_s=0.2, p90_s=0.5),
            output_tokens_per_second=50,
        )
    )
    assert seen == TargetStatistics(
        success_rate_lower=0.9,
        consecutive_failures=1,
        has_fresh_evidence=True,
        time_to_first_token_p50_s=0.2,
        time_to_first_token_p90_s=0.5,
        seconds_per_token_p50=0.02,
        in_flight=3,
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.usd(0), "0.00 USD"),
        (words.usd(4_500_000_000), "4.50 USD"),
        (words.usd(1_234_567), "0.00123 USD"),
        (words.usd(150), "0.00000015 USD"),
        (words.tokens(200_000.4), "200 000 tokens"),
        (words.seconds(0.333), "0.33 s"),
        (words.seconds(90.4), "90 s"),
        (words.percent(0.0512), "5.12 %"),
    ],
)
def test_words(said: str, expected: str) -> None:
    assert said == expected


@pytest.mark.parametrize(
    ("other", "is_near"),
    [
        (timed(1.005), True),
        (replace(timed(1.0), success_rate_lower=UNPROVEN_LOWER - 0.001, consecutive_failures=0.01), True),
        (timed(1.03), False),
        (timed(1.0, tokens_per_second=900), False),
        (timed(1.0, length=110), False),
        (replace(timed(1.0), success_rate_lower=UNPROVEN_LOWER - 0.01), False),
        (replace(timed(1.0), consecutive_failures=1), False),
        (replace(timed(1.0), has_fresh_evidence=False), False),
        (replace(timed(1.0), in_flight=1), False),
        (replace(timed(1.0), time_to_first_token_p90_s=None), False),
        (replace(timed(1.0), output_tokens={}), False),
        (replace(timed(1.0), input_token_scale=1.02), False),
    ],
)
def test_evidence_that_only_ages_a_little_is_no_news(other: TargetStatistics, is_near: bool) -> None:
    assert timed(1.0).is_near(other) is other.is_near(timed(1.0)) is is_near
