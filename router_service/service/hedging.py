"""A second call beside one that is late: when there may be one, and how the first answer of the two ends the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from router_service.service.allowance import Allowance

SHARE = 0.05
"""So many hedges there may be for each request, hedged or not, in the long run."""
MOST = 10.0
"""So many at once. None come with time alone: a quiet hour earns nothing that a bad minute could spend."""
BUSY = 0.8
"""A target with more than this share of its slots taken is not asked for the sake of speed."""

_Won = TypeVar("_Won")


def hedge_allowance() -> Allowance:
    """For all requests of a process together."""
    return Allowance(most=MOST)


async def first_of(
    first: Coroutine[Any, Any, _Won | None],
    second: Callable[[], Coroutine[Any, Any, _Won | None] | None],
    *,
    after_s: float,
    release: Callable[[_Won], Awaitable[None]],
) -> _Won | None:
    """The first result of the two that is not None; None where both gave that. The second begins once the first has
    taken `after_s`, if there is one then.

    Both have ended when this returns: the loser is cancelled and waited for. Where this raises, a result that nobody
    gets any more is given to `release`.
    """
    racers: list[asyncio.Task[_Won | None]] = []
    try:
        async with asyncio.TaskGroup() as group:
            racers.append(group.create_task(first))
            await asyncio.wait(racers, timeout=after_s)
            if not racers[0].done() and (other := second()) is not None:
                racers.append(group.create_task(other))
            await _until_won(racers)
            for racer in racers:
                racer.cancel()
    except BaseException as error:
        for won in _results(racers):
            await release(won)
        if isinstance(error, BaseExceptionGroup):
            raise error.exceptions[0] from None
        raise
    return next(iter(_results(racers)), None)


async def _until_won(racers: Sequence[asyncio.Task[_Won | None]]) -> None:
    running = set(racers)
    while running and not _results(racers):
        _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)


def _results(racers: Sequence[asyncio.Task[_Won | None]]) -> list[_Won]:
    ended = [racer for racer in racers if racer.done() and not racer.cancelled() and racer.exception() is None]
    return [result for racer in ended if (result := racer.result()) is not None]
