"""h2load, the load generator for single calls: written in C, it takes little of the core that it shares."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import MeasurementFailed

GRPC_HEADERS = {"content-type": "application/grpc", "te": "trailers", "grpc-timeout": "30S"}
JSON_HEADERS = {"content-type": "application/json"}
RUN_WITHIN_S = 60.0
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What to send where: `body` to `url`, over HTTP/2, or over HTTP/1.1 where the server speaks that."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    is_http1: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much of it: `calls` in all, `in_flight` at any time, spread over `connections`."""

    calls: int
    in_flight: int
    connections: int


def rate(shot: Shot, load: Load, scratch: Path) -> float:
    """Calls per second over the whole run, connecting included."""
    output = _run(shot, load, scratch)
    found = re.search(r"finished in ([\d.]+)(s|ms|us), ", output)
    if found is None:
        raise MeasurementFailed(f"h2load said nothing of the time it took:\n{output}")
    return load.calls / (float(found[1]) * SECONDS[found[2]])


def latencies_s(shot: Shot, load: Load, scratch: Path) -> Sequence[float]:
    """The time of each call from its start to the end of the answer, to the microsecond, in no order."""
    log = scratch / "h2load.tsv"
    log.unlink(missing_ok=True)
    _run(shot, load, scratch, f"--log-file={log}")
    return [int(line.split(b"\t")[2]) / 1e6 for line in log.read_bytes().splitlines()]


def version() -> str:
    """Raises MeasurementFailed where h2load is not installed."""
    found = shutil.which("h2load")
    if found is None:
        raise MeasurementFailed("h2load is missing; on Debian and Ubuntu: apt-get install nghttp2-client")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=RUN_WITHIN_S)
    return said.stdout.strip().rpartition("/")[2]


def _run(shot: Shot, load: Load, scratch: Path, *options: str) -> str:
    body = scratch / "h2load.body"
    body.write_bytes(shot.body)
    protocol = ["--h1"] if shot.is_http1 else ["-m", str(load.in_flight // load.connections)]
    headers = [word for name, value in shot.headers.items() for word in ("-H", f"{name}: {value}")]
    size = ["-n", str(load.calls), "-c", str(load.connections)]
    command = ["h2load", *size, *protocol, *headers, *options, "-d", str(body), shot.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_WITHIN_S)
    if done.returncode or f" {load.calls} succeeded" not in done.stdout:
        raise MeasurementFailed(f"h2load could not make {load.calls} calls to {shot.url}:\n{done.stdout}{done.stderr}")
    return done.stdout
