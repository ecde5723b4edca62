"""The report: the figures with the machine, versions and settings they hold for, as JSON and as a table."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks import h2load
from benchmarks.figures import Figure
from benchmarks.rig import SAMPLE_RATIO, TARGETS

SCHEMA = 1
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("signalbox", "grpcio", "protobuf", "aiohttp", "uvloop", "msgspec", "opentelemetry-sdk")
MEASURED = ("router_service", "prober", "protos", "benchmarks/*.py", "requirements.txt")


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
class Peer:
    """Another router, or Signalbox itself measured as they were.

    `times` is how many completions Signalbox serves with the CPU time that this one spends on one.
    """

    name: str
    version: str
    protocol: str
    figures: Sequence[Figure]
    times: float | None
    goal: str | None
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The document as it is written. `figures` are of `make bench`, `peers` of `make bench-peers`."""

    schema: int
    commit: str
    machine: Machine
    versions: Mapping[str, str]
    settings: Settings
    figures: Sequence[Figure]
    peers: Sequence[Peer] = ()


def report(figures: Sequence[Figure] = (), peers: Sequence[Peer] = ()) -> Report:
    """What was measured here and now, of this commit."""
    return Report(
        schema=SCHEMA,
        commit=_commit(),
        machine=Machine(
            cpu=_cpu(),
            cores=os.cpu_count() or 1,
            # What follows the number is of whoever built it.
            kernel=platform.release().partition("-")[0],
            python=platform.python_version(),
        ),
        versions={**{name: version(name) for name in PACKAGES}, "h2load": h2load.version()},
        settings=Settings(sampling=SAMPLE_RATIO, candidates=len(TARGETS), view="none"),
        figures=figures,
        peers=peers,
    )


def joined(fresh: Report, path: Path) -> Report:
    """`fresh` with the half that it lacks from the report at `path`, where that is of the same commit and machine."""
    if not path.exists():
        return fresh
    earlier = read(path)
    if (earlier.schema, earlier.commit, earlier.machine) != (fresh.schema, fresh.commit, fresh.machine):
        return fresh
    return replace(fresh, figures=fresh.figures or earlier.figures, peers=fresh.peers or earlier.peers)


def read(path: Path) -> Report:
    return msgspec.json.decode(path.read_bytes(), type=Report)


def write(document: Report, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def _commit() -> str:
    """With `-dirty` where anything that is measured, or measures, differs from it; empty outside a checkout."""
    git = ["git", "--no-optional-locks", "-C", str(ROOT)]
    try:
        done = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        differs = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", *MEASURED], capture_output=True, check=False)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip() + ("-dirty" if differs.returncode else "")


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
