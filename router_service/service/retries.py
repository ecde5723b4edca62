"""How often an attempt may be repeated at the target that it failed at, and after what pause."""

from __future__ import annotations

from random import Random

SHARE = 0.2
"""Where a target fails all the time, it gets so much more than was asked of it, and no more."""
MOST = 10.0
SHORTEST_S, LONGEST_S = 0.05, 0.2


class Retries:
    """A budget for each target, by id: requests fill it, repetitions are taken from it.

    It binds what a target that is down is asked in vain; failing over to another is not counted here.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._left: dict[str, float] = {}

    def asked(self, target: str) -> None:
        """A request that has nobody else to turn to comes to `target`."""
        self._left[target] = min(MOST, self._left.get(target, MOST) + SHARE)

    def pause_s(self, target: str, *, told_s: float | None) -> float | None:
        """How long to wait before the repetition, which is taken with that; None where there is to be none.

        `told_s` is the provider's own word on when to come again, which is obeyed: a longer wait is left to the caller.
        """
        left = self._left.get(target, MOST)
        if left < 1.0 or (told_s is not None and told_s > LONGEST_S):
            return None
        self._left[target] = left - 1.0
        return max(told_s or 0.0, self._rng.uniform(SHORTEST_S, LONGEST_S))
