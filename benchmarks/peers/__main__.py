"""The command of the comparison: `python -m benchmarks.peers`, which is what `make bench-peers` runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.command import repeated, run, set_up
from benchmarks.figures import Figure, Goal, figures
from benchmarks.pair import Sample
from benchmarks.peers.contenders import PEERS, Contender, signalbox
from benchmarks.peers.measures import FULL, KINDS, QUICK, Sizes, measured
from benchmarks.report import Peer, Report, report
from benchmarks.rig import Rig

GOALS = {"litellm": Goal(bound=9.0, is_at_least=True), "portkey": Goal(bound=1.8, is_at_least=True)}


def main() -> int:
    """Measure Signalbox and its peers."""
    quick, full = partial(_measure, QUICK), partial(_measure, FULL)
    return run("python -m benchmarks.peers", "Measure Signalbox beside other routers.", quick, full)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known of a contender so far."""

    contender: Contender
    samples: list[Sample] = field(default_factory=list)


def _measure(sizes: Sizes) -> Report:
    seen: dict[str, _Seen] = {}
    with set_up() as rig:
        repeated(sizes.repeats, lambda number: _repeat(rig, sizes, number, seen))
    return report(peers=_peers(seen))


def _repeat(rig: Rig, sizes: Sizes, number: int, seen: dict[str, _Seen]) -> None:
    """Each in turn has the server's core to itself; who goes first changes, so that a drift favours nobody."""
    order = (signalbox, *PEERS)
    first = number % len(order)
    for start in (*order[first:], *order[:first]):
        with start(rig) as contender:
            known = seen.setdefault(contender.name, _Seen(contender=contender))
            known.samples.extend(measured(rig, contender, sizes))


def _peers(seen: dict[str, _Seen]) -> Sequence[Peer]:
    """Signalbox first, then the others in their order."""
    results = {name: figures(known.samples, KINDS) for name, known in seen.items()}
    own = _completions(results["signalbox"])
    names = ("signalbox", *(name for name in sorted(seen) if name != "signalbox"))
    return [_peer(seen[name].contender, results[name], own) for name in names]


def _peer(contender: Contender, results: Sequence[Figure], own: float) -> Peer:
    goal = GOALS.get(contender.name)
    times = own / _completions(results)
    return Peer(
        name=contender.name,
        version=contender.version,
        protocol=contender.protocol,
        figures=results,
        times=round(times, 2) if goal else None,
        goal=goal.text("times") if goal else None,
        met=goal.is_met(times, None) if goal else None,
    )


def _completions(results: Sequence[Figure]) -> float:
    return next(figure.median for figure in results if figure.name == "complete")


if __name__ == "__main__":
    sys.exit(main())
