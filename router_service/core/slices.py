"""Work on a large catalogue in slices, so that whoever does it may let others have the turn between them."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Slices: TypeAlias = Generator[None, None, T]
"""Work that pauses after each slice, and returns what it came to."""

SLICE = 50
"""So many targets are worked on without a pause: about a millisecond."""


def finish(work: Slices[T]) -> T:
    """All of it at once."""
    while True:
        try:
            next(work)
        except StopIteration as e:
            result: T = e.value
            return result
