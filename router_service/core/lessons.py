"""What answers teach of a target beyond its health: how it counts tokens, how much it writes, how fast it comes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from router_service.core.attempt import Attempt
from router_service.core.decision.estimates import Pace
from router_service.core.decision.statistics import TargetStatistics, of_health
from router_service.core.health import State, TargetHealth
from router_service.core.outcome import Outcome
from router_service.core.task import TaskType

WEIGHT = 0.05
"""What a new answer counts in a mean of many."""
PEAK_TIME_CONSTANT_S = 10.0
"""How slowly a peak is forgotten."""
WIDEST = math.log(50.0)
"""No single answer is taken to be further off what was expected than by this factor."""


@dataclass(slots=True)
class Mean:
    """A plain mean of the first few values that turns into an exponentially weighted one."""

    value: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.count += 1
        self.value += (value - self.value) * max(WEIGHT, 1 / self.count)


@dataclass(slots=True)
class PeakEwma:
    """A time in seconds that jumps up at once and comes down slowly; between answers it decays towards zero."""

    value_s: float = 0.0
    at: float = 0.0

    def add(self, seconds: float, now: float) -> None:
        old_s, kept = self.at_time(now), math.exp(-max(0.0, now - self.at) / PEAK_TIME_CONSTANT_S)
        self.value_s = seconds if seconds >= old_s else kept * self.value_s + (1 - kept) * seconds
        self.at = now

    def at_time(self, now: float) -> float:
        return self.value_s * math.exp(-max(0.0, now - self.at) / PEAK_TIME_CONSTANT_S)


@dataclass(slots=True)
class Lessons:
    """One target's, from this router's own traffic. `pace` is what was expected before anything was measured.

    Answers that came whole tell only how long they took; they move the expected pace by a common factor, which counts
    until streams have measured the first token and the rate apart.
    """

    pace: Pace
    token_scale: Mean = field(default_factory=Mean)
    slowness: Mean = field(default_factory=Mean)
    peak: PeakEwma = field(default_factory=PeakEwma)
    output_tokens: dict[TaskType | None, Mean] = field(default_factory=dict)
    last_state: State = State.UNKNOWN

    def learn(self, attempt: Attempt, *, estimated_input_tokens: int, task: TaskType | None, now: float) -> None:
        """From an attempt that has ended. Usage that is only estimated teaches nothing; a time-out counts as its full
        duration, for it would have taken at least that.
        """
        usage, first_s = attempt.usage, attempt.time_to_first_token_s
        if first_s is not None:
            self.peak.add(first_s, now)
        elif attempt.outcome is Outcome.TIMEOUT:
            self.peak.add(attempt.latency_s, now)
        if attempt.outcome is not Outcome.OK or usage is None or usage.estimated:
            return
        if usage.input_tokens > 0:
            self.token_scale.add(_bounded_log(usage.input_tokens / estimated_input_tokens))
        if usage.output_tokens > 0:
            for key in {task, None}:
                self.output_tokens.setdefault(key, Mean()).add(usage.output_tokens)
            if first_s is None:
                self.slowness.add(_bounded_log(attempt.latency_s / self.pace.p50_s(usage.output_tokens)))

    def statistics(self, health: TargetHealth, now: float) -> TargetStatistics:
        """Both together: what health tells, and what was learnt beside it. A target that comes back on trial is not
        held to how slow it was before it was down.
        """
        if health.state is State.RECOVERING and self.last_state is State.UNHEALTHY:
            self.peak = PeakEwma()
        self.last_state = health.state
        told = of_health(health)
        if self.slowness.count and told.time_to_first_token_p50_s is None:
            factor = math.exp(self.slowness.value)
            told = replace(
                told,
                time_to_first_token_p50_s=self.pace.first_p50_s * factor,
                time_to_first_token_p90_s=self.pace.first_p90_s * factor,
                seconds_per_token_p50=self.pace.token_p50_s * factor,
                seconds_per_token_p90=self.pace.token_p90_s * factor,
            )
        return replace(
            told,
            peak_time_to_first_token_s=self.peak.at_time(now),
            input_token_scale=math.exp(self.token_scale.value),
            output_tokens={task: mean.value for task, mean in self.output_tokens.items()},
        )


def _bounded_log(ratio: float) -> float:
    return max(-WIDEST, min(WIDEST, math.log(max(1e-9, ratio))))
