"""What the contenders' values come to: their figures, and how many times theirs Signalbox serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Figure, Goal, figures
from benchmarks.pair import Sample
from benchmarks.peers.measures import KINDS
from benchmarks.report import Peer

OURS = "signalbox"
GOALS = {"litellm": Goal(bound=9.0, is_at_least=True), "portkey": Goal(bound=1.8, is_at_least=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A contender with the values of all its repeats."""

    name: str
    version: str
    protocol: str
    samples: list[Sample] = field(default_factory=list)


def compared(contenders: Iterable[Seen]) -> Sequence[Peer]:
    """Signalbox first, then the others by name. Two rates are compared by their medians."""
    ordered = sorted(contenders, key=lambda seen: (seen.name != OURS, seen.name))
    results = [figures(seen.samples, KINDS) for seen in ordered]
    own = _completions(results[0])
    return [_peer(seen, result, own / _completions(result)) for seen, result in zip(ordered, results, strict=True)]


def _peer(seen: Seen, result: Sequence[Figure], times: float) -> Peer:
    goal = GOALS.get(seen.name)
    return Peer(
        name=seen.name,
        version=seen.version,
        protocol=seen.protocol,
        figures=result,
        times=round(times, 2) if goal else None,
        goal=goal.text("times") if goal else None,
        met=goal.is_met(times, None) if goal else None,
    )


def _completions(result: Sequence[Figure]) -> float:
    return next(figure.median for figure in result if figure.name == "complete")
