"""What a scenario expects beside what was seen, as values that people and programs can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One expectation, and whether it held."""

    what: str
    expected: str
    seen: str
    ok: bool


def same(what: str, expected: object, seen: object) -> Check:
    """It has to be exactly so."""
    return Check(what=what, expected=_text(expected), seen=_text(seen), ok=expected == seen)


def at_most(what: str, most: float, seen: float, unit: str = "") -> Check:
    """It may be so much and no more."""
    return Check(what=what, expected=f"at most {_figure(most, unit)}", seen=_figure(seen, unit), ok=seen <= most)


def at_least(what: str, least: float, seen: float, unit: str = "") -> Check:
    """It has to be so much or more."""
    return Check(what=what, expected=f"at least {_figure(least, unit)}", seen=_figure(seen, unit), ok=seen >= least)


def near(what: str, wanted: float, seen: float, *, tolerance: float, unit: str = "") -> Check:
    """It may differ by a share of what is wanted, 0 to 1."""
    expected = f"{_figure(wanted, unit)} ± {tolerance:.0%}"
    return Check(what=what, expected=expected, seen=_figure(seen, unit), ok=abs(seen - wanted) <= tolerance * wanted)


def none_of(what: str, offenders: Iterable[object]) -> Check:
    """There may be none; the first of those that are there are named."""
    found = list(offenders)
    seen = "none" if not found else f"{len(found)}: {', '.join(map(str, found[:3]))}"
    return Check(what=what, expected="none", seen=seen, ok=not found)


def _figure(value: float, unit: str) -> str:
    text = f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
