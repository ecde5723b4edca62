"""A stopwatch for the time in which others have the turn: a provider, a reader, or a pause for a provider's sake."""

from __future__ import annotations

import time
from types import TracebackType


class Away:
    """Used as `with away:` around each wait for others, also by several tasks at once, whose time then counts once.

    What is left of a request's time is the router's own.
    """

    __slots__ = ("_began", "_inside", "total_s")

    def __init__(self) -> None:
        self.total_s = 0.0
        self._inside = 0
        self._began = 0.0

    def __enter__(self) -> None:
        if not self._inside:
            self._began = time.monotonic()
        self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._inside -= 1
        if not self._inside:
            self.total_s += time.monotonic() - self._began
