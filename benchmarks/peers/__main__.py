"""The command of the comparison: `python -m benchmarks.peers`, which is what `make bench-peers` runs."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.command import repeated, run, set_up
from benchmarks.peers.compare import Seen, compared
from benchmarks.peers.contenders import PEERS, signalbox
from benchmarks.peers.measures import FULL, QUICK, Sizes, measured
from benchmarks.report import Report, report
from benchmarks.rig import Rig


def main() -> int:
    """Measure Signalbox and its peers."""
    quick, full = partial(_measure, QUICK), partial(_measure, FULL)
    return run("python -m benchmarks.peers", "Measure Signalbox beside other routers.", quick, full)


def _measure(sizes: Sizes) -> Report:
    seen: dict[str, Seen] = {}
    with set_up() as rig:
        repeated(sizes.repeats, lambda number: _repeat(rig, sizes, number, seen))
    return report(peers=compared(seen.values()))


def _repeat(rig: Rig, sizes: Sizes, number: int, seen: dict[str, Seen]) -> None:
    """Each in turn has the server's core to itself; who goes first changes, so that a drift favours nobody."""
    order = (signalbox, *PEERS)
    first = number % len(order)
    for start in (*order[first:], *order[:first]):
        with start(rig) as contender:
            found = Seen(name=contender.name, version=contender.version, protocol=contender.protocol)
            seen.setdefault(contender.name, found).samples.extend(measured(rig, contender, sizes))


if __name__ == "__main__":
    sys.exit(main())
