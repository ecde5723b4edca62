"""Whose turn it is: who was first last, kept apart for each set of targets that a kind of request may go to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

MOST_SETS = 64
"""How many sets are remembered; the one that was used longest ago is forgotten first."""

Among = tuple[int, ...]
"""Targets by index: all that requests of a kind may go to, whether or not they can serve at this moment."""


class Turns:
    """Reading changes nothing; `take` is for whoever acts on what he has read.

    Who was first longest ago is next. So other requests in between take nobody's turn, and a target that could not
    serve for a while does not upset the others. `first` is where those begin who have not had a turn, so that several
    processes need not all begin at the same target.
    """

    __slots__ = ("_first", "_last", "_taken")

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._taken = 0
        self._last: OrderedDict[Among, dict[int, int]] = OrderedDict()

    def order(self, among: Among, eligible: Sequence[int]) -> list[int]:
        """The eligible of a set, whose turn it is first."""
        ordered = sorted(eligible)
        start = self._first % len(ordered) if ordered else 0
        last = self._last.get(among, {})
        return sorted(ordered[start:] + ordered[:start], key=lambda index: last.get(index, 0))

    def take(self, among: Among, index: int) -> None:
        """The target has had its turn."""
        self._taken += 1
        self._last.setdefault(among, {})[index] = self._taken
        self._last.move_to_end(among)
        if len(self._last) > MOST_SETS:
            self._last.popitem(last=False)
