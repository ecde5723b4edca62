"""What answers teach: token counts, lengths, pace, and a peak that is soon forgotten."""

from __future__ import annotations

import pytest

from router_service.core.attempt import Attempt
from router_service.core.chat import Usage
from router_service.core.decision.estimates import Pace
from router_service.core.health import Latency, State, TargetHealth
from router_service.core.lessons import Lessons, PeakEwma
from router_service.core.outcome import Outcome
from router_service.core.task import TaskType
from tests.core.examples import target

USUAL = Pace(0.5, 1.0, 0.01, 0.02)
"""Half a second to the first token, and then a hundred tokens a second."""


FIFTY = Usage(input_tokens=100, output_tokens=50)


def attempt(
    *,
    latency_s: float = 1.0,
    first_s: float | None = None,
    usage: Usage | None = FIFTY,
    outcome: Outcome = Outcome.OK,
) -> Attempt:
    return Attempt(
        number=1,
        target=target("alder/x", price=1.0),
        outcome=outcome,
        start_time=0.0,
        latency_s=latency_s,
        time_to_first_token_s=first_s,
        usage=usage,
    )


def taught(*attempts: Attempt, estimated: int = 100, task: TaskType | None = TaskType.CHAT) -> Lessons:
    lessons = Lessons(USUAL)
    for each in attempts:
        lessons.learn(each, estimated_input_tokens=estimated, task=task, now=0.0)
    return lessons


def healthy(state: State = State.HEALTHY, *, first_s: float = 0.0) -> TargetHealth:
    return TargetHealth(target="alder/x", state=state, samples=10.0, time_to_first_token=Latency(p50_s=first_s))


def test_a_target_that_counts_more_tokens_is_believed() -> None:
    found = taught(*[attempt(usage=Usage(input_tokens=130, output_tokens=5))] * 3).statistics(healthy(), 0.0)
    assert found.input_token_scale == pytest.approx(1.3)


def test_the_length_of_answers_is_learnt_for_the_task_and_for_all() -> None:
    lessons = taught(attempt(usage=Usage(input_tokens=1, output_tokens=40)))
    lessons.learn(
        attempt(usage=Usage(input_tokens=1, output_tokens=60)),
        estimated_input_tokens=1,
        task=TaskType.REASONING,
        now=0.0,
    )
    found = lessons.statistics(healthy(), 0.0)
    assert found.usual_output_tokens(TaskType.CHAT) == 40
    assert found.usual_output_tokens(TaskType.REASONING) == 60
    assert found.usual_output_tokens(TaskType.RAG) == 50


@pytest.mark.parametrize("outcome", [Outcome.SERVER_ERROR, Outcome.TIMEOUT, Outcome.CANCELLED])
def test_only_whole_answers_teach(outcome: Outcome) -> None:
    found = taught(attempt(outcome=outcome)).statistics(healthy(), 0.0)
    assert (found.input_token_scale, found.output_tokens) == (1.0, {})


def test_estimated_usage_teaches_nothing() -> None:
    guessed = Usage(input_tokens=500, output_tokens=500, estimated=True)
    assert taught(attempt(usage=guessed)).statistics(healthy(), 0.0).input_token_scale == 1.0


def test_whole_answers_move_the_expected_pace_until_streams_have_measured_it() -> None:
    lessons = taught(attempt(latency_s=2.0, usage=Usage(input_tokens=100, output_tokens=50)))
    found = lessons.statistics(healthy(), 0.0)
    assert found.time_to_first_token_p50_s == pytest.approx(1.0), "twice the expected second"
    assert found.seconds_per_token_p50 == pytest.approx(0.02)
    measured = lessons.statistics(healthy(first_s=0.3), 0.0)
    assert measured.time_to_first_token_p50_s == 0.3


def test_a_peak_jumps_up_at_once_and_comes_down_slowly() -> None:
    peak = PeakEwma()
    peak.add(0.2, 0.0)
    peak.add(3.0, 0.1)
    peak.add(0.2, 0.2)
    assert 2.9 < peak.at_time(0.2) < 3.0
    assert peak.at_time(10.2) == pytest.approx(peak.at_time(0.2) / 2.718281828, rel=1e-3)
    assert peak.at_time(100.0) < 0.001


def test_a_time_out_counts_as_its_full_duration() -> None:
    late = attempt(latency_s=8.0, outcome=Outcome.TIMEOUT, usage=None)
    assert taught(late).statistics(healthy(), 0.0).peak_time_to_first_token_s == 8.0


def test_whoever_comes_back_on_trial_is_not_held_to_old_slowness() -> None:
    lessons = taught(attempt(latency_s=8.0, outcome=Outcome.TIMEOUT, usage=None))
    assert lessons.statistics(healthy(State.UNHEALTHY), 0.0).peak_time_to_first_token_s == 8.0
    assert lessons.statistics(healthy(State.RECOVERING), 0.0).peak_time_to_first_token_s == 0.0


def test_no_single_answer_moves_a_scale_beyond_reason() -> None:
    wild = taught(attempt(usage=Usage(input_tokens=10**9, output_tokens=1)), estimated=1)
    assert wild.statistics(healthy(), 0.0).input_token_scale == pytest.approx(50.0)
