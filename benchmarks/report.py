"""The report: the figures with the machine, versions and settings they hold for, as JSON and as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import h2load
from benchmarks.figures import Figure
from benchmarks.rig import SAMPLE_RATIO, TARGETS

SCHEMA = 1
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("signalbox", "grpcio", "protobuf", "aiohttp", "uvloop", "msgspec", "opentelemetry-sdk")
NOISE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured."""

    cpu: str
    cores: int
    kernel: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the router was set: the share of traces kept, the targets it chose from, how much of a plan it returned."""

    sampling: float
    candidates: int
    view: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The document as it is written. `peers` is for other routers measured in the same run."""

    schema: int
    commit: str
    machine: Machine
    versions: Mapping[str, str]
    settings: Settings
    figures: Sequence[Figure]
    peers: Sequence[Figure] = ()


def report(figures: Sequence[Figure]) -> Report:
    return Report(
        schema=SCHEMA,
        commit=_commit(),
        machine=Machine(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            kernel=platform.release(),
            python=platform.python_version(),
        ),
        versions={**{name: version(name) for name in PACKAGES}, "h2load": h2load.version()},
        settings=Settings(sampling=SAMPLE_RATIO, candidates=len(TARGETS), view="none"),
        figures=figures,
    )


def write(document: Report, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def show(document: Report) -> None:
    """Print the figures as a table, and what makes them doubtful."""
    table = Table(title=f"Signalbox {document.commit} on {document.machine.cpu}, Python {document.machine.python}")
    for heading in ("figure", "median", "unit", "spread", "floor", "ratio", "goal", "met"):
        table.add_column(heading, justify="left" if heading in ("figure", "unit", "goal", "met") else "right")
    for figure in document.figures:
        table.add_row(*_row(figure))
    console = Console(width=120)
    console.print(table)
    for doubt in _doubts({figure.name: figure.median for figure in document.figures}):
        console.print(doubt)


def _doubts(medians: Mapping[str, float]) -> Iterator[str]:
    if medians["foreign_cpu"] > NOISE:
        yield f"Others had {medians['foreign_cpu']:.0%} of the server's core: the latencies are theirs as much as ours."
    if medians["complete_wall"] < (1 - 2 * NOISE) * medians["complete"]:
        yield "The server's core was not busy all the time: load and upstream could not keep up on theirs."


def _row(figure: Figure) -> Sequence[str]:
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    floor = "" if figure.floor_median is None else f"{figure.floor_median:,g}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    spread = f"{figure.spread:.0%}"
    return (figure.name, f"{figure.median:,g}", figure.unit, spread, floor, ratio, figure.goal or "", met)


def _commit() -> str:
    """With `-dirty` where the tree differs from it; empty outside a checkout."""
    command = ["git", "--no-optional-locks", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
