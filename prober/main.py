"""The prober process: builds each object once, runs them in one TaskGroup, and stops them in reverse."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import secrets
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

from prober.merge import Picture
from prober.probe import HttpProbe
from prober.publish import HEALTH_FEED, EpochLost, Feed, next_epoch
from prober.schedule import Schedule
from router_service import config
from router_service.core.catalog import BUILT_DIALECTS, Provider
from router_service.core.settings import Settings
from router_service.core.simulation import SimulatorSettings
from router_service.rpc.call import CallFrame
from router_service.rpc.process import hearing_signals, write_ready_file
from router_service.rpc.server import CannotListen, StandardServices, listen, new_server
from router_service.telemetry import logs, tracing
from router_service.telemetry.calls import CallTracing

GOOD, USAGE = 0, 2
MAX_MESSAGE_MIB = 4
STOP_S = 0.3
"""How long calls may go on once the end is asked for: what is said last is a heartbeat, and nobody misses it."""

LONGEST_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberOptions:
    """What the command line says beside the settings."""

    address: str
    data_dir: Path
    ready_file: Path | None = None


class CannotStart(Exception):
    """The process cannot do its work where it was put; the text is one line that says why and what to do."""


def main(argv: Sequence[str]) -> int:
    """Run the prober until it is told to stop; returns the process's exit code."""
    arguments = _parser().parse_args(argv)
    logs.setup(arguments.log_level)
    try:
        settings = config.load(
            config.find(arguments.config, os.environ),
            environ=os.environ,
            today=datetime.now(UTC).date(),
            simulator_address=arguments.simulator_address,
        )
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    options = ProberOptions(
        address=arguments.prober_address or settings.prober.address,
        data_dir=arguments.data_dir,
        ready_file=arguments.ready_file,
    )
    return run(settings, options)


def run(settings: Settings, options: ProberOptions) -> int:
    """Serve and probe until SIGTERM or SIGINT."""
    try:
        with _own_directory(options.data_dir), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings, options))
    except (CannotStart, CannotListen, EpochLost) as e:
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
    address = listen(server, options.address, allow_remote=settings.prober.allow_remote)
    listen(server, f"unix:{_socket_path(options.data_dir)}", allow_remote=False)
    tracer = trace.get_tracer("signalbox.prober") if spans is None else spans.get_tracer("signalbox.prober")
    try:
        stop = asyncio.Event()
        with hearing_signals(lambda _: stop.set()):
            async with HttpProbe(timeout_s=settings.prober.timeout_s, tracer=tracer) as probe:
                schedule = Schedule(
                    filter(_is_probed, settings.catalog.providers),
                    settings.prober,
                    picture=picture,
                    probe=probe,
                    changed=feed.changed,
                    rng=rng,
                    clock=clock,
                )
                await server.start()
                async with asyncio.TaskGroup() as group:
                    background = [group.create_task(schedule.run()), group.create_task(feed.run())]
                    await standard.ready()
                    if options.ready_file is not None:
                        write_ready_file(options.ready_file, [("prober", address)])
                    await stop.wait()
                    await _stop(server, standard, frame)
                    for task in background:
                        task.cancel()
    finally:
        tracing.shutdown(spans)
    return GOOD


def _is_probed(provider: Provider) -> bool:
    """Only who may be called: nothing is sent to who is switched off, and no key where its dialect is not built."""
    return provider.is_enabled and provider.is_usable and provider.dialect in BUILT_DIALECTS


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
