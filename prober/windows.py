"""What is left of providers' limits, as routers count it and as answers to probes state it: the least counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from router_service.core.health import QuotaWindow


@dataclass(frozen=True, slots=True)
class _Told:
    """What one source said of a provider, and when by the prober's monotonic clock."""

    at: float
    windows: tuple[QuotaWindow, ...]


class Windows:
    """Holds each source's last word on each provider. The clock is the caller's, in monotonic seconds."""

    def __init__(self) -> None:
        self._told: dict[str, dict[str, _Told]] = {}

    def tell(self, source: str, provider: str, windows: Iterable[QuotaWindow], now: float) -> None:
        """This takes the place of all that `source` said of `provider` before."""
        self._told.setdefault(provider, {})[source] = _Told(now, tuple(windows))

    def forget(self, sources: Iterable[str]) -> None:
        for source in sources:
            for told in self._told.values():
                told.pop(source, None)

    def of(self, provider: str, now: float) -> tuple[QuotaWindow, ...]:
        """Every limit once; where sources differ, what leaves less. A window that has started anew is left out."""
        least: dict[tuple[object, ...], QuotaWindow] = {}
        for told in self._told.get(provider, {}).values():
            for window in _still_open(told, now):
                key = (window.unit, window.models, window.is_free)
                held = least.get(key)
                if held is None or window.remaining < held.remaining:
                    least[key] = window
        return tuple(least.values())


def _still_open(told: _Told, now: float) -> Iterable[QuotaWindow]:
    age_s = now - told.at
    for window in told.windows:
        if window.resets_in_s is None:
            yield window
        elif window.resets_in_s > age_s or age_s <= 0:
            yield replace(window, resets_in_s=window.resets_in_s - max(0.0, age_s))
