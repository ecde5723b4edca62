"""How many attempts a target has under way at once, and who waits until one of them ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from router_service.core.catalog import Target
from router_service.core.settings import RoutingSettings


class Slots:
    """One for each attempt under way. Whoever waits is served in the order of arrival, before anybody who comes later.

    `in_flight` is how many each target has, by id; it changes in place.
    """

    def __init__(self) -> None:
        self.in_flight: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[Target]]] = {}
        self._queue_length = RoutingSettings().queue_length

    def adopt(self, *, queue_length: int) -> None:
        """Let so many wait for each target from now on."""
        self._queue_length = queue_length

    def take(self, target: Target) -> bool:
        """A slot, if there is one."""
        running, most = self.in_flight.get(target.id, 0), target.provider.max_concurrency
        if most is not None and running >= most:
            return False
        self.in_flight[target.id] = running + 1
        return True

    def give_back(self, target: Target) -> None:
        """The slot is free: whoever waits longest has it at once, so that nobody who comes now is quicker."""
        running, most = self.in_flight[target.id], target.provider.max_concurrency
        if most is None or running <= most:  # the bound may have been lowered since
            queue = self._waiting.get(target.id, ())
            if (first := next((waiting for waiting in queue if not waiting.done()), None)) is not None:
                first.set_result(target)
                return
        if running > 1:
            self.in_flight[target.id] = running - 1
        else:
            del self.in_flight[target.id]

    def load(self, target: Target) -> float:
        """Which share of its slots is taken, 0 to 1; 0 where nothing bounds them."""
        most = target.provider.max_concurrency
        return self.in_flight.get(target.id, 0) / most if most else 0.0

    async def wait(self, targets: Sequence[Target], *, until: float) -> Target | None:
        """The first of them that has a slot by then, on the monotonic clock; the caller has it. None where none has, or
        as many wait for each of them already as may.
        """
        queues = [self._waiting.setdefault(target.id, deque()) for target in targets]
        joined = [queue for queue in queues if len(queue) < self._queue_length]
        if not joined:
            return None
        waiting: asyncio.Future[Target] = asyncio.get_running_loop().create_future()
        for queue in joined:
            queue.append(waiting)
        try:
            async with asyncio.timeout_at(until):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                self.give_back(waiting.result())  # it came in the moment in which we left
            if not isinstance(error, TimeoutError):
                raise
            return None
        finally:
            for queue in joined:
                queue.remove(waiting)
            self._forget_empty(targets)

    def _forget_empty(self, targets: Sequence[Target]) -> None:
        for target in targets:
            if not self._waiting.get(target.id, True):
                del self._waiting[target.id]
