"""Silence: a target whose calls do not come back is doubted, one that is merely slow or busy is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from router_service.core.chat import Delta
from router_service.core.events import AttemptStarted
from router_service.core.health import State
from router_service.core.outcome import Outcome
from router_service.core.settings import ProberSettings

from .making import BoardRig, snapshot

TARGET = "alder/small"
WORD = Delta("word")
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


def test_long_answers_beside_short_ones_are_no_silence() -> None:
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


def stream(rig: BoardRig, *, first_s: float = 0.25, gaps_s: tuple[float, ...] = (0.25, 0.25)) -> None:
    """A whole stream, whose caller takes a while to read each event."""
    [call] = rig.begin(TARGET, calls=1, is_stream=True)
    for gap_s in (first_s, *gaps_s):
        rig.after(gap_s).board.attempt_heard(call, WORD)
        rig.after(0.5).board.attempt_waits(call)
    rig.end(TARGET)


def known_by_streams(*, first_s: float = 0.25, gaps_s: tuple[float, ...] = (0.25, 0.25), streams: int = 12) -> BoardRig:
    rig = BoardRig()
    for _ in range(streams):
        stream(rig, first_s=first_s, gaps_s=gaps_s)
    assert rig.state(TARGET) in (State.HEALTHY, State.UNKNOWN)
    return rig


def begun(rig: BoardRig, *, calls: int) -> list[AttemptStarted]:
    """Streams that have had their first event and wait for the next."""
    made = rig.begin(TARGET, calls=calls, is_stream=True)
    for call in made:
        rig.board.attempt_heard(call, WORD)
        rig.board.attempt_waits(call)
    return made


def is_doubted(rig: BoardRig) -> bool:
    return rig.state(TARGET) is State.DEGRADED


def test_three_streams_that_do_not_begin_are_noticed_within_two_seconds() -> None:
    rig = known_by_streams()
    rig.begin(TARGET, calls=3, is_stream=True)
    assert not is_doubted(rig.after(1.0))
    assert is_doubted(rig.after(0.25))


def test_three_streams_that_stop_midway_are_noticed_within_two_seconds() -> None:
    rig = known_by_streams()
    begun(rig, calls=3)
    assert not is_doubted(rig.after(1.0))
    assert is_doubted(rig.after(0.25))


def test_calls_that_wait_for_different_things_count_together() -> None:
    rig = known_by_streams()
    rig.attempt(TARGET, times=12)
    begun(rig, calls=1)
    rig.begin(TARGET, calls=1, is_stream=True)
    rig.begin(TARGET, calls=1)
    assert is_doubted(rig.after(1.25))


def test_streams_whose_callers_do_not_read_are_no_silence() -> None:
    rig = known_by_streams()
    for call in rig.begin(TARGET, calls=5, is_stream=True):
        rig.board.attempt_heard(call, WORD)
    assert not is_doubted(rig.after(60.0))


def test_pauses_that_streams_of_a_target_are_known_for_are_no_silence() -> None:
    rig = known_by_streams(gaps_s=(0.25, 8.0, 0.25))
    begun(rig, calls=3)
    assert not is_doubted(rig.after(9.0))
    assert is_doubted(rig.after(2.0))


def test_a_slow_first_event_is_no_measure_of_later_ones() -> None:
    rig = known_by_streams(first_s=10.0)
    rig.begin(TARGET, calls=3, is_stream=True)
    assert not is_doubted(rig.after(11.0))
    begun(rig, calls=3)
    assert is_doubted(rig.after(1.25))


def test_a_target_whose_streams_are_not_known_yet_is_not_doubted() -> None:
    rig = known_by_streams(streams=9)
    rig.begin(TARGET, calls=20, is_stream=True)
    assert not is_doubted(rig.after(60.0))


def test_while_other_streams_begin_none_is_missed() -> None:
    rig = known_by_streams()
    rig.begin(TARGET, calls=3, is_stream=True)
    for _ in range(40):
        begun(rig.after(0.5), calls=1)
        assert not is_doubted(rig)


def test_old_streams_that_come_on_do_not_hide_that_no_new_one_begins() -> None:
    rig = known_by_streams()
    [old] = begun(rig, calls=1)
    rig.begin(TARGET, calls=3, is_stream=True)
    for _ in range(5):
        rig.after(0.25).board.attempt_heard(old, WORD)
        rig.board.attempt_waits(old)
    assert is_doubted(rig)


def test_an_event_that_says_nothing_is_heard_too() -> None:
    rig = known_by_streams()
    [talking, *_] = begun(rig, calls=3)
    for _ in range(20):
        rig.after(0.5).board.attempt_waits(talking)
        assert not is_doubted(rig)


def test_a_stream_that_begins_ends_the_doubt_after_the_dwell() -> None:
    rig = known_by_streams()
    [first, *_] = rig.begin(TARGET, calls=3, is_stream=True)
    assert is_doubted(rig.after(1.25))
    rig.board.attempt_heard(first, WORD)
    assert not is_doubted(rig.after(RULES.min_dwell_s))


def test_streams_count_as_under_way_until_their_end() -> None:
    rig = BoardRig()
    [reading, _] = begun(rig, calls=2)
    rig.board.attempt_heard(reading, WORD)
    rig.begin(TARGET, calls=1, is_stream=True)
    assert rig.board.take_report()[1][TARGET].in_flight == 3
    rig.end(TARGET, Outcome.CANCELLED, calls=3)
    assert rig.board.take_report()[1][TARGET].in_flight == 0


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
