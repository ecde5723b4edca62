"""The benchmark's command: `python -m benchmarks`, which is what `make bench` runs."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.command import repeated, run, set_up
from benchmarks.figures import figures
from benchmarks.measures import repeat
from benchmarks.pair import FULL, QUICK, Sample, Sizes
from benchmarks.report import Report, report


def main() -> int:
    """Measure the router and its floor."""
    quick, full = partial(_measure, QUICK), partial(_measure, FULL)
    return run("python -m benchmarks", "Measure the router against its floors.", quick, full)


def _measure(sizes: Sizes) -> Report:
    samples: list[Sample] = []
    with set_up() as rig:
        repeated(sizes.repeats, lambda number: samples.extend(repeat(rig, sizes, is_floor_first=number % 2 == 1)))
    return report(figures=figures(samples))


if __name__ == "__main__":
    sys.exit(main())
