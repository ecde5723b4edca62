"""Carries what was counted in memory to a store, in the background, and what others counted back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from router_service.core.windows import Moment
from router_service.store.counter import WindowCount
from router_service.store.ports import QuotaStore, StoreFailed, Want

WRITE_S = 0.25
"""A process that is killed forgets at most what it counted in this time."""
LOAD_S = 1.0
CLOSE_S = 1.0
COMPLAIN_S = 60.0

_log = logging.getLogger(__name__)


class WriteThrough:
    """Keeps a store's counts level with ours. `counts` names all there are; `on_news` hears when the store knew more.

    A store that fails or hangs delays only itself: what it was not told is told later. The log has it once a minute.
    """

    def __init__(
        self,
        store: QuotaStore,
        counts: Callable[[], Sequence[WindowCount]],
        *,
        clock: Callable[[], Moment],
        on_news: Callable[[], None],
    ) -> None:
        self._store = store
        self._counts = counts
        self._clock = clock
        self._on_news = on_news
        self._silent_until_s = float("-inf")

    async def load(self) -> None:
        """Read what is there; given up after a second, to be tried again by `run`."""
        try:
            async with asyncio.timeout(LOAD_S):
                await self._flush()
        except TimeoutError:
            self._complain("it did not answer in time")

    async def run(self) -> None:
        """Write four times a second, until cancelled."""
        while True:
            await self._flush()
            await asyncio.sleep(WRITE_S)

    async def close(self) -> None:
        """Write the rest and let the store go. What a cancelled `run` had handed over is done before."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._flush()
                await self._flush()
        except TimeoutError:
            self._complain("it did not take the last counts in time")
        await self._store.close()

    async def _flush(self) -> None:
        counts = self._counts()
        more = [(count, count.unwritten) for count in counts if count.unwritten > 0]
        less = [(count, -count.unwritten) for count in counts if count.unwritten < 0]
        try:
            if more:
                await self._lease(more)
            if less:
                await self._give_back(less)
            told = {count for count, _ in (*more, *less)}
            if stale := [count for count in counts if count in told or not count.is_known]:
                await self._learn(stale)
        except StoreFailed as error:
            self._complain(str(error))

    async def _lease(self, more: Sequence[tuple[WindowCount, int]]) -> None:
        """What is spent is written down as such at once: if we are cancelled here, the store still does it."""
        for count, amount in more:
            count.written += amount
        try:
            await self._store.lease([Want(key=count.key, amount=amount) for count, amount in more])
        except StoreFailed:
            for count, amount in more:
                count.written -= amount
            raise

    async def _give_back(self, less: Sequence[tuple[WindowCount, int]]) -> None:
        for count, amount in less:
            count.written -= amount
        try:
            await self._store.give_back({count.key: amount for count, amount in less})
        except StoreFailed:
            for count, amount in less:
                count.written += amount
            raise

    async def _learn(self, counts: Sequence[WindowCount]) -> None:
        totals = await self._store.spent([count.key for count in counts])
        before = [count.others for count in counts]
        for count in counts:
            count.told(totals[count.key])
        if before != [count.others for count in counts]:
            self._on_news()

    def _complain(self, why: str) -> None:
        now_s = self._clock().steady_s
        if now_s >= self._silent_until_s:
            self._silent_until_s = now_s + COMPLAIN_S
            _log.warning("quota counts are kept in memory only for now: the store failed: %s", why)
