"""What of a foreign configuration is not carried over, and why: nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from router_service.config.problem import Loc, path_of
from router_service.config.source import Source, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A line of a foreign file that has no counterpart. No text in it repeats a value, which may be a key."""

    file: str
    line: int
    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: not carried over: {self.why}"


class Remainder:
    """Collects what is left out, with its place in `source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: list[LeftOut] = []

    def note(self, loc: Loc, why: str) -> None:
        place = self._source.place_of(loc)
        self._found.append(LeftOut(file=place.file, line=place.line, path=path_of(place.loc), why=why))

    def rest(self, section: Value, loc: Loc, known: Collection[str], why: str) -> None:
        """Note every key of a section but the known ones. A key without a value says nothing."""
        for key, value in section.items() if isinstance(section, dict) else ():
            if key not in known and value is not None:
                self.note((*loc, key), why)

    def in_order(self) -> tuple[LeftOut, ...]:
        return tuple(sorted(dict.fromkeys(self._found), key=lambda left: (left.line, left.path)))
