"""Simulator, prober and router for one scenario: processes of their own, gone when it is over."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from signalbox.v1.health_feed_pb2 import HEALTH_STATE_HEALTHY
from signalbox_client import AsyncAdminClient, AsyncClient

from router_service.commands.demo.simulator import Simulator
from router_service.commands.modules import module_command
from router_service.supervisor import Part, PartFailed, Supervisor

ANY_PORT = "127.0.0.1:0"
STOP_S = 8.0
HEALTHY_S = 20.0
LOOK_AGAIN_S = 0.1
CHANNELS = 2


class NotHealthy(Exception):
    """The targets of a scenario did not all become healthy; names those that did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a scenario plays on: the router to ask, and the simulator that saw what came of it."""

    client: AsyncClient
    simulator: Simulator


@asynccontextmanager
async def staged(configuration: Path, *, seed: int) -> AsyncIterator[Stage]:
    """Everything started and every target healthy; everything stopped at the end. Raises PartFailed and NotHealthy.

    What the processes say goes into a file, and to people only where one of them does not start.
    """
    with _directory() as directory, (directory / "said.log").open("wb") as said:
        supervisor = Supervisor(directory, _say_nothing, output=said.fileno())
        try:
            try:
                simulator, router = await _start(supervisor, configuration, directory, seed)
            except PartFailed as error:
                raise PartFailed(f"{error}: {_last_words(directory)}", exit_code=error.exit_code) from error
            await _healthy(router)
            async with AsyncClient(router, channels=CHANNELS) as client:
                yield Stage(client=client, simulator=Simulator(simulator))
        finally:
            await supervisor.stop()


async def _start(supervisor: Supervisor, configuration: Path, directory: Path, seed: int) -> tuple[str, str]:
    """The simulator's and the router's addresses."""
    config = ["--config", str(configuration)]
    simulator = await supervisor.start(
        _part("simulator", module_command("router_service.cli", ["simulate", *config, "--seed", str(seed)]))
    )
    common = [*config, "--simulator-address", simulator, "--data-dir", str(directory), "--log-level", "warning"]
    await supervisor.start(_part("prober", module_command("prober", common)))
    router = await supervisor.start(
        _part("router", module_command("router_service.cli", ["serve", *common, "--lame-duck", "0"]))
    )
    return simulator, router


def _part(name: str, command: list[str]) -> Part:
    return Part(name=name, command=tuple(command), address_flag=f"--{name}-address", address=ANY_PORT, stop_s=STOP_S)


async def _healthy(router: str) -> None:
    """Wait until the router has heard that every target is well, so that all of them begin alike."""
    async with AsyncAdminClient(router) as admin:
        ill: list[str] = []
        try:
            async with asyncio.timeout(HEALTHY_S):
                while True:
                    ill = [t.id async for t in admin.list_targets() if t.health.state != HEALTH_STATE_HEALTHY]
                    if not ill:
                        return
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError as error:
            raise NotHealthy(f"not healthy within {HEALTHY_S:g} s: {', '.join(ill)}") from error


@contextmanager
def _directory() -> Iterator[Path]:
    """For sockets and ready files. Its path is short, because that of a Unix socket may have 107 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="sb-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _last_words(directory: Path) -> str:
    lines = (directory / "said.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _say_nothing(_text: str) -> None:
    """A scenario's own checks tell what matters."""
