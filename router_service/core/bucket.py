"""An amount that refills steadily: what a tenant may still ask for in this minute."""

from __future__ import annotations

MINUTE_S = 60.0


class Bucket:
    """Holds up to `per_minute`, which is above zero; full at first, it gains as much in a minute. Times are in seconds,
    on any one clock.

    It may be overdrawn, since some amounts are known only afterwards; then it takes longer until there is something
    again. So over any time no more is taken than refills in it, the first fill and one overdraft aside.
    """

    __slots__ = ("_at", "_level", "per_minute")

    def __init__(self, per_minute: int, *, now: float) -> None:
        self.per_minute = per_minute
        self._level = float(per_minute)
        self._at = now

    def wait_s(self, *, now: float) -> float:
        """How long until there is one at least; 0 where there is now."""
        return max(0.0, 1.0 - self._refilled(now)) * MINUTE_S / self.per_minute

    def take(self, amount: int, *, now: float) -> None:
        self._level = self._refilled(now) - amount

    def _refilled(self, now: float) -> float:
        gained = (now - self._at) * self.per_minute / MINUTE_S
        self._level, self._at = min(float(self.per_minute), self._level + gained), now
        return self._level
