"""Does work in slices, so that requests on the same event loop need not wait for all of it."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from router_service.core.slices import Slices

T = TypeVar("T")


async def finish_between_others(work: Slices[T]) -> T:
    """All of it, with the event loop's other work done between the slices."""
    while True:
        try:
            next(work)
        except StopIteration as e:
            result: T = e.value
            return result
        await asyncio.sleep(0)
