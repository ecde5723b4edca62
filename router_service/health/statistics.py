"""What the decision reckons with: the board's rates and times, and what this router's own answers taught, by target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from router_service.core.catalog import Catalog
from router_service.core.decision.estimates import pace
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import input_tokens
from router_service.core.decision.statistics import UNKNOWN_STATISTICS, TargetStatistics
from router_service.core.events import AttemptFinished, RequestFinished, RouteFinished
from router_service.core.health import TargetHealth
from router_service.core.lessons import Lessons
from router_service.core.tokens import TokenEstimator
from router_service.health.board import HealthBoard
from router_service.health.slices import finish_between_others

REFRESH_S = 0.5
"""How old the statistics may be. Each new mapping makes decisions work out their tables anew, so not every answer may
make one.
"""
REST = 20.0
"""After a refresh of thousands of targets, so many times what it took is left to requests."""


class Statistics:
    """Implements Observer. `current` is replaced and never changed; targets whose figures hardly moved keep theirs,
    because evidence ages all the time and decisions work out anew whatever moves.

    `tokens` holds the ratios of characters to tokens that were learnt on the way.
    """

    def __init__(self, board: HealthBoard, *, clock: Callable[[], float]) -> None:
        self._board = board
        self._clock = clock
        self._lessons: dict[str, Lessons] = {}
        self.tokens = TokenEstimator()
        self.current: Mapping[str, TargetStatistics] = {}

    def lessons_for(self, catalog: Catalog, policy: Policy) -> Mapping[str, Lessons]:
        """The lessons of another catalogue, to be adopted; what was learnt of a target stays with it. It may be called
        beside the event loop.
        """
        paces = {target.id: pace(target, UNKNOWN_STATISTICS, policy) for target in catalog.targets}
        return {name: self._lessons.get(name) or Lessons(usual) for name, usual in paces.items()}

    def adopt(self, lessons: Mapping[str, Lessons]) -> None:
        """Go by what `lessons_for` gave from now on."""
        self._lessons = dict(lessons)

    def attempt_finished(self, event: AttemptFinished) -> None:
        attempt, request = event.attempt, event.request
        if event.is_resumption:
            attempt = replace(attempt, usage=None)  # of another prompt than the request's, and of part of its answer
        lessons = self._lessons.get(attempt.target.id)
        if lessons is None:
            return
        task = event.plan.task_type if event.plan is not None else None
        lessons.learn(attempt, estimated_input_tokens=input_tokens(request), task=task, now=self._clock())
        usage = attempt.usage
        if request.text is not None and usage is not None and not usage.estimated:
            self.tokens.learn(attempt.target.model.id, request.text, usage.input_tokens)

    def request_finished(self, event: RequestFinished) -> None:
        """Attempts have told all."""

    def route_finished(self, event: RouteFinished) -> None:
        """Nothing was called."""

    async def run(self) -> None:
        """Keep the statistics fresh until cancelled."""
        while True:
            started = self._clock()
            self._take_over(await finish_between_others(self._board.healths()))
            await asyncio.sleep(max(REFRESH_S, REST * (self._clock() - started)))

    def _take_over(self, healths: Mapping[str, TargetHealth]) -> None:
        now, before = self._clock(), self.current
        found = {name: self._lessons[name].statistics(h, now) for name, h in healths.items() if name in self._lessons}
        kept = {
            name: old if (old := before.get(name)) is not None and old.is_near(s) else s for name, s in found.items()
        }
        if kept.keys() != before.keys() or any(s is not before[name] for name, s in kept.items()):
            self.current = kept
