"""Finds what a file asks for that is not built yet, which is refused."""

from __future__ import annotations

from collections.abc import Iterator

from router_service.config.fields import Unbuilt
from router_service.config.outline import fields_given
from router_service.config.problem import Problem
from router_service.config.source import Source, Value


def refused(source: Source) -> Iterator[Problem]:
    """A problem for each key whose promise nobody would keep."""
    for loc, field, value in fields_given(source.data):
        if Unbuilt.REFUSED in field.metadata and _asks_for_something(value):
            yield source.problem(loc, "is not built yet", "remove it: nothing would keep what it promises")


def _asks_for_something(value: Value) -> bool:
    """False for blanks, nought and `false`, and for what holds nothing else: they ask for what is the case anyway."""
    if isinstance(value, dict):
        return any(map(_asks_for_something, value.values()))
    return bool(value)
