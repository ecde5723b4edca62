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

import msgspec
from signalbox.v1.router_pb2 import CompleteResponse

from router_service import config as configuration
from router_service.commands.configuration import config_or_simulated, find_config, load_settings, needs_simulator
from router_service.commands.demonstration import Addresses, Door, demonstrate, what_next
from router_service.commands.failure import ExitCode, Failure, usage_failure
from router_service.commands.invocation import program
from router_service.commands.modules import tethered_command
from router_service.commands.streams import say
from router_service.core.settings import Settings
from router_service.core.simulation import SimulatorSettings
from router_service.rpc.process import CannotSayReady, exit_code, raise_open_files, write_ready_file
from router_service.supervisor import Part, PartFailed, Port, Supervisor

STOP_S = 5.0
LOOK_S = 1.0
"""How long it is looked who else serves at an address."""
"""For the parts that have nothing to finish; the router's time is its drain and a little more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the command line says about which configuration runs."""

    config: str | None
    wants_simulated: bool
    wants_llm7: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the command line says beside that; an address that is None is the configuration's."""

    router_address: str | None
    prober_address: str | None
    metrics_address: str | None
    simulator_address: str | None
    data_dir: Path
    ready_file: Path | None
    log_level: str
    has_demo: bool


def run(chosen: Chosen, given: Given) -> int:
    """Run everything until Ctrl-C, and return the exit code."""
    raise_open_files()  # for the parts, which inherit it
    with _run_directory(given.data_dir) as directory:
        path = _configuration(chosen, directory)
        wishes = _Wishes(config=path, settings=load_settings(path), given=given)
        return asyncio.run(_up(wishes, directory))


def _configuration(chosen: Chosen, directory: Path) -> Path | None:
    """The file to run, None for the shipped one. What nobody named is said."""
    if sum((chosen.config is not None, chosen.wants_simulated, chosen.wants_llm7)) > 1:
        raise usage_failure("--config, --simulated and --llm7 exclude each other", field="--config")
    if chosen.wants_simulated:
        return configuration.simulated()
    if chosen.wants_llm7:
        return _with_llm7(directory)
    path = config_or_simulated(chosen.config)
    if path == configuration.simulated():
        say("There is no configuration, and no key of a shipped provider: running on simulated providers.")
    return path


def _with_llm7(directory: Path) -> Path:
    """A file of this run that switches the shipped provider on."""
    if own := find_config(None):
        raise usage_failure(
            f"--llm7 is for the shipped configuration; write into {own}: providers: [{{name: llm7, enabled: true}}]",
            field="--llm7",
        )
    say("LLM7.io is on: it wants no key, and whatever is sent there is in strangers' hands.")
    file = directory / "signalbox.yaml"
    with _writing(file):
        file.write_text("version: 1\nextends: shipped\nproviders: [{name: llm7, enabled: true}]\n")
    return file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What the command line and the configuration say together."""

    config: Path | None
    settings: Settings
    given: Given

    @property
    def router_address(self) -> str:
        return self.given.router_address or self.settings.server.address

    @property
    def prober_address(self) -> str:
        return self.given.prober_address or self.settings.prober.address

    @property
    def simulator_address(self) -> str:
        return self.given.simulator_address or SimulatorSettings().address


async def _up(wishes: _Wishes, directory: Path) -> int:
    supervisor = Supervisor(directory, say)
    with _listening(supervisor) as told:
        try:
            async with told.until_told():
                await _run(wishes, directory, supervisor)
        except PartFailed as error:
            ending = ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILED
            raise Failure(str(error), ending=ending, code="UNAVAILABLE", advice=await _advice(error)) from error
        finally:
            await supervisor.stop()
    return exit_code(told.heard)


async def _advice(error: PartFailed) -> str:
    """Who serves where the part would have is most likely another of us."""
    if error.exit_code != ExitCode.USAGE or not await _is_served(error.address):
        return "its own words stand above"
    return (
        f"another instance seems to run, since something serves at {error.address}; stop it, or give this one "
        "addresses with port 0 and a --data-dir of its own"
    )


async def _is_served(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(LOOK_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError):
        return False
    writer.close()
    return True


async def _run(wishes: _Wishes, directory: Path, supervisor: Supervisor) -> None:
    addresses = await _start(wishes, directory, supervisor)
    if wishes.given.ready_file is not None:
        _write_ready_file(wishes.given.ready_file, addresses)
    say(f"Serving: {', '.join(f'{name} {address}' for name, address in addresses.named())}.")
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.keep())
        answer = await _demonstrated(wishes, addresses) if wishes.given.has_demo else None
        door = Door(has_tls=wishes.settings.server.tls is not None, has_keys=bool(wishes.settings.tenants))
        say(what_next(addresses, answer.provider if answer else "", program(sys.argv[0], sys.executable), door))


async def _demonstrated(wishes: _Wishes, addresses: Addresses) -> CompleteResponse | None:
    """The answer of the demonstration, None where there was none, for want of what the router asks for, for example."""
    asked = [("SIGNALBOX_API_KEY", bool(wishes.settings.tenants)), ("SIGNALBOX_CA", wishes.settings.server.tls)]
    if missing := [name for name, is_asked in asked if is_asked and not os.environ.get(name)]:
        say(f"\n  No demonstration: the router asks for what is not in the environment, {' and '.join(missing)}.")
        return None
    return await demonstrate(addresses.router, say)


async def _start(wishes: _Wishes, directory: Path, supervisor: Supervisor) -> Addresses:
    """In the order in which they need each other: the prober probes the simulator, the router listens to the prober."""
    simulator = ""
    if needs_simulator(wishes.settings):
        simulator = await supervisor.start(_simulator(wishes, directory))
    common = [*_given("--config", wishes.config), *_given("--simulator-address", simulator)]
    common += ["--data-dir", str(wishes.given.data_dir), "--log-level", wishes.given.log_level]
    prober = await supervisor.start(
        Part(
            name="prober",
            command=tethered_command("prober", common, stop_s=STOP_S),
            address_flag="--prober-address",
            address=wishes.prober_address,
            stop_s=STOP_S,
        )
    )
    router_stop_s = wishes.settings.server.drain_s + STOP_S
    metrics = wishes.given.metrics_address
    router = await supervisor.start(
        Part(
            name="router",
            command=tethered_command("router_service", ["serve", *common, "--lame-duck", "0"], stop_s=router_stop_s),
            address_flag="--router-address",
            address=wishes.router_address,
            stop_s=router_stop_s,
            further=(Port(name="metrics", flag="--metrics-address", address=metrics),) if metrics else (),
        )
    )
    page = supervisor.address_of("router", "metrics")
    return Addresses(simulator=simulator, prober=prober, router=router, metrics=page)


def _simulator(wishes: _Wishes, directory: Path) -> Part:
    return Part(
        name="simulator",
        command=tethered_command(
            "router_service.simulator", _behaviour_arguments(wishes.settings.simulator, directory), stop_s=STOP_S
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


def _write_ready_file(path: Path, addresses: Addresses) -> None:
    try:
        write_ready_file(path, addresses.named())
    except CannotSayReady as error:
        raise usage_failure(str(error), field="--ready-file") from error


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
