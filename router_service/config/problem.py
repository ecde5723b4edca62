"""What can be wrong with a configuration file: one value for each mistake, and the error that carries all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

Loc: TypeAlias = tuple[str | int, ...]
"""A place in the file as keys and indices: `("providers", 2, "base_url")`."""

MAX_SHOWN_KEY_LENGTH = 64
SIMILARITY = 0.6
NO_CHOICE = "is none of the values it may have"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. `line` counts from 1; 0 stands for the file as a whole. No text in it repeats a value of the file,
    because any value may be a key that was pasted into the wrong place.
    """

    file: str
    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where}: {what} ({self.hint})" if self.hint else f"{where}: {what}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every mistake that was found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.path, p.message)))
        super().__init__("\n".join(map(str, self.problems)))


class Refusal(ValueError):
    """A value that a field does not take, with a hint at one that it does."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def nearest(given: str, allowed: Sequence[str]) -> str:
    """The hint for one who gave none of the `allowed` values."""
    hint = f"allowed: {', '.join(allowed)}"
    near = get_close_matches(given, allowed, n=1, cutoff=SIMILARITY)
    return f"did you mean {near[0]}? {hint}" if near and len(allowed) > 1 else hint


def path_of(loc: Loc) -> str:
    """`("providers", 2, "base_url")` as `providers[2].base_url`."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in loc]
    return "".join(steps).removeprefix(".")


def _shown(key: str) -> str:
    """The key itself where it looks like one; what is long, or holds other characters, may be a value gone astray."""
    is_plain = 0 < len(key) <= MAX_SHOWN_KEY_LENGTH and key.isascii() and key.isprintable() and " " not in key
    return key if is_plain else "?"
