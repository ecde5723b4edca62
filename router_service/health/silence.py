"""Whether a target has fallen silent: calls under way for longer than its answers take, and none came back since."""

from __future__ import annotations

from collections import deque

from router_service.core.record import USUAL_HALF_LIFE_S
from router_service.core.sketch import LatencySketch

ENOUGH_CALLS, ENOUGH_ANSWERS = 3, 10.0
LEAST_PATIENCE_S, PATIENCE = 1.0, 1.2
"""Calls are waited for a fifth longer than 99 % of the target's good calls took, and a second at least."""


class Silence:
    """Hears of one target's calls as they begin and end; a doubt holds for `holds_s`, or until a call ends well.

    Without it a provider that hangs keeps its traffic until the first calls have run into their timers. A target whose
    answers are not known yet is never in doubt. The clock is the caller's, in monotonic seconds.
    """

    __slots__ = ("_answers", "_doubted_until", "_heard_at", "_holds_s", "_starts")

    def __init__(self, *, holds_s: float, now: float) -> None:
        self._holds_s = holds_s
        self._starts: deque[float] = deque()
        self._answers = LatencySketch(half_life_s=USUAL_HALF_LIFE_S, now=now)
        self._heard_at = now
        self._doubted_until = float("-inf")

    @property
    def in_flight(self) -> int:
        return len(self._starts)

    @property
    def may_begin(self) -> bool:
        """Whether so many calls are under way that time alone may bring a doubt."""
        return len(self._starts) >= ENOUGH_CALLS

    def call_started(self, now: float) -> None:
        self._starts.append(now)

    def call_ended(self, *, is_good: bool, latency_s: float, now: float) -> None:
        """One call ended; the oldest is taken for it. Where it was another, those that are left seem younger than they
        are, so that a doubt comes late and never wrongly.
        """
        if self._starts:
            self._starts.popleft()
        if is_good:
            self._answers.add(latency_s, now)
            self._heard_at = now
            self._doubted_until = float("-inf")

    def is_doubtful(self, now: float) -> bool:
        if self.may_begin:
            silent_s = now - max(self._starts[ENOUGH_CALLS - 1], self._heard_at)
            if silent_s > LEAST_PATIENCE_S and silent_s > self._patience_s(now):
                self._doubted_until = now + self._holds_s
        return now < self._doubted_until

    def _patience_s(self, now: float) -> float:
        is_known = self._answers.samples(now) >= ENOUGH_ANSWERS
        return PATIENCE * self._answers.summary().p99_s if is_known else float("inf")
