"""Quota counts in memory: they live as long as the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router_service.core.windows import WindowKey
from router_service.store.ports import Want

KEPT_WINDOWS = 8


class MemoryQuotaStore:
    """A QuotaStore that forgets everything when the process ends."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, int]] = {}

    async def lease(self, wants: Sequence[Want]) -> Sequence[int]:
        return [self._lease(want) for want in wants]

    async def give_back(self, amounts: Mapping[WindowKey, int]) -> None:
        for key, amount in amounts.items():
            taken = self._taken.get(key.scope, {})
            if key.window in taken:
                taken[key.window] = max(0, taken[key.window] - amount)

    async def spent(self, keys: Sequence[WindowKey]) -> Mapping[WindowKey, int]:
        return {key: self._taken.get(key.scope, {}).get(key.window, 0) for key in keys}

    async def close(self) -> None:
        """Nothing is open."""

    def _lease(self, want: Want) -> int:
        windows = self._taken.setdefault(want.key.scope, {})
        taken = windows.get(want.key.window, 0)
        granted = want.granted(taken)
        windows[want.key.window] = taken + granted
        while len(windows) > KEPT_WINDOWS:
            del windows[next(iter(windows))]
        return granted
