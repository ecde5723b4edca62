"""What was learnt of a target from probes, traffic and feedback, as one frozen value a target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import starmap

from router_service.core.health import TargetHealth
from router_service.core.success import SuccessRate
from router_service.core.task import TaskType

UNPROVEN_LOWER = SuccessRate(half_life_s=1.0).lower_bound(0.0)
"""The lower bound of a success rate that rests on the prior alone: about 0.80."""

FRESH_SAMPLES = 1.0
"""So many decayed samples count as fresh evidence."""

NEAR_RATE, NEAR_FAILURES, NEAR_TIMES = 0.002, 0.02, 0.01
"""How far success rates, failures in a row and, in proportion, times may be off for figures to be near each other."""


@dataclass(frozen=True, slots=True)
class ObservedQuality:
    """The mean of graded answers, 0 to 1, and the decayed number of them."""

    mean: float
    samples: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """None, zero and empty stand for what was not learnt: then the catalogue's prior holds, else the tier's.

    `peak_time_to_first_token_s` is the peak EWMA, which jumps up at once and decays slowly: congestion that the
    percentiles have not seen yet. `input_token_scale` is how many tokens the target counts for one that was estimated.
    `output_tokens` are mean lengths of answers by task, under None for all tasks together. `in_flight` are the requests
    of other routers.
    """

    success_rate_lower: float = UNPROVEN_LOWER
    consecutive_failures: float = 0.0
    has_fresh_evidence: bool = False
    time_to_first_token_p50_s: float | None = None
    time_to_first_token_p90_s: float | None = None
    peak_time_to_first_token_s: float = 0.0
    seconds_per_token_p50: float | None = None
    seconds_per_token_p90: float | None = None
    in_flight: int = 0
    input_token_scale: float = 1.0
    output_tokens: Mapping[TaskType | None, float] = field(default_factory=dict)
    quality: Mapping[TaskType, ObservedQuality] = field(default_factory=dict)

    def is_near(self, other: TargetStatistics) -> bool:
        """Whether no figure is further off than what shifts a target's points by a tenth or two."""
        if (self.has_fresh_evidence, self.in_flight) != (other.has_fresh_evidence, other.in_flight):
            return False
        if self.quality != other.quality or self.output_tokens.keys() != other.output_tokens.keys():
            return False
        return (
            abs(self.success_rate_lower - other.success_rate_lower) <= NEAR_RATE
            and abs(self.consecutive_failures - other.consecutive_failures) <= NEAR_FAILURES
            and all(starmap(_is_near, zip(self._times(), other._times(), strict=True)))
            and all(_is_near(length, other.output_tokens[task]) for task, length in self.output_tokens.items())
        )

    def _times(self) -> tuple[float | None, ...]:
        return (
            self.time_to_first_token_p50_s,
            self.time_to_first_token_p90_s,
            self.peak_time_to_first_token_s,
            self.seconds_per_token_p50,
            self.seconds_per_token_p90,
            self.input_token_scale,
        )

    def usual_output_tokens(self, task: TaskType | None) -> float | None:
        """The mean length of its answers to such a task, else to all, in tokens; None where none was measured."""
        learnt = self.output_tokens.get(task)
        return self.output_tokens.get(None) if learnt is None else learnt


UNKNOWN_STATISTICS = TargetStatistics()


def _is_near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=NEAR_TIMES, abs_tol=1e-5)


def of_health(health: TargetHealth) -> TargetStatistics:
    """What a target's health alone tells; without samples its success rate is the prior's."""
    has_samples = health.samples > 0
    is_timed = health.time_to_first_token.p50_s > 0
    rate = health.output_tokens_per_second
    return TargetStatistics(
        success_rate_lower=health.success_rate_lower if has_samples else UNPROVEN_LOWER,
        consecutive_failures=health.consecutive_failures,
        has_fresh_evidence=health.samples >= FRESH_SAMPLES,
        time_to_first_token_p50_s=health.time_to_first_token.p50_s if is_timed else None,
        time_to_first_token_p90_s=health.time_to_first_token.p90_s if is_timed else None,
        seconds_per_token_p50=1 / rate if rate > 0 else None,
        in_flight=health.in_flight,
    )
