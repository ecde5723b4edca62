"""The bound on what deep probes cost per provider and day: taken in the store before a probe goes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

from router_service.core.windows import Moment, Per, WindowKey, span_at
from router_service.store.ports import QuotaStore, StoreFailed, Want


class DailyCap:
    """At most `cap_usd_nanos` (1e-9 USD) for each provider between two midnights UTC, as providers' own days are
    counted: a zone that may be configured anew would have a day begin twice.

    The worst case of a probe is taken before its first byte goes out and is in the store by then; what it did not cost
    comes back afterwards. A prober that is killed in between has spent too much on paper, never in truth. Where the
    store fails nothing is spent.
    """

    def __init__(self, store: QuotaStore, *, cap_usd_nanos: int, clock: Callable[[], Moment]) -> None:
        self._store = store
        self._cap_usd_nanos = cap_usd_nanos
        self._clock = clock

    async def take(self, provider: str, worst_usd_nanos: int) -> Taking | None:
        """Room for one probe, or None where the day has none left or the store does not answer."""
        day = span_at(Per.DAY, self._clock().wall_s, UTC)
        key = WindowKey(f"deep probes {provider}", day.name)
        want = Want(key=key, amount=worst_usd_nanos, limit=self._cap_usd_nanos)
        try:
            (granted,) = await self._store.lease([want])
            if granted == worst_usd_nanos:
                return Taking(self._store, key, worst_usd_nanos)
            await self._store.give_back({key: granted})
        except StoreFailed:
            return None
        return None

    def resets_in_s(self) -> float:
        """Seconds until the next day begins."""
        wall_s = self._clock().wall_s
        return max(0.0, span_at(Per.DAY, wall_s, UTC).ends_s - wall_s)


class Taking:
    """Money that one probe holds. To be settled once."""

    __slots__ = ("_held_usd_nanos", "_key", "_store")

    def __init__(self, store: QuotaStore, key: WindowKey, held_usd_nanos: int) -> None:
        self._store = store
        self._key = key
        self._held_usd_nanos = held_usd_nanos

    async def settle(self, cost_usd_nanos: int) -> None:
        """What the probe did cost; more than its worst case, where a provider billed more than it was asked for.

        Where the store fails by now, the worst case stays spent.
        """
        left = self._held_usd_nanos - cost_usd_nanos
        try:
            if left > 0:
                await self._store.give_back({self._key: left})
            elif left < 0:
                await self._store.lease([Want(key=self._key, amount=-left)])
        except StoreFailed:
            return
