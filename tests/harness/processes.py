"""Signalbox's processes as a test sees them: started with a ready file, ended by pid, their stderr kept."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

SIGNALBOX = str(Path(sys.executable).with_name("signalbox"))
SLOWER_IN_CI = 3 if os.environ.get("CI") == "true" else 1
START_S = 15.0
ANY_METRICS = ("--metrics-address", "127.0.0.1:0")
"""Tests run beside each other, and beside whatever else runs here."""


def free_port() -> int:
    """A port that is free now, for a process that must come back at the same address after it was killed."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_until(is_so: Callable[[], bool], *, within_s: float, what: str) -> float:
    """Poll until `is_so`, and return how long it took; fails with `what` when the bound is over."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"{what}: not within {within_s} s")
        time.sleep(0.02)
    return time.monotonic() - began


@dataclass(kw_only=True)
class Process:
    """A command that writes a ready file once it serves."""

    command: Sequence[str]
    directory: Path
    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: dict[str, str] = field(default_factory=dict)
    _popen: subprocess.Popen[bytes] | None = None

    def start(self) -> Process:
        ready_file = self.directory / f"{self.name}.ready"
        ready_file.unlink(missing_ok=True)
        with self.stderr_path.open("ab") as log:
            self._popen = subprocess.Popen(
                [*self.command, "--ready-file", str(ready_file)],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={**os.environ, "SIGNALBOX_DATA_DIR": str(self.directory), **self.environment},
                start_new_session=True,
            )
        began = time.monotonic()
        while not ready_file.exists():
            if self._popen.poll() is not None or time.monotonic() - began > START_S * SLOWER_IN_CI:
                raise AssertionError(f"{self.name} did not start:\n{self.stderr()}")
            time.sleep(0.01)
        self.ready = json.loads(ready_file.read_text())
        return self

    @property
    def stderr_path(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    def stderr(self) -> str:
        return self.stderr_path.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, *, within_s: float) -> int:
        assert self._popen is not None
        return self._popen.wait(within_s)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait(5)

    def end(self) -> None:
        """However it stands, it is over after this: asked first, then made to."""
        if self._popen is None or self._popen.poll() is not None:
            return
        self._popen.send_signal(signal.SIGCONT)
        self._popen.send_signal(signal.SIGINT)
        try:
            self._popen.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for a Unix socket's name, which may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sb-") as path:
        yield Path(path)


@contextmanager
def running(*processes: Process) -> Iterator[None]:
    """All of them started in order, and ended in reverse."""
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.end)
            process.start()
        yield


def simulator(directory: Path, *, name: str = "simulator", port: int = 0, behaviours: object = None) -> Process:
    """Providers that answer at once, unless `behaviours` says otherwise."""
    path = directory / f"{name}.json"
    path.write_text(json.dumps(behaviours or {"*": {}}))
    command = [SIGNALBOX, "simulate", "--simulator-address", f"127.0.0.1:{port}", "--behaviour", str(path)]
    return Process(command=command, directory=directory, name=name)


def prober(directory: Path, config: Path, *, port: int = 0) -> Process:
    address = f"127.0.0.1:{port}"
    command = [SIGNALBOX, "prober", "--config", str(config), "--prober-address", address, *ANY_METRICS]
    return Process(command=[*command, "--data-dir", str(directory)], directory=directory, name="prober")


def router(directory: Path, config: Path, *, port: int = 0, environment: Mapping[str, str] | None = None) -> Process:
    command = [SIGNALBOX, "serve", "--config", str(config), "--router-address", f"127.0.0.1:{port}", *ANY_METRICS]
    return Process(
        command=[*command, "--data-dir", str(directory)],
        directory=directory,
        name="router",
        environment=environment or {},
    )
