"""What the whole simulator shares: behaviours, the fault schedule, the log, the clock and the counts of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from router_service.core.simulation import ANY_PROVIDER, Behaviour

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
        self.behaviours = behaviours
        self.seed = seed
        self.log = log
        self.clock = clock
        self.random = Random(seed)
        self.started_s = clock()
        self.schedule = Schedule((), set_at_s=self.started_s)
        self.accepted = 0
        """Connections since the start."""
        self.open = 0
        """Connections that are open now."""
        self.in_flight = 0
        """Requests that were read whole and whose answer has not ended."""
        self._answers = 0

    def behaviour(self, provider: str) -> Behaviour:
        """Return the provider's behaviour, or else the default."""
        return self.behaviours.get(provider) or self.behaviours.get(ANY_PROVIDER) or _PLAIN

    def draw_latency_s(self, behaviour: Behaviour) -> float:
        """Return the delay of one answer, with its jitter."""
        if not behaviour.latency_jitter:
            return behaviour.latency_s
        return behaviour.latency_s * (1.0 + behaviour.latency_jitter * self.random.uniform(-1.0, 1.0))

    def next_answer_number(self) -> int:
        """Return a number that no other answer has."""
        self._answers += 1
        return self._answers

    def since_start_s(self, moment_s: float) -> float:
        """Return a moment of the clock in seconds after the start, to the microsecond."""
        return round(moment_s - self.started_s, 6)


_PLAIN = Behaviour()
