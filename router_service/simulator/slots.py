"""Slots: how many answers of one provider are under way at once, and who waits for one."""

from __future__ import annotations

from collections.abc import Callable

Start = Callable[[], None]


class Slots:
    """A bounded number of answers under way, and a bounded queue before them, served in its order."""

    def __init__(self) -> None:
        """Begin without a bound."""
        self.busy = 0
        """Answers under way."""
        self._most: int | None = None
        self._most_waiting = 0
        self._waiting: dict[Start, None] = {}
        self._is_starting = False

    @property
    def waiting(self) -> int:
        """Answers that wait for a slot."""
        return len(self._waiting)

    @property
    def most(self) -> int | None:
        """The most answers under way at once; None for any number."""
        return self._most

    @property
    def is_full(self) -> bool:
        """Whether the next answer would neither start nor find a place in the queue."""
        return not self._has_room() and len(self._waiting) >= self._most_waiting

    def bound(self, most: int | None, *, most_waiting: int) -> None:
        """Change the bounds; what waits starts if it may now, and nothing that is under way or waits is put out."""
        self._most, self._most_waiting = most, most_waiting
        self._start_waiting()

    def enter(self, start: Start) -> None:
        """Call `start` now, or later when a slot is free. Each `start` must differ from all others inside."""
        self._waiting[start] = None
        self._start_waiting()

    def leave(self, start: Start) -> None:
        """Free the slot, or the place in the queue, of what entered with `start`."""
        if start in self._waiting:
            del self._waiting[start]
            return
        self.busy -= 1
        self._start_waiting()

    def _has_room(self) -> bool:
        return self._most is None or self.busy < self._most

    def _start_waiting(self) -> None:
        # An answer without a delay is over before its start returns, and calls back in; the outer round goes on then.
        if self._is_starting:
            return
        self._is_starting = True
        try:
            while self._waiting and self._has_room():
                start = next(iter(self._waiting))
                del self._waiting[start]
                self.busy += 1
                start()
        finally:
            self._is_starting = False
