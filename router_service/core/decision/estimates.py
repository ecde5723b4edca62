"""Estimates that a decision rests on: how long an answer is, what it costs, how long it takes, how good it will be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from router_service.core.catalog import Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.statistics import ObservedQuality, TargetStatistics
from router_service.core.task import TaskType

NANO_DUST = 1e-6
"""What a sum of floating point numbers may be over the truth, in billionths of a dollar."""
Z_90_PERCENT = 1.2815515655446004
P90_OVER_P50 = 2.0
"""How far the tail is assumed to lie where only the median is known."""
WIDEST_SIGMA = 1.5
"""Of the logarithm of a time; beyond it percentiles say that nothing is known, not that everything is possible."""
PSEUDO_SAMPLES = 4.0
"""How many graded answers a prior quality is worth."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a target answers: percentiles of the time to the first token and of the time for each further one."""

    first_p50_s: float
    first_p90_s: float
    token_p50_s: float
    token_p90_s: float

    def p50_s(self, output_tokens: float) -> float:
        return self.first_p50_s + self.token_p50_s * output_tokens

    def p90_s(self, output_tokens: float) -> float:
        """At most this in nine cases of ten: as if a slow start and a slow answer came together."""
        return self.first_p90_s + self.token_p90_s * output_tokens


def pace(target: Target, statistics: TargetStatistics, policy: Policy) -> Pace:
    """As measured, else as the catalogue says of the model, else of the provider, else as is usual for the tier.

    A peak beyond the measured 90th percentile is congestion under way, and stands in for the median.
    """
    tier = policy.prior(target.provider.tier).speed
    speeds = (target.model.speed, target.provider.speed, tier)
    first = _first(statistics.time_to_first_token_p50_s, *(s.time_to_first_token_s for s in speeds))
    priors = (s.time_to_first_token_p90_s for s in speeds if s.time_to_first_token_s is not None)
    tail = _first(
        statistics.time_to_first_token_p90_s,
        None if statistics.time_to_first_token_p50_s is not None else next(priors, None),
        first * P90_OVER_P50,
    )
    token = _first(
        statistics.seconds_per_token_p50,
        *(1 / s.tokens_per_second if s.tokens_per_second else None for s in speeds),
    )
    slow_token = _first(statistics.seconds_per_token_p90, token * P90_OVER_P50)
    if statistics.peak_time_to_first_token_s > tail:
        first = tail = statistics.peak_time_to_first_token_s
    return Pace(first, max(first, tail), token, max(token, slow_token))


def proven(pace: Pace, statistics: TargetStatistics) -> Pace:
    """What of a pace was measured lately; the rest takes no time, because a prior is no percentile to refuse by."""
    is_first = statistics.has_fresh_evidence and statistics.time_to_first_token_p50_s is not None
    is_token = statistics.has_fresh_evidence and statistics.seconds_per_token_p50 is not None
    return Pace(
        pace.first_p50_s if is_first else 0.0,
        pace.first_p90_s if is_first else 0.0,
        pace.token_p50_s if is_token else 0.0,
        pace.token_p90_s if is_token else 0.0,
    )


def usual_output_tokens(target: Target, task: TaskType | None, statistics: TargetStatistics, policy: Policy) -> float:
    """The learnt mean for the task at the target, else what is usual for the task; no more than the model gives."""
    learnt = statistics.usual_output_tokens(task)
    usual = policy.usual_output_tokens(task) if learnt is None else learnt
    return min(usual, target.model.max_output_tokens or math.inf)


def paid_output_tokens(target: Target, usual: float, limit: int | None) -> float:
    """What the answer may cost: the caller's limit, else its usual length."""
    return usual if limit is None else float(min(limit, target.model.max_output_tokens or limit))


def expected_quality(target: Target, task: TaskType | None, policy: Policy) -> float:
    """The catalogue's word on it, 0 to 1, before any feedback."""
    model = target.model
    prior = model.quality.get(task) if task is not None else None
    return _first(prior, model.default_quality, policy.prior(target.provider.tier).quality)


def learnt_quality(prior: float, observed: ObservedQuality | None) -> float:
    """The prior moved by graded answers, as if it had been four of them."""
    if observed is None:
        return prior
    return (PSEUDO_SAMPLES * prior + observed.samples * observed.mean) / (PSEUDO_SAMPLES + observed.samples)


def whole_nanos(nanos: float) -> int:
    """Rounded up, so that an estimate never says less than what a bound is held against; dust is no nano."""
    return math.ceil(nanos - NANO_DUST)


def chance(pace: Pace, output_tokens: float, left_s: float) -> float:
    """How likely the answer ends within `left_s` seconds: the sum of two log-normal times, taken as log-normal with the
    same mean and variance.
    """
    if left_s <= 0:
        return 0.0
    means, variances = zip(
        _moments(pace.first_p50_s, pace.first_p90_s),
        _moments(pace.token_p50_s * output_tokens, pace.token_p90_s * output_tokens),
        strict=True,
    )
    mean = sum(means)
    if mean <= 0:
        return 1.0
    sigma2 = math.log1p(sum(variances) / mean**2)
    median = mean / math.exp(sigma2 / 2)
    if sigma2 <= 0:
        return 1.0 if left_s >= median else 0.0
    return 0.5 * math.erfc(-math.log(left_s / median) / math.sqrt(2 * sigma2))


def _moments(p50_s: float, p90_s: float) -> tuple[float, float]:
    """Mean and variance of a log-normal time by two of its percentiles."""
    if p50_s <= 0:
        return 0.0, 0.0
    sigma = min(WIDEST_SIGMA, math.log(p90_s / p50_s) / Z_90_PERCENT)
    mean = p50_s * math.exp(sigma**2 / 2)
    return mean, math.expm1(sigma**2) * mean**2


def _first(*values: float | None) -> float:
    """The first that is known; the last one always is."""
    return next(v for v in values if v is not None)
