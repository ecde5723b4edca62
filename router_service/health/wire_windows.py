"""The wire form of quota windows, which travel in snapshots and in reports alike: messages to values and back."""

from __future__ import annotations

from collections.abc import Iterable

from signalbox.v1 import health_feed_pb2 as pb

from router_service.core.health import QuotaWindow
from router_service.health import wire_limits as limits
from router_service.health.wire_limits import Corrupt, number, seconds

MOST_WINDOWS = 256
MOST_COUNT = 2**63 - 1
LONGEST_NAME = 256


def windows_to_messages(windows: Iterable[QuotaWindow]) -> list[pb.QuotaWindow]:
    """At most as many as a reader takes; what is counted is cut to what the message has room for."""
    return [_to_message(window) for window, _ in zip(windows, range(MOST_WINDOWS), strict=False)]


def windows_from_messages(messages: Iterable[pb.QuotaWindow], field: str) -> tuple[QuotaWindow, ...]:
    """Every number within bounds and every name fit for a table. Raises Corrupt."""
    windows = tuple(_from_message(message, f"{field}[{i}]") for i, message in enumerate(messages))
    if len(windows) > MOST_WINDOWS:
        raise Corrupt(field, f"are more than {MOST_WINDOWS}")
    return windows


def _to_message(window: QuotaWindow) -> pb.QuotaWindow:
    message = pb.QuotaWindow(
        unit=window.unit,
        limit=min(MOST_COUNT, window.limit),
        remaining=min(MOST_COUNT, window.remaining),
        models=window.models,
        free=window.is_free,
    )
    if window.resets_in_s is not None:
        message.resets_in.FromNanoseconds(round(max(0.0, window.resets_in_s) * 1e9))
    return message


def _from_message(message: pb.QuotaWindow, field: str) -> QuotaWindow:
    if not message.unit:
        raise Corrupt(f"{field}.unit", "is missing")
    has_end = message.HasField("resets_in")
    return QuotaWindow(
        unit=limits.error_text(message.unit, f"{field}.unit"),
        limit=int(number(message.limit, f"{field}.limit", most=MOST_COUNT)),
        remaining=int(number(message.remaining, f"{field}.remaining", most=MOST_COUNT)),
        resets_in_s=seconds(message.resets_in, f"{field}.resets_in", most=limits.LONGEST_AGE_S) if has_end else None,
        models=tuple(_name(model, f"{field}.models[{i}]") for i, model in enumerate(message.models)),
        is_free=message.free,
    )


def _name(value: str, field: str) -> str:
    if not value or len(value) > LONGEST_NAME or not value.isprintable():
        raise Corrupt(field, f"is not 1 to {LONGEST_NAME} characters that can be printed")
    return value
