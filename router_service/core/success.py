"""A success rate that knows how much it rests on: decayed counts and a lower bound."""

from __future__ import annotations

import math

PRIOR_SUCCESSES, PRIOR_FAILURES = 19.0, 1.0
Z_5_PERCENT = 1.6448536


class SuccessRate:
    """Successes and failures, both halved every `half_life_s`; the clock is the caller's.

    What was observed earlier than the last sample may come later: it weighs what it would weigh by now.
    """

    __slots__ = ("_at", "_failures", "_half_life_s", "_successes")

    def __init__(self, *, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._successes = 0.0
        self._failures = 0.0
        self._at = 0.0

    def add(self, *, successes: float, failures: float, now: float) -> None:
        self._decay(now)
        weight = 2.0 ** (-(self._at - now) / self._half_life_s)
        self._successes += successes * weight
        self._failures += failures * weight

    def samples(self, now: float) -> float:
        self._decay(now)
        return self._successes + self._failures

    def rate(self, now: float) -> float:
        """The plain decayed rate; 1 where there is no evidence, since nobody is accused without any."""
        samples = self.samples(now)
        return self._successes / samples if samples > 0 else 1.0

    def lower_bound(self, now: float) -> float:
        """Wilson's 5 % lower bound over the evidence and a prior of 19 successes and 1 failure."""
        n = self.samples(now) + PRIOR_SUCCESSES + PRIOR_FAILURES
        p = (self._successes + PRIOR_SUCCESSES) / n
        z2 = Z_5_PERCENT**2
        middle = p + z2 / (2 * n)
        spread = Z_5_PERCENT * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return max(0.0, (middle - spread) / (1 + z2 / n))

    def _decay(self, now: float) -> None:
        if now > self._at:
            factor = 2.0 ** (-(now - self._at) / self._half_life_s)
            self._successes *= factor
            self._failures *= factor
            self._at = now
