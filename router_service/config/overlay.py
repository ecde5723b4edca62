"""Lays one file over another, so that each value of the result still knows its own file, line and path."""

from __future__ import annotations

from collections.abc import Mapping

from router_service.config.problem import Loc
from router_service.config.source import Place, Source, Value

NAMED_LISTS: Mapping[tuple[str, ...], str] = {
    ("providers",): "name",
    ("providers", "models"): "id",
    ("providers", "retired"): "id",
}
"""Lists whose items are merged by a key, by path without indices. All other lists replace each other."""


def laid_over(base: Source, top: Source) -> Source:
    """`base` with everything that `top` says instead or as well. A key without a value in `top` says nothing.

    What only `top` has in a list that merges comes after what `base` has.
    """
    merge = _Merge(base, top)
    data = merge.value(_At(base.data, ()), _At(top.data, ()), ())
    return Source(file=top.file, data=data, places=merge.places, problems=base.problems + top.problems)


class _At:
    """A value and where it stands in its own file."""

    __slots__ = ("loc", "value")

    def __init__(self, value: Value, loc: Loc) -> None:
        self.value = value
        self.loc = loc

    def entries(self) -> dict[str, _At]:
        items = self.value if isinstance(self.value, dict) else {}
        return {key: _At(value, (*self.loc, key)) for key, value in items.items()}

    def items(self) -> list[_At]:
        items = self.value if isinstance(self.value, list) else []
        return [_At(value, (*self.loc, i)) for i, value in enumerate(items)]

    def named(self, key: str) -> str | None:
        name = self.value.get(key) if isinstance(self.value, dict) else None
        return name if isinstance(name, str) else None


class _Merge:
    """Builds the merged values, and collects their places on the way."""

    def __init__(self, base: Source, top: Source) -> None:
        self._base = base
        self._top = top
        self.places: dict[Loc, Place] = {}

    def value(self, base: _At, top: _At, loc: Loc) -> Value:
        """What both files have something to say about."""
        if top.value is None:
            return self._taken(self._base, base, loc)
        self.places[loc] = self._top.place_of(top.loc)
        if isinstance(base.value, dict) and isinstance(top.value, dict):
            return self._mapping(base.entries(), top.entries(), loc)
        key = NAMED_LISTS.get(tuple(step for step in loc if isinstance(step, str)))
        if key and isinstance(base.value, list) and isinstance(top.value, list):
            return self._list(base.items(), top.items(), key, loc)
        return self._taken(self._top, top, loc)

    def _mapping(self, base: Mapping[str, _At], top: Mapping[str, _At], loc: Loc) -> dict[str, Value]:
        merged: dict[str, Value] = {}
        for key, below in base.items():
            at = (*loc, key)
            merged[key] = self.value(below, top[key], at) if key in top else self._taken(self._base, below, at)
        for key, above in top.items():
            if key not in base:
                merged[key] = self._taken(self._top, above, (*loc, key))
        return merged

    def _list(self, base: list[_At], top: list[_At], key: str, loc: Loc) -> list[Value]:
        """A name that `top` has twice is merged once; its second item stays, for the checks to find."""
        merged: list[Value] = []
        left = list(top)
        for below in base:
            name, at = below.named(key), (*loc, len(merged))
            above = next((item for item in left if name is not None and item.named(key) == name), None)
            if above is None:
                merged.append(self._taken(self._base, below, at))
            else:
                left.remove(above)
                merged.append(self.value(below, above, at))
        for above in left:
            merged.append(self._taken(self._top, above, (*loc, len(merged))))
        return merged

    def _taken(self, source: Source, at: _At, loc: Loc) -> Value:
        """A value of one file alone, with all that is in it."""
        self.places[loc] = source.place_of(at.loc)
        if isinstance(at.value, dict):
            return {key: self._taken(source, inner, (*loc, key)) for key, inner in at.entries().items()}
        if isinstance(at.value, list):
            return [self._taken(source, inner, (*loc, i)) for i, inner in enumerate(at.items())]
        return at.value
