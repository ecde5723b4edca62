"""Finds what a file asks for that is not built yet: some of it is left aside with a warning, the rest refused."""

from __future__ import annotations

from collections.abc import Iterator

from router_service.config.fields import Unbuilt
from router_service.config.outline import fields_given
from router_service.config.problem import Loc, Problem
from router_service.config.source import Source, Value


def refused(source: Source) -> Iterator[Problem]:
    """A problem for each key whose promise nobody would keep."""
    for loc in _marked(source, Unbuilt.REFUSED):
        yield source.problem(loc, "is not built yet", "remove it: nothing would keep what it promises")


def warned(source: Source) -> tuple[str, ...]:
    """A line for each other key that changes nothing yet, in the order of the file.

    A key of many providers or models is named where it stands first, with a count of the other places.
    """
    places: dict[Loc, list[Loc]] = {}
    for loc in _marked(source, Unbuilt.WARNED):
        kind = tuple(step for step in loc if isinstance(step, str))
        places.setdefault(kind, []).append(loc)
    ordered = sorted(places.values(), key=lambda locs: source.place_of(locs[0])[:2])
    return tuple(_warning(source, locs[0], len(locs) - 1) for locs in ordered)


def _warning(source: Source, loc: Loc, others: int) -> str:
    more = f" (and {others} more like it)" if others else ""
    return source.warning(loc, f"is read but not acted on yet{more}")


def _marked(source: Source, mark: Unbuilt) -> Iterator[Loc]:
    for loc, field, value in fields_given(source.data):
        if mark in field.metadata and _asks_for_something(value):
            yield loc


def _asks_for_something(value: Value) -> bool:
    """False for blanks, nought and `false`, and for what holds nothing else: they ask for what is the case anyway."""
    if isinstance(value, dict):
        return any(map(_asks_for_something, value.values()))
    return bool(value)
