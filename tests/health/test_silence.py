"""Silence: a target whose calls do not come back is doubted, one that is merely slow or busy is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from router_service.core.health import State
from router_service.core.outcome import Outcome
from router_service.core.settings import ProberSettings

from .making import BoardRig, snapshot

TARGET = "alder/small"
RULES = ProberSettings().rules


def known(*, latency_s: float = 0.5, calls: int = 20, is_probed: bool = True) -> BoardRig:
    """A board that knows how long the target's answers take."""
    rig = BoardRig()
    if is_probed:
        rig.accept(snapshot(1))
    rig.attempt(TARGET, times=calls, latency_s=latency_s)
    assert rig.state(TARGET) is State.HEALTHY
    return rig


def silent(**facts: bool) -> BoardRig:
    """Three calls that do not come back, noticed."""
    rig = known(**facts)
    rig.begin(TARGET, calls=3)
    rig.after(1.25)
    assert (rig.state(TARGET), rig.standing(TARGET).traffic_share) == (State.DEGRADED, RULES.degraded_share)
    return rig


@pytest.mark.parametrize("is_probed", [True, False])
def test_three_calls_that_do_not_come_back_are_noticed_within_two_seconds(is_probed: bool) -> None:
    rig = silent(is_probed=is_probed)
    assert rig.state("alder/large") in (State.HEALTHY, State.UNKNOWN)


@pytest.mark.parametrize(
    ("latency_s", "calls", "after_s"), [(0.5, 3, 1.0), (0.5, 2, 60.0), (10.0, 3, 11.0)], ids=["soon", "few", "slow"]
)
def test_what_may_still_be_an_answer_on_its_way_is_no_silence(latency_s: float, calls: int, after_s: float) -> None:
    rig = known(latency_s=latency_s)
    rig.begin(TARGET, calls=calls)
    assert rig.after(after_s).state(TARGET) is State.HEALTHY


def test_a_slow_target_is_given_a_fifth_more_than_it_ever_took() -> None:
    rig = known(latency_s=10.0)
    rig.begin(TARGET, calls=3)
    assert rig.after(13.0).state(TARGET) is State.DEGRADED


def test_a_target_whose_answers_are_not_known_yet_is_not_doubted() -> None:
    rig = known(calls=9)
    rig.begin(TARGET, calls=50)
    assert rig.after(60.0).state(TARGET) is State.HEALTHY


def test_long_streams_beside_short_answers_are_no_silence() -> None:
    rig = known(latency_s=0.5)
    rig.attempt(TARGET, times=5, latency_s=30.0)
    rig.begin(TARGET, calls=3)
    assert rig.after(30.0).state(TARGET) is State.HEALTHY


def test_while_others_come_back_none_is_missed() -> None:
    rig = known()
    rig.begin(TARGET, calls=3)
    for _ in range(40):
        rig.after(0.5).attempt(TARGET)
        assert rig.state(TARGET) is State.HEALTHY


def test_a_good_call_ends_the_doubt_after_the_dwell() -> None:
    rig = silent()
    rig.end(TARGET, latency_s=1.5)
    assert rig.state(TARGET) is State.DEGRADED
    assert rig.after(RULES.min_dwell_s).state(TARGET) is State.HEALTHY


@pytest.mark.parametrize("outcome", [Outcome.DEADLINE, Outcome.CANCELLED])
def test_calls_that_their_callers_gave_up_do_not_end_the_doubt_at_once(outcome: Outcome) -> None:
    rig = silent()
    rig.end(TARGET, outcome, calls=3)
    assert rig.after(RULES.cooldown_s - 0.25).state(TARGET) is State.DEGRADED
    assert rig.after(0.25).state(TARGET) is State.HEALTHY


def test_a_newer_snapshot_does_not_end_the_doubt() -> None:
    rig = silent()
    for i in range(5):
        rig.after(1.0)
        rig.accept(snapshot(2 + i))
    assert rig.state(TARGET) is State.DEGRADED


def test_doubt_improves_nothing() -> None:
    rig = silent()
    rig.accept(snapshot(2, alder=State.UNHEALTHY))
    assert rig.after(1.0).state(TARGET) is State.UNHEALTHY


@hypothesis_settings(max_examples=100, deadline=None)
@given(gaps=st.lists(st.sampled_from([0.0, 0.1, 0.4, 2.0]), min_size=1, max_size=60), latency_s=st.floats(0.1, 30.0))
def test_a_target_that_answers_as_usual_is_never_doubted(gaps: list[float], latency_s: float) -> None:
    rig = known(latency_s=latency_s)
    ends: list[float] = []
    for gap in gaps:
        until = rig.clock.now + gap
        while ends and ends[0] <= until:
            rig.after(ends[0] - rig.clock.now).end(TARGET, latency_s=latency_s)
            ends.pop(0)
        rig.after(until - rig.clock.now).begin(TARGET, calls=1)
        ends.append(until + latency_s)
        assert rig.state(TARGET) in (State.HEALTHY, State.UNKNOWN)
