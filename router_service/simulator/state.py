"""What the whole simulator shares: behaviours, the fault schedule, the log, the clock and the counts of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from time import time

from router_service.core.simulation import Behaviour

from .cast import Cast
from .limit_answers import Moment
from .log import RequestLog
from .schedule import Schedule


class SimulatorState:
    """One value for the server's life, changed only by the connections and by the control interface.

    All of it runs on one event loop and no change spans an await, so there is no lock.
    """

    def __init__(
        self, *, behaviours: Mapping[str, Behaviour], seed: int, log: RequestLog, clock: Callable[[], float]
    ) -> None:
        """Start with an empty schedule; `clock` is monotonic, in seconds."""
        self.seed = seed
        self.log = log
        self.clock = clock
        self.random = Random(seed)
        self.started_s = clock()
        self.schedule = Schedule((), set_at_s=self.started_s)
        self.cast = Cast(behaviours, seed=seed, now_s=self.started_s)
        self.advanced_s = 0.0
        """How far the windows' clock was moved ahead of the clock."""
        self.accepted = 0
        """Connections since the start."""
        self.open = 0
        """Connections that are open now."""
        self.in_flight = 0
        """Requests that were read whole and whose answer has not ended."""
        self._answers = 0

    def window_moment(self) -> Moment:
        """Return now, as the rate limits' windows see it.

        Only their own clock is moved: a reset that is told as a time of day must be that far off at the reader's.
        """
        return Moment(window_s=self.clock() + self.advanced_s, epoch_s=time())

    def next_answer_number(self) -> int:
        """Return a number that no other answer has."""
        self._answers += 1
        return self._answers

    def since_start_s(self, moment_s: float) -> float:
        """Return a moment of the clock in seconds after the start, to the microsecond."""
        return round(moment_s - self.started_s, 6)
