"""Latency percentiles from log-scale buckets that forget: constant memory, at most 5 % relative error."""

from __future__ import annotations

import math
from collections.abc import Iterable

from router_service.core.health import Latency

SMALLEST_S = 0.001
GROWTH = 1.1
BUCKETS = 192
_LOG_GROWTH = math.log(GROWTH)


def bucket_of(seconds: float) -> int:
    """The bucket i with SMALLEST_S × GROWTH^(i-1) < seconds <= SMALLEST_S × GROWTH^i, clamped to those there are."""
    if seconds <= SMALLEST_S:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(seconds / SMALLEST_S) / _LOG_GROWTH - 1e-9))


def value_of(bucket: int) -> float:
    """A bucket's representative in seconds: the geometric middle of its bounds."""
    return SMALLEST_S * math.pow(GROWTH, bucket - 0.5)


class LatencySketch:
    """Counts per bucket, halved every `half_life_s`; the clock is the caller's. Without a half-life it forgets nothing.

    What was observed earlier than the last sample may come later: it weighs what it would weigh by now.

    Decay is applied by letting new samples weigh more instead of shrinking all old ones, so that adding is O(1).
    """

    __slots__ = ("_counts", "_half_life_s", "_origin", "_sum", "_summary")

    def __init__(self, *, half_life_s: float | None, now: float = 0.0) -> None:
        self._half_life_s = half_life_s
        self._origin = now
        self._counts: dict[int, float] = {}
        self._sum = 0.0
        self._summary: Latency | None = None

    def add(self, seconds: float, now: float) -> None:
        self.add_counts([(bucket_of(seconds), 1.0)], sum_s=seconds, now=now)

    def add_counts(self, counts: Iterable[tuple[int, float]], *, sum_s: float, now: float) -> None:
        """Take over another sketch's buckets, observed at `now`, whose samples sum to `sum_s` seconds."""
        weight = self._weight(now)
        for bucket, count in counts:
            self._counts[bucket] = self._counts.get(bucket, 0.0) + count * weight
        self._sum += sum_s * weight
        self._summary = None

    def buckets(self) -> tuple[tuple[int, float], ...]:
        return tuple(sorted(self._counts.items()))

    @property
    def sum_s(self) -> float:
        return self._sum

    def samples(self, now: float) -> float:
        """The decayed number of samples."""
        weight = self._weight(now)
        return sum(self._counts.values()) / weight

    @property
    def mean_s(self) -> float:
        """The mean over the decayed samples; 0 where there are none."""
        total = sum(self._counts.values())
        return self._sum / total if total > 0 else 0.0

    def summary(self) -> Latency:
        """Percentiles and mean. Time alone does not change them, since it lets all samples weigh less alike."""
        if self._summary is None:
            self._summary = self._summarised()
        return self._summary

    def _summarised(self) -> Latency:
        total = sum(self._counts.values())
        if total <= 0:
            return Latency()
        p50, p90, p95, p99 = self._quantiles([0.5, 0.9, 0.95, 0.99], total)
        return Latency(p50_s=p50, p90_s=p90, p95_s=p95, p99_s=p99, mean_s=self._sum / total)

    def _quantiles(self, shares: list[float], total: float) -> list[float]:
        found: list[float] = []
        below = 0.0
        for bucket, count in self.buckets():
            below += count
            while len(found) < len(shares) and below >= shares[len(found)] * total * (1 - 1e-12):
                found.append(value_of(bucket))
        return found

    def _weight(self, now: float) -> float:
        """What a sample taken now weighs beside one taken at the origin; rebased before it can overflow."""
        if self._half_life_s is None:
            return 1.0
        halvings = (now - self._origin) / self._half_life_s
        if halvings > 60:
            self._rebase(now, 2.0 ** -min(halvings, 1000.0))
            return 1.0
        return math.pow(2.0, halvings)

    def _rebase(self, now: float, factor: float) -> None:
        self._origin = now
        self._sum *= factor
        self._counts = {b: c * factor for b, c in self._counts.items() if c * factor > 1e-9}
