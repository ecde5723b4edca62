"""Latencies: draws from a distribution, and what a schedule of changes makes of them; reproducible from a seed."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log
from random import Random
from statistics import NormalDist
from typing import assert_never

from router_service.core.simulation import (
    Behaviour,
    ChangeShape,
    ConstantLatency,
    Latency,
    LatencyChange,
    LognormalLatency,
    NormalLatency,
    PercentileLatency,
    UniformLatency,
)


class LatencySource:
    """The delays of one behaviour's answers: the same seed gives the same delays in the same order."""

    def __init__(self, behaviour: Behaviour, *, seed: str, set_at_s: float) -> None:
        """Begin the schedule of changes at `set_at_s`, on the clock that `draw_s` is given."""
        self._latency = latency_of(behaviour)
        self._changes = behaviour.latency_changes
        self._random = Random(seed)
        self._set_at_s = set_at_s

    def draw_s(self, now_s: float) -> float:
        """Return the delay of the next answer."""
        if isinstance(self._latency, ConstantLatency):
            drawn_s = self._latency.value_s
        else:
            drawn_s = quantile_s(self._latency, self._random.random())
        return changed_s(drawn_s, self._changes, age_s=now_s - self._set_at_s) if self._changes else drawn_s


def latency_of(behaviour: Behaviour) -> Latency:
    """Return the distribution that a behaviour names or that its latency and jitter amount to."""
    if behaviour.latency is not None:
        return behaviour.latency
    spread_s = behaviour.latency_s * behaviour.latency_jitter
    if not spread_s:
        return ConstantLatency(value_s=behaviour.latency_s)
    return UniformLatency(low_s=behaviour.latency_s - spread_s, high_s=behaviour.latency_s + spread_s)


def quantile_s(latency: Latency, share: float) -> float:
    """Return the time that `share` of all answers, from 0 to below 1, stay under."""
    match latency:
        case ConstantLatency(value_s=value_s):
            return value_s
        case UniformLatency(low_s=low_s, high_s=high_s):
            return low_s + share * (high_s - low_s)
        case NormalLatency(mean_s=mean_s, deviation_s=deviation_s):
            return max(0.0, mean_s + deviation_s * _deviations(share))
        case LognormalLatency(median_s=median_s, p95_s=p95_s):
            return median_s * exp(log(p95_s / median_s) * _deviations(share) / _DEVIATIONS_AT_P95)
        case PercentileLatency():
            return _on_the_line(latency.points(), share)
        case _:
            assert_never(latency)


def changed_s(latency_s: float, changes: Iterable[LatencyChange], *, age_s: float) -> float:
    """Return a latency as the changes have it at an age of the schedule: all factors first, then what they add."""
    added_s = 0.0
    for change in changes:
        presence = _presence(change, age_s)
        latency_s *= 1.0 + (change.factor - 1.0) * presence
        added_s += change.add_s * presence
    return latency_s + added_s


def _presence(change: LatencyChange, age_s: float) -> float:
    # From 0, not there, to 1, there in full.
    since_s = age_s - change.from_s
    if since_s < 0.0:
        return 0.0
    match change.shape:
        case ChangeShape.STEP:
            return 1.0
        case ChangeShape.RAMP:
            return min(1.0, since_s / change.for_s)
        case ChangeShape.SPIKE:
            return 1.0 if since_s < change.for_s else 0.0
        case _:
            assert_never(change.shape)


def _deviations(share: float) -> float:
    # The curve has no value at 0, which a draw may be.
    return _BELL.inv_cdf(max(share, _SMALLEST_SHARE))


def _on_the_line(points: list[tuple[float, float]], share: float) -> float:
    before_share, before_s = points[0]
    for point_share, point_s in points:
        if share <= point_share:
            width = point_share - before_share
            return point_s if not width else before_s + (point_s - before_s) * (share - before_share) / width
        before_share, before_s = point_share, point_s
    return before_s


_BELL = NormalDist()
_SMALLEST_SHARE = 2.0**-53
_DEVIATIONS_AT_P95 = _BELL.inv_cdf(0.95)
