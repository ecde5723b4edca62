"""A scenario: its name, the configuration that it plays on, and the play, which ends in checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from router_service.commands.demo.checks import Check, none_of
from router_service.commands.demo.simulator import Row
from router_service.commands.demo.stage import Stage
from router_service.commands.demo.traffic import Heard

Play = Callable[[Stage, Random], Awaitable[Sequence[Check]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`configuration` is a file beside this one; `about` says in a line what is done; `play` does it."""

    name: str
    about: str
    configuration: str
    play: Play


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a scenario came out. One that could not be played has a check that says why."""

    name: str
    about: str
    seconds: float
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)


def none_failed(heard: Iterable[Heard]) -> Check:
    """Every caller got an answer."""
    return none_of("failed requests", (f"{h.request_id} {h.error}" for h in heard if h.error))


def providers(heard: Iterable[Heard]) -> Mapping[str, int]:
    """How many requests each provider answered, the most first, as their callers were told."""
    return dict(Counter(h.provider or "nobody" for h in heard).most_common())


def served(rows: Iterable[Row]) -> Mapping[str, int]:
    """How many calls each provider answered well, the most first, as the simulator saw it."""
    return dict(Counter(row.provider for row in rows if row.status == 200).most_common())


def usd(heard: Iterable[Heard]) -> float:
    """What the answers cost together."""
    return sum(h.cost_usd_nanos for h in heard) / 1e9
