"""Keeps a handful of processes running beside each other: starts them in order, restarts one that dies, stops them all.

Each part runs in a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops them one by one.
Its standard input is a pipe from the supervisor, on which nothing is ever sent: that it ends tells a part that the
supervisor is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

READY_S = 30.0
LOOK_AGAIN_S = 0.02
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0
STEADY_S = 30.0
"""After so long a run the next death counts as the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A further address of a part: the flag that sets it, and its name in the ready file."""

    name: str
    flag: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A process to run. `command` gets `address_flag address --ready-file PATH` added; its ready file, a JSON object,
    must hold the address under the part's name. After SIGTERM it has `stop_s` seconds.
    """

    name: str
    command: tuple[str, ...]
    address_flag: str
    address: str
    stop_s: float
    further: tuple[Port, ...] = ()


class PartFailed(Exception):
    """A part did not come to serve at `address`. `exit_code` is its own, None where it was too slow."""

    def __init__(self, message: str, *, exit_code: int | None, address: str = "") -> None:
        super().__init__(message)
        self.address = address
        self.exit_code = exit_code


class Supervisor:
    """The parts that run, in the order of their start. `directory` takes their ready files; `say` tells people.

    `output` is the descriptor of the file that takes what the parts say; stderr, with everything else that is for
    people, unless told otherwise.
    """

    def __init__(self, directory: Path, say: Callable[[str], None], *, output: int = 2) -> None:
        self._directory = directory
        self._say = say
        self._output = output
        self._running: dict[str, _Running] = {}

    async def start(self, part: Part) -> str:
        """Start a part and wait until it serves; returns its address. Raises PartFailed."""
        running = await self._spawn(part)
        self._running[part.name] = running
        address = await self._serving(running)
        # Whoever knows the address by now must find the part there after a restart too, also where the port was 0.
        further = [replace(port, address=running.address(port.name) or port.address) for port in part.further]
        running.part = replace(part, address=address, further=tuple(further))
        return address

    def address_of(self, part: str, name: str) -> str:
        """What else a part that serves named in its ready file, empty where it named none."""
        return self._running[part].address(name) or ""

    async def keep(self) -> None:
        """Restart each part that dies, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for running in self._running.values():
                group.create_task(self._keep(running))

    async def stop(self) -> None:
        """Stop all parts, the last one first, each within its own time."""
        for running in reversed(self._running.values()):
            _send(running.process, signal.SIGTERM)
            try:
                async with asyncio.timeout(running.part.stop_s):
                    await running.process.wait()
            except TimeoutError:
                self._say(f"{running.part.name} did not stop within {running.part.stop_s:g} s and is killed")
                _send_all(running.process, signal.SIGKILL)
                await running.process.wait()

    def kill(self) -> None:
        """End all parts at once; `stop` then finds them gone."""
        for running in self._running.values():
            _send_all(running.process, signal.SIGKILL)

    async def _keep(self, running: _Running) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            started_at = loop.time()
            code = await running.process.wait()
            pause_s = FIRST_PAUSE_S if loop.time() - started_at > STEADY_S else pause_s
            self._say(f"{running.part.name} ended ({_ending(code)}); it is started again in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            running.process = (await self._spawn(running.part)).process
            try:
                address = await self._serving(running)
            except PartFailed as error:
                self._say(str(error))
                _send_all(running.process, signal.SIGKILL)
            else:
                self._say(f"{running.part.name} serves again at {address}")

    async def _spawn(self, part: Part) -> _Running:
        ready_file = self._directory / f"{part.name}.json"
        ready_file.unlink(missing_ok=True)
        further = [word for port in part.further for word in (port.flag, port.address)]
        arguments = (*part.command, part.address_flag, part.address, *further, "--ready-file", str(ready_file))
        process = await asyncio.create_subprocess_exec(
            *arguments,
            start_new_session=True,
            stdin=asyncio.subprocess.PIPE,
            stdout=self._output,
            stderr=self._output,
        )
        return _Running(part, process, ready_file)

    async def _serving(self, running: _Running) -> str:
        """The address once the part serves. Raises PartFailed when it ends before, or takes too long."""
        name, wanted = running.part.name, running.part.address
        try:
            async with asyncio.timeout(READY_S):
                while running.process.returncode is None:
                    if (address := running.address(name)) is not None:
                        return address
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError as error:
            raise PartFailed(f"{name} does not serve after {READY_S:g} s", address=wanted, exit_code=None) from error
        code = running.process.returncode
        raise PartFailed(f"{name} ended before it served ({_ending(code)})", address=wanted, exit_code=code)


@dataclass(slots=True)
class _Running:
    part: Part
    process: Process
    ready_file: Path

    def address(self, name: str) -> str | None:
        """The address of that name in the ready file, which is written in one step; None while there is none."""
        try:
            document = json.loads(self.ready_file.read_bytes())
        except FileNotFoundError:
            return None
        return str(document[name]) if name in document else None


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _send(process: Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


def _send_all(process: Process, number: signal.Signals) -> None:
    """To the whole session of a part that still runs: whatever it started ends with it."""
    if process.returncode is None:
        os.killpg(process.pid, number)
