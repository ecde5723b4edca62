"""The judge: tables of what a run of calls makes of a target, and properties that hold for every run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.core.health import State, TargetHealth
from router_service.core.judge import Judge, Verdict
from router_service.core.settings import HealthRules

RULES = HealthRules()


def judge(*, is_probed: bool = True, rules: HealthRules = RULES) -> Judge:
    return Judge(rules, now=0.0, is_probed=is_probed)


def healthy(*, is_probed: bool = True) -> Judge:
    made = judge(is_probed=is_probed)
    made.traffic(good=1, bad=0, trailing_failures=0, now=0.0)
    return made


def down(*, is_probed: bool = True, at: float = 0.0) -> Judge:
    made = healthy(is_probed=is_probed)
    made.traffic(good=0, bad=3, trailing_failures=3, now=at)
    assert made.verdict(at).state is State.UNHEALTHY
    return made


def recovering(at: float = 10.0) -> Judge:
    made = down()
    for _ in range(2):
        made.probe(is_good=True, now=at)
    assert made.verdict(at) == Verdict(State.RECOVERING, 0.05)
    return made


@dataclass(frozen=True)
class Case:
    """Calls one after another, a letter each: g and b are traffic, G and B are probes; all in the first second."""

    name: str
    calls: str
    state: State
    share: float


CASES = [
    Case("nothing was seen", "", State.UNKNOWN, 1.0),
    Case("one good call", "g", State.HEALTHY, 1.0),
    Case("one good probe", "G", State.HEALTHY, 1.0),
    Case("two failures in a row", "gbb", State.HEALTHY, 1.0),
    Case("three failures in a row", "gbbb", State.UNHEALTHY, 0.0),
    Case("three failures and nothing before", "bbb", State.UNHEALTHY, 0.0),
    Case("three failures, none in a row", "gbgbgb", State.DEGRADED, 0.1),
    Case("three failures among twenty", "g" * 8 + "b" + "g" * 8 + "b" + "gb", State.HEALTHY, 1.0),
    Case("three failed probes", "GBBB", State.UNHEALTHY, 0.0),
    Case("a good probe between failing calls", "gbGbGb", State.UNHEALTHY, 0.0),
    Case("failing probes while traffic goes well", "gggggBBBgB", State.DEGRADED, 0.1),
    Case("failing probes and little traffic", "ggBBB", State.UNHEALTHY, 0.0),
    Case("every second probe fails", "GBGBGBGB", State.HEALTHY, 1.0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_calls_make_a_state(case: Case) -> None:
    made = judge()
    for i, call in enumerate(case.calls):
        feed(made, call, now=i * 0.01)
    assert made.verdict(0.5) == Verdict(case.state, case.share)


def feed(made: Judge, call: str, *, now: float) -> None:
    match call:
        case "g":
            made.traffic(good=1, bad=0, trailing_failures=0, now=now)
        case "b":
            made.traffic(good=0, bad=1, trailing_failures=1, now=now)
        case "G" | "B":
            made.probe(is_good=call == "G", now=now)


def test_a_first_report_that_ends_in_failures_is_down() -> None:
    made = judge()
    made.traffic(good=1, bad=5, trailing_failures=5, now=0.0)
    assert made.verdict(0.0).state is State.UNHEALTHY


def test_a_report_whose_failures_lie_before_its_successes_is_degraded() -> None:
    made = healthy()
    made.traffic(good=5, bad=5, trailing_failures=0, now=0.1)
    assert made.verdict(0.1).state is State.DEGRADED


def test_degraded_ends_when_the_window_is_clean_and_the_dwell_is_over() -> None:
    made = healthy()
    made.traffic(good=5, bad=5, trailing_failures=0, now=1.0)
    assert made.verdict(1.0).state is State.DEGRADED
    assert made.verdict(5.9).state is State.DEGRADED
    assert made.verdict(6.1).state is State.HEALTHY


def test_degraded_for_poorness_waits_for_the_dwell() -> None:
    made = healthy()
    assert made.verdict(1.0, is_poor=True).state is State.DEGRADED
    assert made.verdict(2.9).state is State.DEGRADED
    assert made.verdict(3.0).state is State.HEALTHY


def test_probes_bring_an_unhealthy_target_back_only_after_its_cooldown() -> None:
    made = down()
    for now in (1.0, 5.0, 9.9):
        made.probe(is_good=True, now=now)
        assert made.verdict(now).state is State.UNHEALTHY
    made.probe(is_good=True, now=10.0)
    assert made.verdict(10.0).state is State.UNHEALTHY
    made.probe(is_good=True, now=10.5)
    assert made.verdict(10.5) == Verdict(State.RECOVERING, 0.05)


def test_a_bad_probe_after_the_cooldown_starts_the_count_anew_and_lengthens_nothing() -> None:
    made = down()
    for now, is_good in ((10.0, True), (10.5, False), (15.0, True)):
        made.probe(is_good=is_good, now=now)
    assert made.verdict(15.0).state is State.UNHEALTHY
    made.probe(is_good=True, now=15.5)
    assert made.verdict(15.5).state is State.RECOVERING


def test_recovery_climbs_in_steps() -> None:
    made = recovering(at=10.0)
    shares = [made.verdict(now) for now in (14.9, 15.0, 19.9, 20.0, 24.9, 25.0)]
    assert [v.traffic_share for v in shares] == [0.05, 0.25, 0.25, 1.0, 1.0, 1.0]
    assert [v.state for v in shares[-2:]] == [State.RECOVERING, State.HEALTHY]


def test_two_failures_in_a_row_end_a_recovery_and_double_the_cooldown() -> None:
    made = recovering(at=10.0)
    made.traffic(good=0, bad=2, trailing_failures=2, now=11.0)
    assert made.verdict(11.0).state is State.UNHEALTHY
    for now in (21.5, 30.9):
        made.probe(is_good=True, now=now)
    assert made.verdict(30.9).state is State.UNHEALTHY
    for _ in range(2):
        made.probe(is_good=True, now=31.0)
    assert made.verdict(31.0).state is State.RECOVERING


def test_single_failures_among_many_successes_do_not_end_a_recovery() -> None:
    made = recovering(at=10.0)
    for i in range(40):
        made.traffic(good=9, bad=1, trailing_failures=1, now=10.0 + i * 0.1)
    assert made.verdict(14.0).state is State.RECOVERING


def test_the_cooldown_doubles_up_to_its_bound_and_is_forgotten_by_health() -> None:
    rules = replace(RULES, max_cooldown_s=25.0)
    made = judge(is_probed=False, rules=rules)
    made.traffic(good=0, bad=3, trailing_failures=3, now=0.0)
    now, waits = 0.0, []
    for _ in range(4):
        began = now
        while made.verdict(now).state is State.UNHEALTHY:
            now += 0.5
        waits.append(now - began)
        made.traffic(good=0, bad=2, trailing_failures=2, now=now)
    assert waits == [10.0, 20.0, 25.0, 25.0]
    for _ in range(200):
        now += 0.5
        made.verdict(now)
    made.traffic(good=0, bad=3, trailing_failures=3, now=now)
    assert made.verdict(now + 9.9).state is State.UNHEALTHY
    assert made.verdict(now + 10.0).state is State.RECOVERING


def test_without_a_prober_the_end_of_the_cooldown_opens_the_door() -> None:
    made = down(is_probed=False)
    assert made.verdict(9.9).state is State.UNHEALTHY
    assert made.verdict(10.0) == Verdict(State.RECOVERING, 0.05)


def test_with_a_prober_time_alone_opens_nothing() -> None:
    assert down().verdict(1000.0).state is State.UNHEALTHY


def test_while_probes_tell_nothing_the_end_of_the_cooldown_opens_the_door() -> None:
    made = down()
    made.probe_told_nothing()
    assert made.verdict(9.9).state is State.UNHEALTHY
    assert made.verdict(10.0) == Verdict(State.RECOVERING, 0.05)


def test_a_probe_with_a_finding_closes_the_door_again() -> None:
    made = down()
    made.probe_told_nothing()
    made.probe(is_good=False, now=5.0)
    assert made.verdict(1000.0).state is State.UNHEALTHY


def test_failures_in_a_row_are_forgotten_by_halves() -> None:
    made = healthy()
    made.traffic(good=0, bad=2, trailing_failures=2, now=0.0)
    assert [made.traffic_failures(now) for now in (0.0, 19.9, 20.0, 40.0)] == [2, 2, 1, 0]
    made.traffic(good=0, bad=1, trailing_failures=1, now=45.0)
    assert made.verdict(45.0).state is State.HEALTHY


def test_a_streak_limit_keeps_one_source_from_ejecting() -> None:
    made = healthy()
    made.traffic(good=0, bad=9, trailing_failures=9, now=0.1, streak_limit=0)
    assert made.verdict(0.1).state is State.DEGRADED


@pytest.mark.parametrize(
    ("prepared", "now", "expected"),
    [
        (healthy, 0.1, None),
        (down, 4.0, 6.0),
        (down, 10.0, None),
    ],
)
def test_a_probe_is_wanted_at_the_end_of_a_cooldown(prepared: object, now: float, expected: float | None) -> None:
    assert callable(prepared)
    made = prepared()
    assert isinstance(made, Judge)
    assert made.probe_wanted_in_s(now) == expected


def test_a_probe_is_wanted_at_once_while_something_is_in_doubt() -> None:
    made = healthy()
    made.probe(is_good=False, now=0.1)
    assert made.probe_wanted_in_s(0.1) == 0.0
    for _ in range(2):
        made.probe(is_good=False, now=0.1)
    assert made.probe_wanted_in_s(0.1) == pytest.approx(10.0)
    made.probe(is_good=True, now=10.1)
    assert made.probe_wanted_in_s(10.1) == 0.0


def told(state: State, **facts: float) -> TargetHealth:
    return replace(TargetHealth(target="a/m", state=state, state_age_s=100.0), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("health", "share"),
    [
        (told(State.HEALTHY), 1.0),
        (told(State.DEGRADED, traffic_share=0.1), 0.1),
        (told(State.RECOVERING, traffic_share=0.25), 0.25),
        (told(State.UNHEALTHY, traffic_share=0.0), 0.0),
    ],
    ids=["healthy", "degraded", "recovering", "unhealthy"],
)
def test_a_seeded_judge_says_what_it_was_told_and_never_better(health: TargetHealth, share: float) -> None:
    made = Judge.seeded(RULES, health, now=0.0)
    for now in (0.0, 3.0, 30.0):
        made.traffic(good=3, bad=0, trailing_failures=0, now=now)
        assert made.verdict(now) == Verdict(health.state, share)


def test_a_seeded_judge_counts_on_from_the_failures_it_was_told() -> None:
    made = Judge.seeded(RULES, told(State.HEALTHY, consecutive_failures=2), now=0.0)
    made.traffic(good=0, bad=1, trailing_failures=1, now=0.1)
    assert made.verdict(0.1).state is State.UNHEALTHY


@dataclass(frozen=True)
class Step:
    wait_s: float
    call: str


STEPS = st.lists(
    st.builds(
        Step,
        wait_s=st.sampled_from([0.0, 0.01, 0.3, 1.0, 2.0, 6.0, 11.0, 25.0]),
        call=st.sampled_from(["g", "b", "G", "B", ""]),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, is_probed=st.booleans())
def test_a_target_rises_at_most_once_in_the_dwell_time(steps: list[Step], is_probed: bool) -> None:
    made, now = judge(is_probed=is_probed), 0.0
    last, rose_at = made.verdict(now), float("-inf")
    for step in steps:
        now += step.wait_s
        feed(made, step.call, now=now)
        verdict = made.verdict(now)
        if last.state is not State.UNKNOWN and verdict.traffic_share > last.traffic_share:
            assert now - rose_at >= RULES.min_dwell_s
            rose_at = now
        last = verdict


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, kind=st.sampled_from(["b", "B"]), is_probed=st.booleans())
def test_three_failures_in_a_row_are_down_from_anywhere(steps: list[Step], kind: str, is_probed: bool) -> None:
    made, now = judge(is_probed=is_probed), 0.0
    for step in steps:
        now += step.wait_s
        feed(made, step.call, now=now)
        made.verdict(now)
    now += RULES.window_s + 0.1  # past calls that went well may outweigh failing probes no longer
    made.verdict(now)
    for _ in range(RULES.down_after):
        feed(made, kind, now=now)
    assert made.verdict(now).state is State.UNHEALTHY


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, is_probed=st.booleans())
def test_good_calls_bring_every_target_back(steps: list[Step], is_probed: bool) -> None:
    made, now = judge(is_probed=is_probed), 0.0
    for step in steps:
        now += step.wait_s
        feed(made, step.call, now=now)
        made.verdict(now)
    for _ in range(round((RULES.max_cooldown_s + 40) / 0.5)):
        now += 0.5
        feed(made, "G", now=now)
        feed(made, "g", now=now)
        made.verdict(now)
    assert made.verdict(now) == Verdict(State.HEALTHY, 1.0)


@settings(max_examples=100, deadline=None)
@given(steps=STEPS, is_probed=st.booleans())
def test_the_share_fits_the_state(steps: list[Step], is_probed: bool) -> None:
    made, now = judge(is_probed=is_probed), 0.0
    shares = {
        State.UNKNOWN: {1.0},
        State.HEALTHY: {1.0},
        State.DEGRADED: {RULES.degraded_share},
        State.RECOVERING: set(RULES.recovery_shares),
        State.UNHEALTHY: {0.0},
    }
    for step in steps:
        now += step.wait_s
        feed(made, step.call, now=now)
        verdict = made.verdict(now)
        assert verdict.traffic_share in shares[verdict.state]


def test_a_cheap_probe_that_may_not_bring_back_leaves_it_to_deep_ones() -> None:
    made = judge()
    made.probe(is_good=True, now=0.0)
    made.traffic(good=0, bad=3, trailing_failures=3, now=1.0)
    for now in (11.0, 11.5, 12.0):
        made.probe(is_good=True, now=now, may_bring_back=False)
        assert made.verdict(now).state is State.UNHEALTHY
        assert made.may_prove_itself(now)
    made.deep_probe(is_good=True, now=12.0)
    made.deep_probe(is_good=False, now=12.5)
    made.deep_probe(is_good=True, now=13.0)
    assert made.verdict(13.0).state is State.UNHEALTHY, "two good ones in a row are needed"
    made.deep_probe(is_good=True, now=13.5)
    assert made.verdict(13.5).state is State.RECOVERING


def test_a_probe_that_tells_nothing_leaves_it_to_deep_ones_where_those_are_made() -> None:
    made = down()
    made.probe_told_nothing(may_bring_back=False)
    assert made.verdict(60.0).state is State.UNHEALTHY
    assert made.may_prove_itself(60.0)
    made.probe_told_nothing()
    assert made.verdict(61.0).state is State.RECOVERING


def test_what_cheap_probes_took_down_they_bring_back() -> None:
    made = judge()
    for now in (0.0, 0.5, 1.0):
        made.probe(is_good=False, now=now)
    for now in (11.0, 11.5):
        made.probe(is_good=True, now=now, may_bring_back=False)
        assert not made.may_prove_itself(now)
    assert made.verdict(11.5).state is State.RECOVERING


def test_a_real_success_clears_failed_deep_probes_and_not_the_other_way_round() -> None:
    made = judge()
    for now in (0.0, 0.5):
        made.deep_probe(is_good=False, now=now)
    assert made.is_deep_in_doubt
    made.traffic(good=1, bad=0, trailing_failures=0, now=1.0)
    assert not made.is_deep_in_doubt
    made.traffic(good=0, bad=2, trailing_failures=2, now=1.5)
    made.deep_probe(is_good=True, now=2.0)
    assert made.traffic_failures(2.0) == 2


def test_failing_deep_probes_take_nobody_down_whose_real_calls_go_well() -> None:
    made = judge()
    made.traffic(good=20, bad=0, trailing_failures=0, now=0.0)
    for now in (0.5, 1.0, 1.5):
        made.deep_probe(is_good=False, now=now)
    assert made.verdict(1.5).state is not State.UNHEALTHY
