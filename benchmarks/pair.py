"""The router and the floor side by side: how much is measured, one value of a figure, and loads that are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.payload import ANSWER_TOKENS
from benchmarks.processes import core_busy_s
from benchmarks.rig import Rig, Subject

IN_FLIGHT, CONNECTIONS = 64, 8
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: seconds of load for a rate, calls and streams for a latency, streams at once."""

    repeats: int
    rate_s: float
    calls: int
    first_chunks: int
    streams: int
    idle_streams: int


FULL = Sizes(repeats=5, rate_s=3.0, calls=2000, first_chunks=200, streams=128, idle_streams=500)
QUICK = Sizes(repeats=1, rate_s=0.7, calls=300, first_chunks=40, streams=128, idle_streams=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a figure, and the floor's beside it where it has one."""

    figure: str
    value: float
    floor: float | None = None


class Pair:
    """The router and the floor, both up. Every other repeat asks the floor first, so that a drift favours neither."""

    def __init__(self, rig: Rig, router: Subject, floor: Subject, *, is_floor_first: bool) -> None:
        self.rig = rig
        self.router = router
        self.floor = floor
        self._order = (floor, router) if is_floor_first else (router, floor)
        self._own_s = router.cpu_s() + floor.cpu_s()
        self._busy_s = core_busy_s(rig.server_core)

    def each(self, measure: Callable[[Subject], _Value]) -> tuple[_Value, _Value]:
        """What it comes to for the router, and for the floor."""
        values = {subject.is_router: measure(subject) for subject in self._order}
        return values[True], values[False]

    def answer_at_once(self) -> None:
        """Have the upstream answer without any delay."""
        self.rig.judge.pace(tokens_per_s=0, output_tokens=ANSWER_TOKENS)

    def judged(self, what: str, calls: int, load: Callable[[], _Value]) -> _Value:
        """The result of a load, provided that the upstream saw exactly so many calls and answered them all."""
        self.rig.judge.begin()
        result = load()
        self.rig.judge.expect(calls, what=what)
        return result

    def foreign_share(self) -> float:
        """The share of the server core's work since the start that neither of the two has done."""
        busy_s = core_busy_s(self.rig.server_core) - self._busy_s
        own_s = self.router.cpu_s() + self.floor.cpu_s() - self._own_s
        return max(0.0, 1.0 - own_s / busy_s)
