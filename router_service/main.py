"""The router process: builds each object once, runs them together, and stops them in reverse."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import secrets
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import grpc
import uvloop
from opentelemetry.sdk.trace import TracerProvider
from signalbox.v1 import admin_pb2_grpc, router_pb2_grpc

from router_service import config
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.view import PLAIN_POLICY
from router_service.core.events import Observers
from router_service.core.plan import View
from router_service.core.settings import MIB, ServerSettings, Settings, TelemetrySettings
from router_service.core.simulation import SimulatorSettings
from router_service.edge.grpc_admin import ADMIN, GrpcAdmin
from router_service.edge.grpc_router import ROUTER, GrpcRouter
from router_service.health.board import HealthBoard
from router_service.health.channel import HealthChannel
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.openai import OpenAIDialect
from router_service.rpc.call import CallFrame
from router_service.rpc.process import hearing_signals, write_ready_file
from router_service.rpc.server import CannotListen, StandardServices, listen, new_server
from router_service.service.admission import Admission
from router_service.service.execution import Execution
from router_service.service.router import Router
from router_service.telemetry import logs, tracing
from router_service.telemetry.calls import CallTracing
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.request_log import RequestLog
from router_service.telemetry.spans import SpanObserver

GOOD, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
TICK_S = 0.25
LEFTOVERS_S = 0.5
"""So long before the end of the drain, calls still running hear from us that the router stops; the library's own word
at the end has no details."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says; None leaves it to the configuration."""

    config: str | None = None
    router_address: str | None = None
    prober_address: str | None = None
    data_dir: Path = Path(".signalbox")
    ready_file: Path | None = None
    simulator_address: str | None = None
    lame_duck_s: float | None = None
    log_level: str = "info"


def serve(options: ServeOptions) -> int:
    """Run the router until it is told to stop; returns the process's exit code."""
    lines = logs.setup(options.log_level)
    try:
        settings = config.load(
            config.find(options.config, os.environ),
            environ=os.environ,
            today=datetime.now(UTC).date(),
            simulator_address=options.simulator_address or SimulatorSettings().address,
        )
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    for warning in settings.warnings:
        sys.stderr.write(f"{warning}\n")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_run(settings, options, lines))
        except CannotListen as e:
            sys.stderr.write(f"{e}\n")
            return USAGE


async def _run(settings: Settings, options: ServeOptions, lines: LineWriter) -> int:
    spans = tracing.setup(settings.telemetry, service_name="signalbox-router")
    transport = AiohttpTransport()
    board = HealthBoard(
        [t.id for t in settings.catalog.targets],
        settings.prober,
        clock=time.monotonic,
    )
    rng = Random()  # for shares of traffic and for jitter, never for secrets
    prepared = Prepared(settings.catalog, PLAIN_POLICY)
    admission = Admission(max_in_flight=settings.server.max_in_flight)
    observer = Observers([board, RequestLog(lines), *([] if spans is None else [SpanObserver(spans)])])
    dialects = {"openai": OpenAIDialect()}

    def view() -> View:
        return View(
            catalog=settings.catalog,
            standings=board.standings(),
            snapshot=board.snapshot_info(),
            policy=prepared.policy,
            prepared=prepared,
        )

    router = Router(
        view=view,
        execution=Execution(
            transport=transport,
            dialects=dialects,
            max_output_bytes=settings.routing.max_output_mib * MIB,
        ),
        admission=admission,
        observer=observer,
        max_attempts=settings.routing.max_attempts,
        rng=rng,
    )
    frame = CallFrame(_call_tracing(spans, settings.telemetry, rng))
    server = new_server(frame, max_message_mib=settings.server.max_message_mib)
    servicer = GrpcRouter(router, server=settings.server, routing=settings.routing, observer=observer)
    router_pb2_grpc.add_RouterServicer_to_server(servicer, server)
    admin_pb2_grpc.add_AdminServicer_to_server(GrpcAdmin(view=view, dialects=dialects), server)
    standard = StandardServices(server, (ROUTER, ADMIN), has_reflection=settings.server.reflection)
    channel = HealthChannel(
        options.prober_address or f"unix:{options.data_dir.resolve()}/prober.sock",
        board,
        reporter_id=f"router-{secrets.token_hex(8)}",
        settings=settings.prober,
        rng=rng,
    )
    try:
        wanted = options.router_address or settings.server.address
        address = listen(server, wanted, allow_remote=settings.server.allow_remote)
        stop = _Stop()
        with hearing_signals(stop.heard):
            await server.start()
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(channel.run()), group.create_task(_tick(board))]
                await standard.ready()
                _tell_ready(options.ready_file, address)
                code = await _serve_until_told(stop, server, standard, admission, frame, _patience(settings, options))
                for task in background:
                    task.cancel()
        return code
    finally:
        await transport.close()
        tracing.shutdown(spans)


class _Stop:
    """Signals as they come: the first asks for a drain, the second for an end at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.insisted = asyncio.Event()
        self.is_interactive = False

    def heard(self, number: signal.Signals) -> None:
        (self.insisted if self.asked.is_set() else self.asked).set()
        self.is_interactive = self.is_interactive or number == signal.SIGINT


async def _serve_until_told(
    stop: _Stop,
    server: grpc.aio.Server,
    standard: StandardServices,
    admission: Admission,
    frame: CallFrame,
    settings: ServerSettings,
) -> int:
    """Serve; then say so before it ends, let balancers notice, let calls finish, and end those that do not."""
    await stop.asked.wait()
    await standard.not_ready()
    try:
        async with asyncio.timeout(0 if stop.is_interactive else settings.lame_duck_s):
            await stop.insisted.wait()
    except TimeoutError:
        pass
    admission.drain()
    leftovers = asyncio.get_running_loop().call_later(
        max(0.0, settings.drain_s - LEFTOVERS_S), _give_up, admission, frame
    )
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(server.stop(settings.drain_s))
        insisting = group.create_task(stop.insisted.wait())
        await asyncio.sleep(0)  # the stop begins: from here on new calls are refused
        standard.end_streams()
        await asyncio.wait({stopping, insisting}, return_when=asyncio.FIRST_COMPLETED)
        leftovers.cancel()
        if insisting.done():
            await server.stop(0)
        insisting.cancel()
    if stop.insisted.is_set():
        return FAILED
    return INTERRUPTED if stop.is_interactive else GOOD


def _call_tracing(spans: TracerProvider | None, settings: TelemetrySettings, rng: Random) -> CallTracing | None:
    return None if spans is None else CallTracing(spans, sample_ratio=settings.sample_ratio, rng=rng)


def _give_up(admission: Admission, frame: CallFrame) -> None:
    admission.give_up()
    frame.end_leftovers()


async def _tick(board: HealthBoard) -> None:
    while True:
        board.tick()
        await asyncio.sleep(TICK_S)


def _patience(settings: Settings, options: ServeOptions) -> ServerSettings:
    """The server's settings, less the lame duck where the command line shortens it."""
    if options.lame_duck_s is None:
        return settings.server
    return dataclasses.replace(settings.server, lame_duck_s=options.lame_duck_s)


def _tell_ready(path: Path | None, address: str) -> None:
    """Only now, when all start-up garbage is made, is it frozen: the collector need not walk it again."""
    gc.collect()
    gc.freeze()
    if path is not None:
        write_ready_file(path, [("router", address)])
