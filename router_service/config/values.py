"""Ways into raw values, which may be of any type: what is not there, or of another type, is nothing."""

from __future__ import annotations

from router_service.config.problem import Loc
from router_service.config.source import Source, Value


def at(value: Value, *keys: str) -> Value:
    """What stands under the keys, one inside the other."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def items(value: Value, loc: Loc) -> list[tuple[Loc, Value]]:
    """A list's items, each with its place."""
    return [((*loc, i), item) for i, item in enumerate(value)] if isinstance(value, list) else []


def texts(value: Value, key: str) -> list[str]:
    """What a list's mappings have under `key`, as far as that is text."""
    return [text for _, item in items(value, ()) if isinstance(text := at(item, key), str)]


def number(value: Value, key: str, default: float) -> float:
    found = at(value, key)
    return found if isinstance(found, int | float) else default


def line_of(source: Source, loc: Loc, *, seen_from: Loc) -> str:
    """`line 3`, or `FILE:3` where that is in another file."""
    place = source.place_of(loc)
    return f"line {place.line}" if place.file == source.place_of(seen_from).file else str(place)
