"""The record of a target: what tallies and probes make of its state, its rates and its latencies."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from router_service.core.health import ProbeSpan, ProbeTiming, State
from router_service.core.outcome import BlockReason, Outcome
from router_service.core.record import Need, ShownProbe, TargetRecord
from router_service.core.settings import HealthRules
from router_service.core.tally import Tally

RULES = HealthRules()


def record(*, is_probed: bool = True, rules: HealthRules = RULES) -> TargetRecord:
    return TargetRecord("a/m", rules, now=0.0, is_probed=is_probed)


def tally(*outcomes: Outcome, latency_s: float = 0.5, time_to_first_token_s: float | None = None) -> Tally:
    made = Tally()
    for outcome in outcomes:
        made.add(
            outcome,
            latency_s=latency_s,
            time_to_first_token_s=time_to_first_token_s,
            output_tokens=20,
            error="" if outcome is Outcome.OK else f"{outcome.name} 503",
        )
    return made


def probe(into: TargetRecord, *, is_good: bool, now: float, says_nothing: bool = False) -> None:
    into.probe(shown(is_good=is_good), says_nothing=says_nothing, now=now)


def shown(*, is_good: bool) -> ShownProbe:
    return ShownProbe(
        timing=ProbeTiming(is_ok=is_good, total_s=0.01, status_code=200 if is_good else 503),
        error="" if is_good else "SERVER_ERROR 503",
        span=ProbeSpan(trace_id=b"t" * 16, span_id=b"s" * 8),
        wall_time=1000.0,
    )


def test_a_new_target_is_unknown_and_takes_its_full_share() -> None:
    health = record().health(0.0)
    assert (health.state, health.traffic_share, health.samples) == (State.UNKNOWN, 1.0, 0.0)


def test_traffic_gives_rates_and_latencies() -> None:
    made = record()
    made.traffic(tally(*[Outcome.OK] * 20, latency_s=2.0, time_to_first_token_s=1.0), 1.0)
    health = made.health(1.0, in_flight=3)
    assert (health.state, health.success_rate, health.in_flight) == (State.HEALTHY, 1.0, 3)
    assert health.samples == pytest.approx(20)
    assert health.latency.p50_s == pytest.approx(2.0, rel=0.05)
    assert made.time_to_first_token_p95_s == health.time_to_first_token.p95_s == pytest.approx(1.0, rel=0.05)
    assert health.output_tokens_per_second == pytest.approx(20.0)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.CALLER_ERROR,
        Outcome.CONTEXT_TOO_LONG,
        Outcome.CONTENT_FILTERED,
        Outcome.RATE_LIMITED,
        Outcome.MONEY,
        Outcome.CANCELLED,
        Outcome.DEADLINE,
    ],
)
def test_what_says_nothing_of_the_target_changes_nothing(outcome: Outcome) -> None:
    made = record()
    made.traffic(tally(*[outcome] * 10), 1.0)
    health = made.health(1.0)
    assert (health.state, health.samples, health.consecutive_failures) == (State.UNKNOWN, 0.0, 0)


def test_a_timeout_counts_as_its_whole_duration() -> None:
    made = record()
    made.traffic(tally(Outcome.TIMEOUT, latency_s=15.0), 1.0)
    assert made.health(1.0).latency.mean_s == pytest.approx(15.0)


def test_one_failure_in_five_is_poor() -> None:
    made = record()
    outcomes = [Outcome.OK, Outcome.OK, Outcome.SERVER_ERROR, Outcome.OK, Outcome.OK]
    made.traffic(tally(*outcomes, *outcomes), 1.0)
    assert made.health(1.0).state is State.DEGRADED


@pytest.mark.parametrize(("usual_s", "slow_s", "state"), [(1.0, 4.0, State.HEALTHY), (1.0, 30.0, State.DEGRADED)])
def test_slow_is_over_the_bound_and_over_twice_the_usual(usual_s: float, slow_s: float, state: State) -> None:
    made = record()
    for i in range(50):
        made.traffic(tally(Outcome.OK, latency_s=usual_s), float(i))
    for i in range(10):
        made.traffic(tally(Outcome.OK, latency_s=slow_s), 50.0 + i)
    assert made.verdict(60.0).state is state


def test_a_target_that_is_usually_slow_is_healthy() -> None:
    made = record()
    for i in range(50):
        made.traffic(tally(Outcome.OK, latency_s=8.0), float(i))
    assert made.verdict(50.0).state is State.HEALTHY


@pytest.mark.parametrize("calls_per_s", [10.0, 1.0])
@pytest.mark.parametrize("time_to_first_token_s", [0.2, None], ids=["streams", "unary"])
def test_short_and_long_answers_mixed_are_not_slow(time_to_first_token_s: float | None, calls_per_s: float) -> None:
    made, rng = record(), Random(1)
    states = set()
    for i in range(2000):
        latency_s = 1.0 if rng.random() < 0.6 else 15.0
        answer = tally(Outcome.OK, latency_s=latency_s, time_to_first_token_s=time_to_first_token_s)
        made.traffic(answer, i / calls_per_s)
        states.add(made.verdict(i / calls_per_s).state)
    assert states == {State.HEALTHY}


def test_streams_that_begin_late_are_slow_however_short_they_are() -> None:
    made = record()
    for i in range(100):
        made.traffic(tally(Outcome.OK, latency_s=20.0, time_to_first_token_s=0.5), float(i))
    assert made.verdict(100.0).state is State.HEALTHY
    for i in range(20):
        made.traffic(tally(Outcome.OK, latency_s=20.0, time_to_first_token_s=19.0), 100.0 + i)
    assert made.verdict(120.0).state is State.DEGRADED


def test_what_was_slow_before_a_trial_does_not_count_in_it() -> None:
    made = record()
    for i in range(100):
        made.traffic(tally(Outcome.OK, latency_s=1.0, time_to_first_token_s=0.5), float(i))
    made.traffic(tally(*[Outcome.OK] * 50, latency_s=20.0, time_to_first_token_s=20.0), 100.0)
    assert made.verdict(100.0).state is State.DEGRADED
    made.traffic(tally(*[Outcome.SERVER_ERROR] * 3), 100.5)
    assert made.verdict(100.5).state is State.UNHEALTHY
    for now in (111.0, 111.5):
        probe(made, is_good=True, now=now)
    for i in range(112, 140):
        made.traffic(tally(Outcome.OK, latency_s=1.0, time_to_first_token_s=0.5), float(i))
        assert made.verdict(float(i)).state in (State.RECOVERING, State.HEALTHY)


def test_probes_move_the_state_and_not_the_latency() -> None:
    made = record()
    probe(made, is_good=True, now=0.0)
    health = made.health(0.0)
    assert health.state is State.HEALTHY
    assert health.latency.p50_s == 0.0
    assert health.probe_span.span_id == b"s" * 8
    assert health.last_probe_time == 1000.0
    for now in (1.0, 1.5, 2.0):
        probe(made, is_good=False, now=now)
    health = made.health(2.0)
    assert (health.state, health.last_error) == (State.UNHEALTHY, "SERVER_ERROR 503")
    assert health.last_probe is not None
    assert health.last_probe.status_code == 503


def test_a_probe_that_says_nothing_is_shown_and_not_judged() -> None:
    made = record()
    for _ in range(5):
        probe(made, is_good=False, now=1.0, says_nothing=True)
    health = made.health(1.0)
    assert (health.state, health.samples) == (State.UNKNOWN, 0.0)
    assert health.last_probe is not None


def test_a_deep_probe_is_needed_where_no_call_was_seen_for_long() -> None:
    made = record()
    assert made.deep_need(0.0, unseen_s=60.0) is Need.UNSEEN
    probe(made, is_good=True, now=1.0)
    assert made.deep_need(1.0, unseen_s=60.0) is Need.UNSEEN, "a cheap probe shows the provider, not the model"
    made.traffic(tally(Outcome.OK), 2.0)
    assert made.deep_need(61.9, unseen_s=60.0) is None
    assert made.deep_need(62.0, unseen_s=60.0) is Need.UNSEEN
    made.deep_probe(shown(is_good=True), says_nothing=False, now=62.0)
    assert made.deep_need(100.0, unseen_s=60.0) is None


def test_no_deep_probe_is_needed_of_a_provider_that_fails_cheap_ones() -> None:
    made = record()
    for now in (0.0, 0.5, 1.0):
        probe(made, is_good=False, now=now)
        assert made.deep_need(now, unseen_s=60.0) is None
    assert made.deep_need(100.0, unseen_s=60.0) is None


def test_a_failed_deep_probe_is_settled_by_others() -> None:
    made = record()
    probe(made, is_good=True, now=0.0)
    for now in (1.0, 1.5):
        made.deep_probe(shown(is_good=False), says_nothing=False, now=now)
        probe(made, is_good=True, now=now)
        assert (made.verdict(now).state, made.deep_need(now, unseen_s=60.0)) == (State.HEALTHY, Need.DOUBT)
    made.deep_probe(shown(is_good=False), says_nothing=False, now=2.0)
    assert (made.verdict(2.0).state, made.deep_need(2.0, unseen_s=60.0)) == (State.UNHEALTHY, None)
    assert made.deep_need(12.0, unseen_s=60.0) is Need.PROOF
    for now in (12.0, 12.5):
        made.deep_probe(shown(is_good=True), says_nothing=False, now=now)
    assert made.verdict(12.5).state is State.RECOVERING


def test_failed_probes_are_not_published_as_failures_of_real_calls() -> None:
    made = record()
    for now in (0.0, 0.5):
        probe(made, is_good=False, now=now)
    assert made.health(0.5).consecutive_failures == 0
    made.traffic(tally(Outcome.CONNECT), 1.0)
    assert made.health(1.0).consecutive_failures == 1


def test_a_target_on_trial_is_measured_by_its_trial() -> None:
    made = record()
    made.traffic(tally(*[Outcome.SERVER_ERROR] * 100), 0.0)
    assert made.verdict(0.0).state is State.UNHEALTHY
    for now in (10.0, 10.5):
        probe(made, is_good=True, now=now)
    states = []
    for i in range(11, 40):
        made.traffic(tally(Outcome.OK), float(i))
        states.append(made.verdict(float(i)).state)
    assert set(states) == {State.RECOVERING, State.HEALTHY}
    assert made.health(40.0).success_rate == 1.0


def test_traffic_goes_well_while_it_is_fresh_and_nothing_failed_since() -> None:
    made = record()
    assert not made.is_going_well(0.0, within_s=5)
    made.traffic(tally(Outcome.OK), 1.0)
    assert made.is_going_well(2.0, within_s=5)
    assert not made.is_going_well(6.1, within_s=5)
    made.traffic(tally(Outcome.OK, Outcome.CONNECT), 7.0)
    assert not made.is_going_well(7.0, within_s=5)


def test_measuring_leaves_the_state_alone() -> None:
    made = record()
    made.measure(tally(*[Outcome.SERVER_ERROR] * 4), 1.0)
    assert made.verdict(1.0).state is State.UNKNOWN
    assert made.health(1.0).success_rate == 0.0


def test_poorness_is_looked_at_again_only_after_a_while() -> None:
    made = record(rules=replace(RULES, min_dwell_s=0.0))
    made.traffic(tally(*[Outcome.OK] * 10), 0.0)
    assert made.verdict(0.0).state is State.HEALTHY
    made.measure(tally(*[Outcome.SERVER_ERROR] * 10), 0.1)
    assert made.verdict(0.1).state is State.HEALTHY
    assert made.verdict(0.3).state is State.DEGRADED


def test_a_tally_keeps_the_longest_block_with_its_reason() -> None:
    made = Tally()
    made.block(BlockReason.RATE_LIMITED, for_s=1.0)
    made.block(BlockReason.MONEY, for_s=60.0)
    made.block(BlockReason.RATE_LIMITED, for_s=2.0)
    assert (made.blocked_for_s, made.block_reason) == (60.0, BlockReason.MONEY)


def test_a_scaled_tally_weighs_less_and_says_the_same() -> None:
    made = tally(*[Outcome.OK] * 6, *[Outcome.TIMEOUT] * 4, latency_s=2.0).scaled(0.5)
    assert (made.good, made.bad, made.trailing_failures) == (3, 2, 4)
    assert made.latency.samples(0.0) == pytest.approx(5.0)
    assert made.latency.summary().mean_s == pytest.approx(2.0)
