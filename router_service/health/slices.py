"""Work on a large catalogue in slices, so that requests on the same event loop need not wait for all of it."""

from __future__ import annotations

import asyncio
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


async def finish_between_others(work: Slices[T]) -> T:
    """All of it, with the event loop's other work done between the slices."""
    while True:
        try:
            next(work)
        except StopIteration as e:
            result: T = e.value
            return result
        await asyncio.sleep(0)
