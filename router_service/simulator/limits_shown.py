"""The limits as the control interface shows them: by name, what each window has counted and who is being answered."""

from __future__ import annotations

import msgspec

from router_service.core.simulation import LimitUnit, WindowLength

from .slots import Slots
from .state import SimulatorState
from .windows import Window


def show_limits(state: SimulatorState) -> bytes:
    """Return `{"items": […]}`, one for each provider or target that has limits or a bound on its answers."""
    now_s = state.window_moment().window_s
    shown: dict[str, _Shown] = {}
    for name, window in state.cast.windows():
        shown.setdefault(name, _Shown(name=name)).windows.append(_window(window, now_s))
    for name, slots in state.cast.slots():
        shown.setdefault(name, _Shown(name=name)).concurrency = _concurrency(slots)
    return msgspec.json.encode({"items": [shown[name] for name in sorted(shown)]})


class _ShownWindow(msgspec.Struct, frozen=True, kw_only=True):
    unit: LimitUnit
    per: WindowLength
    max: int
    used: int
    remaining: int
    refused: int
    resets_in_s: float | None  # null while no window runs


class _ShownConcurrency(msgspec.Struct, frozen=True, kw_only=True):
    busy: int
    waiting: int
    max: int | None  # null since a bound was lifted


class _Shown(msgspec.Struct, kw_only=True):
    name: str
    windows: list[_ShownWindow] = []  # msgspec copies an empty default for each value
    concurrency: _ShownConcurrency | None = None


def _window(window: Window, now_s: float) -> _ShownWindow:
    left_s = window.resets_in_s(now_s)
    return _ShownWindow(
        unit=window.limit.unit,
        per=window.limit.per,
        max=window.limit.max,
        used=window.used(now_s),
        remaining=window.remaining(now_s),
        refused=window.refused,
        resets_in_s=None if left_s is None else round(left_s, 3),
    )


def _concurrency(slots: Slots) -> _ShownConcurrency:
    return _ShownConcurrency(busy=slots.busy, waiting=slots.waiting, max=slots.most)
