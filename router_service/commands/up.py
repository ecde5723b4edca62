"""`signalbox up`: simulator, prober and router under one supervisor, a demonstration, and what to try next."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from router_service.commands import options
from router_service.commands.configuration import find_config, load_settings, needs_simulator
from router_service.commands.demonstration import Addresses, demonstrate, what_next
from router_service.commands.failure import ExitCode, Failure, usage_failure
from router_service.commands.invocation import program
from router_service.commands.modules import module_command
from router_service.commands.streams import say
from router_service.core.settings import Settings
from router_service.core.simulation import SimulatorSettings
from router_service.supervisor import Part, PartFailed, Supervisor, write_ready_file

QUIET = "warning"
"""A line for each request would bury what is shown here; SIGNALBOX_LOG_LEVEL=info brings them back."""
STOP_S = 5.0
"""For the parts that have nothing to finish; the router's time is its drain and a little more."""


@click.command
@options.config
@click.option("--router-address", metavar="HOST:PORT", help="Else the configuration's; port 0 takes a free one.")
@click.option("--prober-address", metavar="HOST:PORT", help="Else the configuration's; port 0 takes a free one.")
@click.option("--simulator-address", metavar="HOST:PORT", help="Else 127.0.0.1:8790; port 0 takes a free one.")
@options.data_dir
@options.ready_file
@click.option("--demo/--no-demo", "has_demo", default=True, help="Whether to show a completion and a stream.")
def command(
    *,
    config: str | None,
    router_address: str | None,
    prober_address: str | None,
    simulator_address: str | None,
    data_dir: Path,
    ready_file: Path | None,
    has_demo: bool,
) -> int:
    """Run everything on this machine until Ctrl-C. The simulator runs only where the configuration asks for it."""
    path = find_config(config)
    settings = load_settings(path)
    wishes = _Wishes(
        config=path,
        settings=settings,
        router_address=router_address or settings.server.address,
        prober_address=prober_address or settings.prober.address,
        simulator_address=simulator_address or SimulatorSettings().address,
        data_dir=data_dir,
        ready_file=ready_file,
        has_demo=has_demo,
    )
    with _run_directory(data_dir) as directory:
        return asyncio.run(_up(wishes, directory))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What the command line and the configuration say together."""

    config: Path | None
    settings: Settings
    router_address: str
    prober_address: str
    simulator_address: str
    data_dir: Path
    ready_file: Path | None
    has_demo: bool


async def _up(wishes: _Wishes, directory: Path) -> int:
    supervisor = Supervisor(directory, say)
    with _listening(supervisor) as told:
        try:
            async with told.until_told():
                await _run(wishes, directory, supervisor)
        except PartFailed as error:
            ending = ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILED
            raise Failure(str(error), ending=ending, code="UNAVAILABLE", advice="its own words stand above") from error
        finally:
            await supervisor.stop()
    return ExitCode.INTERRUPTED if signal.SIGINT in told.heard else ExitCode.GOOD


async def _run(wishes: _Wishes, directory: Path, supervisor: Supervisor) -> None:
    addresses = await _start(wishes, directory, supervisor)
    if wishes.ready_file is not None:
        with _writing(wishes.ready_file):
            write_ready_file(wishes.ready_file, addresses.named())
    say(f"Serving: {', '.join(f'{name} {address}' for name, address in addresses.named())}.")
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.keep())
        answer = await demonstrate(addresses.router, say) if wishes.has_demo else None
        say(what_next(addresses, answer.provider if answer else "", program(sys.argv[0], sys.executable)))


async def _start(wishes: _Wishes, directory: Path, supervisor: Supervisor) -> Addresses:
    """In the order in which they need each other: the prober probes the simulator, the router listens to the prober."""
    simulator = ""
    if needs_simulator(wishes.settings):
        simulator = await supervisor.start(_simulator(wishes, directory))
    common = [*_given("--config", wishes.config), *_given("--simulator-address", simulator)]
    common += ["--data-dir", str(wishes.data_dir), "--log-level", os.environ.get("SIGNALBOX_LOG_LEVEL") or QUIET]
    prober = await supervisor.start(
        Part(
            name="prober",
            command=tuple(module_command("prober", common)),
            address_flag="--prober-address",
            address=wishes.prober_address,
            stop_s=STOP_S,
        )
    )
    router = await supervisor.start(
        Part(
            name="router",
            command=tuple(module_command("router_service", ["serve", *common, "--lame-duck", "0"])),
            address_flag="--router-address",
            address=wishes.router_address,
            stop_s=wishes.settings.server.drain_s + STOP_S,
        )
    )
    return Addresses(simulator=simulator, prober=prober, router=router)


def _simulator(wishes: _Wishes, directory: Path) -> Part:
    return Part(
        name="simulator",
        command=tuple(
            module_command("router_service.simulator", _behaviour_arguments(wishes.settings.simulator, directory))
        ),
        address_flag="--simulator-address",
        address=wishes.simulator_address,
        stop_s=STOP_S,
    )


def _behaviour_arguments(settings: SimulatorSettings, directory: Path) -> list[str]:
    """The configuration's simulated providers in the form that the simulator's own command line takes."""
    file = directory / "behaviours.json"
    with _writing(file):
        file.write_bytes(msgspec.json.encode(dict(settings.behaviours)))
    log = _given("--log", settings.log_path)
    return ["--behaviour", str(file), "--seed", str(settings.seed), "--log-capacity", str(settings.log_capacity), *log]


def _given(flag: str, value: Path | str | None) -> list[str]:
    return [flag, str(value)] if value else []


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last one comes when the terminal is closed. The parts, in sessions of their own, would not notice."""


class _Told:
    """Signals as they come: the first ends the work; one that comes while the parts are stopped ends them at once."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.heard: list[signal.Signals] = []
        self._supervisor = supervisor
        self._work: asyncio.Timeout | None = None

    def hear(self, number: signal.Signals) -> None:
        self.heard.append(number)
        if self._work is None:
            self._supervisor.kill()
        else:
            self._work.reschedule(asyncio.get_running_loop().time())
            self._work = None

    @asynccontextmanager
    async def until_told(self) -> AsyncIterator[None]:
        """Run the body until it ends or a signal comes, whichever is first."""
        try:
            async with asyncio.timeout(None) as self._work:
                yield
        except TimeoutError:
            if not self.heard:
                raise
        finally:
            self._work = None


@contextmanager
def _listening(supervisor: Supervisor) -> Iterator[_Told]:
    loop, told = asyncio.get_running_loop(), _Told(supervisor)
    for number in _ENDINGS:
        loop.add_signal_handler(number, told.hear, number)
    try:
        yield told
    finally:
        for number in _ENDINGS:
            loop.remove_signal_handler(number)


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    """The body writes a file; that it cannot, for want of space for example, is told with the file's name."""
    try:
        yield
    except OSError as error:
        raise usage_failure(f"{file} cannot be written: {error.strerror}") from error


@contextmanager
def _run_directory(data_dir: Path) -> Iterator[Path]:
    """A directory for this run alone, gone at its end."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="up-", dir=data_dir))
    except OSError as error:
        what = f"{data_dir} cannot be used as the data directory: {error.strerror}"
        raise usage_failure(what, field="--data-dir") from error
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
