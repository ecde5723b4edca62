"""Windows of time and how much of a provider's limits is used in them; pure, with the clock passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from router_service.core.simulation import Limit, LimitUnit, WindowLength

LENGTHS_S = {
    WindowLength.SECOND: 1.0,
    WindowLength.MINUTE: 60.0,
    WindowLength.HOUR: 3_600.0,
    WindowLength.DAY: 86_400.0,
    WindowLength.MONTH: 2_592_000.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one request takes from limits of each unit."""

    tokens: int = 0
    neurons: int = 0

    def of(self, unit: LimitUnit) -> int:
        """Return the amount in one unit."""
        match unit:
            case LimitUnit.REQUESTS:
                return 1
            case LimitUnit.TOKENS:
                return self.tokens
            case LimitUnit.NEURONS:
                return self.neurons
            case _:
                assert_never(unit)


class Window:
    """One limit and its count. A window begins with the first request after the last one's end, and ends by itself."""

    __slots__ = ("_ends_s", "_used", "limit", "refused")

    def __init__(self, limit: Limit) -> None:
        """Begin with nothing used."""
        self.limit = limit
        self.refused = 0
        """Requests that did not fit, in all windows so far."""
        self._used = 0
        self._ends_s: float | None = None

    @property
    def length_s(self) -> float:
        """The whole window in seconds."""
        return LENGTHS_S[self.limit.per]

    def used(self, now_s: float) -> int:
        """Return what the window that runs now has taken."""
        if self._ends_s is not None and now_s >= self._ends_s:
            self._used, self._ends_s = 0, None
        return self._used

    def remaining(self, now_s: float) -> int:
        """Return what still fits."""
        return max(0, self.limit.max - self.used(now_s))

    def remaining_share(self, now_s: float) -> float:
        """Return what still fits, from 0 to 1 of the limit."""
        return self.remaining(now_s) / self.limit.max if self.limit.max else 0.0

    def resets_in_s(self, now_s: float) -> float | None:
        """Return the time to the window's end; None where none runs."""
        self.used(now_s)
        return None if self._ends_s is None else self._ends_s - now_s

    def wait_s(self, now_s: float) -> float:
        """Return how long a refused request should wait; where no window runs, as long as one is."""
        left_s = self.resets_in_s(now_s)
        return self.length_s if left_s is None else left_s

    def has_room(self, cost: Cost, now_s: float) -> bool:
        """Return whether a request fits."""
        return self.used(now_s) + cost.of(self.limit.unit) <= self.limit.max

    def may_ever_fit(self, cost: Cost) -> bool:
        """Return whether a request fits into a window of its own; a limit of 0 refuses without saying never."""
        return not self.limit.max or cost.of(self.limit.unit) <= self.limit.max

    def take(self, cost: Cost, now_s: float) -> None:
        """Count a request."""
        self._used = self.used(now_s) + cost.of(self.limit.unit)
        if self._ends_s is None:
            self._ends_s = now_s + self.length_s

    def restart(self) -> None:
        """Forget what was counted."""
        self._used, self._ends_s, self.refused = 0, None, 0


def take_from_all(windows: Sequence[Window], cost: Cost, now_s: float) -> Window | None:
    """Count a request in every window if it fits into all; else count it in none and return the one to wait for."""
    full = [window for window in windows if not window.has_room(cost, now_s)]
    if not full:
        for window in windows:
            window.take(cost, now_s)
        return None
    for window in full:
        window.refused += 1
    return max(full, key=lambda window: (not window.may_ever_fit(cost), window.wait_s(now_s)))
