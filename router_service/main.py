"""The router process: builds each object once, runs them together, and stops them in reverse."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import uvloop
from opentelemetry.sdk.trace import TracerProvider
from signalbox.v1 import admin_pb2_grpc, router_pb2_grpc

from router_service import config
from router_service.config import Origin
from router_service.core.addresses import prober_socket
from router_service.core.budget import BudgetRules
from router_service.core.events import Audience
from router_service.core.settings import ServerSettings, Settings, TelemetrySettings
from router_service.core.simulation import SimulatorSettings
from router_service.core.windows import Clock
from router_service.drain import Stop, serve_until_told
from router_service.edge.grpc_admin import ADMIN, GrpcAdmin
from router_service.edge.grpc_router import ROUTER, GrpcRouter
from router_service.health.board import HealthBoard
from router_service.health.channel import HealthChannel
from router_service.health.slices import finish_between_others
from router_service.health.statistics import Statistics
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.openai import OpenAIDialect
from router_service.rpc.access import Leniency
from router_service.rpc.call import CallFrame
from router_service.rpc.guard import Guard, has_reflection
from router_service.rpc.process import CannotSayReady, hearing_signals, raise_open_files, write_ready_file
from router_service.rpc.proof import KeyInTheClear, proof_for
from router_service.rpc.server import CannotListen, StandardServices, new_server
from router_service.rpc.tls import BadCertificate
from router_service.service.admission import Admission
from router_service.service.allowances import Allowances
from router_service.service.execution import Execution
from router_service.service.objections import served_on_trial
from router_service.service.rooms import Rooms
from router_service.service.router import Router
from router_service.service.views import Views
from router_service.store.quota import QuotaBook
from router_service.store.sqlite import SqliteQuotaStore
from router_service.store.terms import terms_of
from router_service.telemetry import logs
from router_service.telemetry.attempt_metrics import AttemptMetrics
from router_service.telemetry.call_metrics import CallMetrics
from router_service.telemetry.calls import CallTracing
from router_service.telemetry.instruments import Meter
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.outlets import Outlets
from router_service.telemetry.process_metrics import ProcessFigures
from router_service.telemetry.request_log import RequestLog
from router_service.telemetry.router_gauges import RouterGauges
from router_service.telemetry.scrapes import CannotServeMetrics
from router_service.telemetry.spans import SpanObserver

USAGE = 2
TICK_S = 0.25
NOBODY = ""
"""The tenant of whoever runs the router: Admin tells of all targets, whosever they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says; None leaves it to the configuration."""

    config: str | None = None
    router_address: str | None = None
    metrics_address: str | None = None
    prober_address: str | None = None
    data_dir: Path = Path(".signalbox")
    ready_file: Path | None = None
    simulator_address: str | None = None
    lame_duck_s: float | None = None
    log_level: str = "info"

    @property
    def origin(self) -> Origin:
        address = self.simulator_address or SimulatorSettings().address
        return Origin(flag=self.config, environ=os.environ, simulator_address=address)


def serve(options: ServeOptions) -> int:
    """Run the router until it is told to stop; returns the process's exit code."""
    lines = logs.setup(options.log_level)
    raise_open_files()
    try:
        settings = options.origin.load()
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    for warning in settings.warnings:
        sys.stderr.write(f"{warning}\n")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_run(settings, options, lines))
        except (BadCertificate, CannotListen, CannotSayReady, CannotServeMetrics, KeyInTheClear) as e:
            sys.stderr.write(f"{e}\n")
            return USAGE


async def _run(settings: Settings, options: ServeOptions, lines: LineWriter) -> int:
    wanted = options.router_address or settings.server.address
    guard = Guard(settings, wanted, allow_remote=settings.server.allow_remote, leniency=Leniency())
    prober_address = options.prober_address or f"unix:{prober_socket(options.data_dir)}"
    proof = proof_for(settings.prober.access, prober_address, allow_remote=settings.prober.allow_remote)
    outlets = Outlets(settings.telemetry, service_name="signalbox-router")
    spans = outlets.spans
    measured, calls = AttemptMetrics(), CallMetrics()
    transport = AiohttpTransport()
    dialects = {"openai": OpenAIDialect()}
    rng = Random()  # for shares of traffic, turns and jitter, never for secrets
    board = HealthBoard([], settings.prober, clock=time.monotonic)
    statistics = Statistics(board, clock=time.monotonic)
    quotas = _quotas(options.data_dir)
    rooms = Rooms(quotas)
    views = Views(
        dialects=dialects,
        board=board,
        statistics=lambda: statistics.current,
        quotas=quotas,
        rooms=rooms,
        turn=rng.randrange(1000),
    )
    execution = Execution(
        transport=transport,
        dialects=dialects,
        rooms=rooms,
        routing=settings.routing,
    )
    allowances = Allowances()
    admission = Admission(max_in_flight=settings.server.max_in_flight)
    traced = [] if spans is None else [SpanObserver(spans, shows_content=settings.telemetry.content)]
    audience = Audience([board, statistics, allowances, RequestLog(lines), measured, *traced], [board, *traced])
    router = Router(
        view=views.to_run,
        route_view=views.to_plan,
        execution=execution,
        admission=admission,
        audience=audience,
        max_attempts=settings.routing.max_attempts,
        rng=rng,
    )
    frame = CallFrame(
        _call_tracing(spans, settings.telemetry, rng),
        audience,
        calls=calls,
        access=guard.access,
        turnstile=allowances,
        default_deadline_s=settings.server.default_deadline_s,
        max_deadline_s=settings.server.max_deadline_s,
    )
    server = new_server(frame, max_message_mib=settings.server.max_message_mib)
    servicer = GrpcRouter(router, server=settings.server, routing=settings.routing, observer=audience)
    router_pb2_grpc.add_RouterServicer_to_server(servicer, server)
    admin_pb2_grpc.add_AdminServicer_to_server(
        GrpcAdmin(view=lambda: views.to_plan(tenant=NOBODY), dialects=dialects), server
    )
    standard = StandardServices(server, (ROUTER, ADMIN), has_reflection=has_reflection(settings.server, wanted))
    channel = HealthChannel(
        prober_address,
        board,
        reporter_id=f"router-{secrets.token_hex(8)}",
        settings=settings.prober,
        rng=rng,
        windows=quotas.windows,
        credentials=proof.credentials,
        metadata=proof.metadata,
    )

    async def adopt(new: Settings) -> None:
        """What is large is made beside the calls under way. It is put in force in one stretch without an await: no
        request sees half of it.
        """
        catalog, routing = new.catalog, new.routing
        entries = await asyncio.to_thread(board.entries_for, [target.id for target in catalog.targets])
        lessons = await asyncio.to_thread(statistics.lessons_for, catalog, new.policy)
        terms = await asyncio.to_thread(terms_of, catalog)
        present = await asyncio.to_thread(views.present_for, catalog, new.policy, new.tenants)
        on_trial = await asyncio.to_thread(served_on_trial, new.tenants, catalog)
        guard.access.adopt(new.tenants)
        allowances.adopt(new.tenants, on_trial)
        newcomers = board.adopt_in_slices(entries)
        next(newcomers, None)
        statistics.adopt(lessons)
        quotas.adopt(terms, new.budgets)
        views.adopt(present)
        router.adopt(max_attempts=routing.max_attempts)
        execution.adopt(routing)
        servicer.adopt(max_attempts=routing.max_attempts)
        await finish_between_others(newcomers)

    await adopt(settings)
    watch = config.Watch(settings, load=options.origin.load, files=options.origin.files, adopt=adopt)
    gauges = RouterGauges(
        in_flight=lambda: admission.in_flight,
        attempts_in_flight=rooms.slots.in_flight,
        standings=board.standings,
        snapshot_age_s=lambda: board.snapshot_age_s,
        snapshots_refused=channel.refused,
        quotas=quotas.readings,
        budgets=quotas.budget_readings,
    )
    figures = ProcessFigures(lines_lost=lambda: lines.lost_in_all, spans_lost=outlets.spans_lost, reloads=watch.reloads)
    meter = Meter([measured.families, calls.families, gauges.families, figures.families])
    try:
        address = guard.listen(server)
        page = outlets.open(meter, flag=options.metrics_address, configured=settings.telemetry.metrics_address)
        stop = Stop()
        with hearing_signals(stop.heard), watch.hearing_hangups():
            await server.start()
            await quotas.load()
            await standard.ready()
            _tell_ready(options.ready_file, [("router", address), *page])
            async with asyncio.TaskGroup() as group:
                jobs = (channel.run, statistics.run, quotas.run, watch.run, outlets.run, guard.run)
                running = (_tick(board), *(job() for job in jobs))
                background = [group.create_task(each) for each in running]
                code = await serve_until_told(stop, server, standard, admission, frame, _patience(settings, options))
                for task in background:
                    task.cancel()
        return code
    finally:
        await quotas.close()
        await transport.close()
        outlets.close()


def _quotas(data_dir: Path) -> QuotaBook:
    """Counts in the data directory's file, so that they outlive the process."""
    clock = Clock(wall=time.time, monotonic=time.monotonic)
    return QuotaBook([], BudgetRules(), store=SqliteQuotaStore(data_dir / "quota.db"), clock=clock)


def _call_tracing(spans: TracerProvider | None, settings: TelemetrySettings, rng: Random) -> CallTracing | None:
    return None if spans is None else CallTracing(spans, sample_ratio=settings.sample_ratio, rng=rng)


async def _tick(board: HealthBoard) -> None:
    while True:
        board.tick()
        await asyncio.sleep(TICK_S)


def _patience(settings: Settings, options: ServeOptions) -> ServerSettings:
    """The server's settings, less the lame duck where the command line shortens it."""
    if options.lame_duck_s is None:
        return settings.server
    return dataclasses.replace(settings.server, lame_duck_s=options.lame_duck_s)


def _tell_ready(path: Path | None, addresses: Sequence[tuple[str, str]]) -> None:
    """Only now, when all start-up garbage is made, is it frozen: the collector need not walk it again."""
    gc.collect()
    gc.freeze()
    if path is not None:
        write_ready_file(path, addresses)
