"""Simulator, prober and router for one scenario: processes of their own, gone when it is over."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from signalbox.v1.router_pb2 import PLAN_VIEW_FULL, Candidate
from signalbox_client import AsyncClient

from router_service.commands.demo.simulator import Simulator
from router_service.commands.modules import tethered_command
from router_service.config.addresses import MAX_UNIX_PATH_BYTES
from router_service.core.addresses import prober_socket
from router_service.supervisor import Part, PartFailed, Supervisor

ANY_PORT = "127.0.0.1:0"
STOP_S = 8.0
SETTLED_S = 30.0
HEALTH = "health"
LOOK_AGAIN_S = 0.1
CHANNELS = 2
SHORT_TEMPORARY = Path("/tmp")  # noqa: S108 - a directory of our own is made in it


class NotSettled(Exception):
    """The targets of a scenario did not all become healthy; names those that did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a scenario plays on: the router to ask, and the simulator that saw what came of it."""

    client: AsyncClient
    simulator: Simulator


@asynccontextmanager
async def staged(configuration: Path, *, seed: int) -> AsyncIterator[Stage]:
    """Everything started and every target healthy; everything stopped at the end. Raises PartFailed and NotSettled.

    What the processes say goes into a file, and to people only where one of them does not start.
    """
    with _directory() as directory, (directory / "said.log").open("wb") as said:
        supervisor = Supervisor(directory, _say_nothing, output=said.fileno())
        try:
            try:
                simulator, router = await _start(supervisor, configuration, directory, seed)
            except PartFailed as error:
                raise PartFailed(f"{error}: {_last_words(directory)}", exit_code=error.exit_code) from error
            async with AsyncClient(router, channels=CHANNELS) as client:
                await _settled(client)
                yield Stage(client=client, simulator=Simulator(simulator))
        finally:
            try:
                await supervisor.stop()
            except asyncio.CancelledError:
                supervisor.kill()
                raise


async def _start(supervisor: Supervisor, configuration: Path, directory: Path, seed: int) -> tuple[str, str]:
    """The simulator's and the router's addresses."""
    config = ["--config", str(configuration)]
    simulator = await supervisor.start(_part("simulator", "router_service", ["simulate", *config, "--seed", str(seed)]))
    common = [*config, "--simulator-address", simulator, "--data-dir", str(directory), "--log-level", "warning"]
    await supervisor.start(_part("prober", "prober", common))
    router = await supervisor.start(_part("router", "router_service", ["serve", *common, "--lame-duck", "0"]))
    return simulator, router


def _part(name: str, module: str, arguments: Sequence[str]) -> Part:
    command = tethered_command(module, arguments, stop_s=STOP_S)
    return Part(name=name, command=command, address_flag=f"--{name}-address", address=ANY_PORT, stop_s=STOP_S)


async def _settled(client: AsyncClient) -> None:
    """Wait until the router knows every target to be well: until each earns all the points that health gives.

    What is known of one target and not yet of another would tip decisions that are close.
    """
    ill = ["nobody has answered"]
    try:
        async with asyncio.timeout(SETTLED_S):
            while True:
                plan = await client.route(estimated_input_tokens=1, view=PLAN_VIEW_FULL)
                ill = [candidate.target for candidate in plan.candidates if not _is_well(candidate)]
                if not ill:
                    return
                await asyncio.sleep(LOOK_AGAIN_S)
    except TimeoutError as error:
        raise NotSettled(f"not healthy after {SETTLED_S:g} s: {', '.join(ill)}") from error


def _is_well(candidate: Candidate) -> bool:
    return any(factor.name == HEALTH and factor.points >= factor.max_points for factor in candidate.factors)


@contextmanager
def _directory() -> Iterator[Path]:
    """For sockets and ready files. Raises PartFailed where none can be made with a path that is short enough."""
    directory = Path(tempfile.mkdtemp(prefix="sb-", dir=_short_parent()))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _short_parent() -> Path:
    """The directory for temporary files, or the system's own where a Unix socket in that would have too long a path."""
    usual = Path(tempfile.gettempdir())
    for parent in (usual, SHORT_TEMPORARY):
        longest = prober_socket(parent / "sb-00000000")
        if len(os.fsencode(longest)) <= MAX_UNIX_PATH_BYTES and os.access(parent, os.W_OK | os.X_OK):
            return parent
    what = f"{usual} has too long a path for Unix sockets, and nothing can be written to {SHORT_TEMPORARY}"
    raise PartFailed(f"{what}: set TMPDIR to a directory with a shorter path", exit_code=None)


def _last_words(directory: Path) -> str:
    lines = (directory / "said.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _say_nothing(_text: str) -> None:
    """A scenario's own checks tell what matters."""
