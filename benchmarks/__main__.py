"""The benchmark's command: `python -m benchmarks`, which is what `make bench` runs."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks import h2load
from benchmarks.figures import figures
from benchmarks.measures import repeat
from benchmarks.pair import FULL, QUICK, Sample, Sizes
from benchmarks.processes import MeasurementFailed
from benchmarks.report import report, show, write
from benchmarks.rig import rig

REPORT = Path(__file__).with_name("report.json")
MEASURED, FAILED, INTERRUPTED = 0, 1, 130


def main() -> int:
    """Measure, write the report, print the table. Goals that are missed are figures too and fail nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the router against its floors.")
    parser.add_argument("--quick", action="store_true", help="one short repeat: shows that it works, proves no figure")
    parser.add_argument("--output", type=Path, default=REPORT, metavar="PATH", help="where the report goes")
    options = parser.parse_args()
    # Whoever ends the run, its processes end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        samples = _measure(QUICK if options.quick else FULL)
    except (MeasurementFailed, TimeoutError, subprocess.TimeoutExpired, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"The measurement failed: {error or type(error).__name__}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    document = report(figures(samples))
    write(document, options.output)
    show(document)
    return MEASURED


def _measure(sizes: Sizes) -> list[Sample]:
    h2load.version()
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as scratch, rig(Path(scratch)) as running:
        for number in range(sizes.repeats):
            began = time.monotonic()
            samples += repeat(running, sizes, is_floor_first=number % 2 == 1)
            took_s = time.monotonic() - began
            sys.stderr.write(f"Repeat {number + 1} of {sizes.repeats} took {took_s:.0f} s.\n")
    return samples


if __name__ == "__main__":
    sys.exit(main())
