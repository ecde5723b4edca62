"""What both commands do around their measurements: options, exit codes, the report, its tables and the pages."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks import h2load
from benchmarks.processes import MeasurementFailed
from benchmarks.publish import REPORT, publish
from benchmarks.report import Report, joined, write
from benchmarks.rig import Rig, rig
from benchmarks.tables import show

QUICK_REPORT = Path(__file__).with_name("report-quick.json")
MEASURED, FAILED, INTERRUPTED = 0, 1, 130


def run(program: str, description: str, quick: Callable[[], Report], full: Callable[[], Report]) -> int:
    """Measure, write the report, print the tables; a full run's are published too.

    Goals that are missed are figures too and fail nothing.
    """
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--quick", action="store_true", help="one short repeat: shows that it works, proves no figure")
    parser.add_argument("--output", type=Path, metavar="PATH", help="where the report goes; then nothing is published")
    options = parser.parse_args()
    # Whoever ends the run, its processes end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        h2load.version()
        fresh = quick() if options.quick else full()
    except (MeasurementFailed, TimeoutError, subprocess.TimeoutExpired, httpx.HTTPError, OSError) as error:
        sys.stderr.write(f"The measurement failed: {error or type(error).__name__}\n")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    path = options.output or (QUICK_REPORT if options.quick else REPORT)
    document = joined(fresh, path)
    write(document, path)
    show(fresh)
    if path == REPORT:
        publish(document)
    return MEASURED


@contextmanager
def set_up() -> Iterator[Rig]:
    """The rig in a directory that goes with it."""
    with tempfile.TemporaryDirectory(prefix="signalbox-bench-") as scratch, rig(Path(scratch)) as running:
        yield running


def repeated(repeats: int, act: Callable[[int], None]) -> None:
    """Each repeat with its number, from 0, and how long it took."""
    for number in range(repeats):
        began = time.monotonic()
        act(number)
        took_s = time.monotonic() - began
        sys.stderr.write(f"Repeat {number + 1} of {repeats} took {took_s:.0f} s.\n")
