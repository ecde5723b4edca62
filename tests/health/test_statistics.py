"""What a router learns from its own answers, and from which of them it learns nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router_service.core.catalog import Catalog
from router_service.core.decision.policy import Policy
from router_service.core.events import AttemptStarted
from router_service.core.health import TargetHealth
from router_service.core.outcome import Outcome
from router_service.health.statistics import Statistics

from .making import BoardRig, finished


@pytest.mark.parametrize(("is_resumption", "scale", "output_tokens"), [(False, 10.0, [20.0]), (True, 1.0, [])])
def test_who_goes_on_with_a_stream_teaches_nothing_of_prompts_and_answers(
    is_resumption: bool, scale: float, output_tokens: list[float]
) -> None:
    """Its 10 tokens of input were not those of the request, which has one by estimate."""
    rig = BoardRig()
    event = finished(AttemptStarted(target="alder/small", is_stream=True), Outcome.OK)
    learning = Statistics(rig.board, clock=rig.clock)
    lessons = learning.lessons_for(Catalog((event.attempt.target,)), Policy())
    learning.adopt(lessons)
    learning.attempt_finished(replace(event, is_resumption=is_resumption))
    found = lessons["alder/small"].statistics(TargetHealth(target="alder/small"), rig.clock.now)
    assert found.input_token_scale == pytest.approx(scale, rel=0.5)
    assert list(found.output_tokens.values()) == output_tokens
    assert found.peak_time_to_first_token_s > 0, "how long it took says something all the same"
