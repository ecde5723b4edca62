"""The prober process: builds each object once, runs them in one TaskGroup, and stops them in reverse."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import grpc
import uvloop
from opentelemetry import trace
from signalbox.v1 import health_feed_pb2_grpc

from prober.exchange import Exchanges
from prober.merge import Picture
from prober.probe import CheapProbe
from prober.publish import HEALTH_FEED, EpochLost, Feed, next_epoch
from prober.schedule import Schedule
from router_service import config
from router_service.core.catalog import Provider
from router_service.core.settings import Settings
from router_service.core.simulation import SimulatorSettings
from router_service.rpc.call import CallFrame
from router_service.rpc.process import (
    CannotSayReady,
    check_ready_file,
    exit_code,
    hearing_signals,
    raise_open_files,
    write_ready_file,
)
from router_service.rpc.server import CannotListen, StandardServices, listen, new_server
from router_service.telemetry import logs, tracing
from router_service.telemetry.calls import CallTracing

USAGE = 2
MAX_MESSAGE_MIB = 4
STOP_S = 0.3
"""How long calls may go on once the end is asked for: what is said last is a heartbeat, and nobody misses it."""

LONGEST_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberOptions:
    """What the command line says beside the settings; no address leaves it to them."""

    config: str | None = None
    address: str | None = None
    data_dir: Path
    ready_file: Path | None = None
    simulator_address: str = SimulatorSettings().address

    def load(self) -> Settings:
        """What the configuration file says now. Raises ConfigError."""
        return config.load(
            config.find(self.config, os.environ),
            environ=os.environ,
            today=datetime.now(UTC).date(),
            simulator_address=self.simulator_address,
        )

    def files(self, settings: Settings) -> Sequence[Path]:
        return config.watched(config.find(self.config, os.environ), settings)


class CannotStart(Exception):
    """The process cannot do its work where it was put; the text is one line that says why and what to do."""


def main(argv: Sequence[str]) -> int:
    """Run the prober until it is told to stop; returns the process's exit code."""
    arguments = _parser().parse_args(argv)
    logs.setup(arguments.log_level)
    options = ProberOptions(
        config=arguments.config,
        address=arguments.prober_address,
        data_dir=arguments.data_dir,
        ready_file=arguments.ready_file,
        simulator_address=arguments.simulator_address,
    )
    try:
        settings = options.load()
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    return run(settings, options)


def run(settings: Settings, options: ProberOptions) -> int:
    """Serve and probe until SIGTERM or SIGINT; 130 after the latter."""
    try:
        if options.ready_file is not None:
            check_ready_file(options.ready_file)
        with _own_directory(options.data_dir), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings, options))
    except (CannotStart, CannotListen, CannotSayReady, EpochLost) as e:
        sys.stderr.write(f"prober: {e}\n")
        return USAGE


async def _run(settings: Settings, options: ProberOptions) -> int:
    spans = tracing.setup(settings.telemetry, service_name="signalbox-prober")
    clock = time.monotonic
    picture = Picture(settings.catalog, settings.prober, now=clock())
    feed = Feed(
        picture,
        settings.prober,
        epoch=next_epoch(options.data_dir),
        prober_id=f"prober-{secrets.token_hex(8)}",
        clock=clock,
    )
    rng = Random()
    ratio = settings.telemetry.sample_ratio
    frame = CallFrame(CallTracing(spans, sample_ratio=ratio, rng=rng) if spans is not None else None)
    server = new_server(frame, max_message_mib=MAX_MESSAGE_MIB)
    health_feed_pb2_grpc.add_HealthFeedServicer_to_server(feed, server)
    standard = StandardServices(server, (HEALTH_FEED,), has_reflection=True)
    address = listen(server, options.address or settings.prober.address, allow_remote=settings.prober.allow_remote)
    listen(server, f"unix:{_socket_path(options.data_dir)}", allow_remote=False)
    raise_open_files()
    tracer = trace.get_tracer("signalbox.prober") if spans is None else spans.get_tracer("signalbox.prober")
    try:
        heard: asyncio.Queue[signal.Signals] = asyncio.Queue()
        with hearing_signals(heard.put_nowait):
            async with Exchanges() as exchanges:
                probe = CheapProbe(exchanges, timeout_s=settings.prober.timeout_s, tracer=tracer)
                schedule = Schedule(
                    filter(_is_probed, settings.catalog.providers),
                    settings.prober,
                    picture=picture,
                    probe=probe,
                    changed=feed.changed,
                    rng=rng,
                    clock=clock,
                )

                def adopt(new: Settings) -> None:
                    picture.adopt(new.catalog, clock())
                    schedule.adopt(filter(_is_probed, new.catalog.providers))
                    feed.changed()

                watch = config.Watch(settings, load=options.load, files=options.files, adopt=adopt)
                await server.start()
                try:
                    await standard.ready()
                    if options.ready_file is not None:
                        write_ready_file(options.ready_file, [("prober", address)])
                    with watch.hearing_hangups():
                        async with asyncio.TaskGroup() as group:
                            running = (schedule.run(), feed.run(), watch.run())
                            background = [group.create_task(each) for each in running]
                            told = await heard.get()
                            for task in background:
                                task.cancel()
                finally:
                    await _stop(server, standard, frame)
    finally:
        tracing.shutdown(spans)
    return exit_code([told])


def _is_probed(provider: Provider) -> bool:
    """Only who may be called: nothing is sent to who is switched off, and no key where its dialect is not built."""
    return provider.is_callable


async def _stop(server: grpc.aio.Server, standard: StandardServices, frame: CallFrame) -> None:
    """Watchers would never leave by themselves; they are told that the prober goes, and come again to the next one."""
    await standard.not_ready()
    frame.end_leftovers()
    await server.stop(STOP_S)


def _parser() -> argparse.ArgumentParser:
    environ = os.environ
    parser = argparse.ArgumentParser(prog="prober", description="Measure every provider and publish their health.")
    parser.add_argument("--config", metavar="FILE", help="the configuration; default: $SIGNALBOX_CONFIG, then the rest")
    parser.add_argument("--prober-address", metavar="HOST:PORT", help="where to listen by TCP; port 0: a free one")
    parser.add_argument(
        "--simulator-address",
        default=SimulatorSettings().address,
        metavar="HOST:PORT",
        help="where the simulated providers of the configuration are",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(environ.get("SIGNALBOX_DATA_DIR") or ".signalbox"),
        metavar="DIR",
        help="holds the Unix socket and the count of starts; default: $SIGNALBOX_DATA_DIR, then ./.signalbox",
    )
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written once the prober serves")
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default=environ.get("SIGNALBOX_LOG_LEVEL") or "info", help="default: info"
    )
    return parser


@contextmanager
def _own_directory(directory: Path) -> Iterator[None]:
    """The data directory for this process alone: made if missing, closed to others, and locked until the end.

    The lock ends with the process, however it ends. Without it a second prober would take over the socket's name.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        lock = os.open(directory / "prober.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise CannotStart(f"{directory} cannot be used as the data directory: {e.strerror}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as e:
        raise CannotStart(f"another prober uses {directory}; stop it, or choose another --data-dir") from e
    finally:
        os.close(lock)


def _socket_path(directory: Path) -> Path:
    """The Unix socket's path, free of what a killed prober left there."""
    path = directory.resolve() / "prober.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH_BYTES:
        raise CannotStart(f"{path} is too long for a Unix socket; choose a --data-dir with a shorter path")
    path.unlink(missing_ok=True)
    return path
