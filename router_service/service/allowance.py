"""A store of permissions: requests put a share of one in, and each extra call takes one out."""

from __future__ import annotations


class Allowance:
    """Holds at most `most`, and that to begin with; `per_s` come with time alone. Times are monotonic seconds."""

    __slots__ = ("_as_of", "_left", "_most", "_per_s")

    def __init__(self, *, most: float, per_s: float = 0.0, now: float = 0.0) -> None:
        self._most = most
        self._per_s = per_s
        self._left = most
        self._as_of = now

    def put(self, share: float) -> None:
        self._left = min(self._most, self._left + share)

    def has_one(self, *, now: float = 0.0) -> bool:
        if self._per_s:
            self._left = min(self._most, self._left + self._per_s * (now - self._as_of))
            self._as_of = now
        return self._left >= 1.0

    def take(self) -> None:
        """One of those that `has_one` told of."""
        self._left -= 1.0
