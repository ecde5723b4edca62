"""Processes under measurement: started on a core of their own, awaited, weighed, and stopped whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN_S = 20.0
STOPPED_WITHIN_S = 5.0
LOOK_EVERY_S = 0.001
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOG_TAIL_CHARACTERS = 2000


class MeasurementFailed(Exception):
    """No figure can be had, or the one that was had is wrong; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that serves. `spawned` is when it was started, on the monotonic clock."""

    name: str
    address: str
    spawned: float
    _popen: subprocess.Popen[bytes]
    _log: Path

    def cpu_s(self) -> float:
        """CPU time that all its threads have used so far, in the kernel's ticks of mostly 10 ms."""
        self.must_live()
        fields = Path(f"/proc/{self._popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def resident_mib(self) -> float:
        """Memory that it holds now, shared pages included."""
        self.must_live()
        lines = Path(f"/proc/{self._popen.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def must_live(self) -> None:
        """Raises MeasurementFailed with the end of its log where the process has ended."""
        if (code := self._popen.poll()) is not None:
            tail = self._log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
            raise MeasurementFailed(f"the {self.name} ended with exit code {code}; the end of its log:\n{tail}")


@contextmanager
def serving(name: str, arguments: Sequence[str], *, core: int, scratch: Path) -> Iterator[Process]:
    """Run `python ARGUMENTS --ready-file …` on `core` until the block ends; its output goes to a log in `scratch`.

    The file that it writes once it serves names its address under `name`.
    """
    ready, log = scratch / f"{name}.ready.json", scratch / f"{name}.log"
    ready.unlink(missing_ok=True)
    spawned = time.monotonic()
    popen = _spawn([sys.executable, *arguments, "--ready-file", str(ready)], core=core, log=log)
    try:
        starting = Process(name=name, address="", spawned=spawned, _popen=popen, _log=log)
        address = _address(starting, ready)
        yield Process(name=name, address=address, spawned=spawned, _popen=popen, _log=log)
    finally:
        _stop(popen)


@contextmanager
def listening(
    name: str, command: Sequence[str], *, port: int, environment: Mapping[str, str], core: int, scratch: Path
) -> Iterator[Process]:
    """Run a program of others, which says nothing when it serves: whoever asks it has to try.

    It has only this environment and works in a directory of its own in `scratch`, where its log is too.
    """
    home = scratch / name
    home.mkdir(exist_ok=True)
    log = home / "output.log"
    spawned = time.monotonic()
    popen = _spawn(command, core=core, log=log, home=home, environment={**environment, "HOME": str(home)})
    try:
        yield Process(name=name, address=f"127.0.0.1:{port}", spawned=spawned, _popen=popen, _log=log)
    finally:
        _stop(popen)


def core_busy_s(core: int) -> float:
    """Time since the machine's start that one core has spent on anything but waiting, its interrupts included.

    Interrupts are part of the processes' own times too: on loopback they are the network's share of a call.
    """
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) for word in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def _spawn(
    command: Sequence[str],
    *,
    core: int,
    log: Path,
    home: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """A child inherits its maker's core, and so do its threads: set afterwards, some threads would run elsewhere."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home, env=environment
            )
    finally:
        os.sched_setaffinity(0, mine)


def _address(process: Process, ready: Path) -> str:
    until = time.monotonic() + READY_WITHIN_S
    while not ready.exists():
        process.must_live()
        if time.monotonic() > until:
            raise MeasurementFailed(f"the {process.name} did not serve within {READY_WITHIN_S:.0f} s")
        time.sleep(LOOK_EVERY_S)
    return str(json.loads(ready.read_bytes())[process.name])


def _stop(popen: subprocess.Popen[bytes]) -> None:
    popen.terminate()
    try:
        popen.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
