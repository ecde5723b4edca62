"""The router process: builds engine and port, runs them and what goes on beside them, and stops them in reverse."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import uvloop

from router_service import config
from router_service.config import Origin, Watch
from router_service.core.addresses import prober_socket
from router_service.core.decision.strategies import Known, Strategy
from router_service.core.settings import ServerSettings, Settings
from router_service.core.simulation import SimulatorSettings
from router_service.drain import Stop, serve_until_told
from router_service.engine import Engine
from router_service.health.channel import HealthChannel
from router_service.health.slices import finish_between_others
from router_service.port import Port
from router_service.registry import registered
from router_service.rpc.access import Leniency
from router_service.rpc.guard import Guard
from router_service.rpc.process import CannotSayReady, hearing_signals, raise_open_files, write_ready_file
from router_service.rpc.proof import KeyInTheClear, proof_for
from router_service.rpc.server import CannotListen
from router_service.rpc.tls import BadCertificate
from router_service.telemetry import logs
from router_service.telemetry.instruments import Meter
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.outlets import Outlets
from router_service.telemetry.process_metrics import ProcessFigures
from router_service.telemetry.router_gauges import RouterGauges
from router_service.telemetry.scrapes import CannotServeMetrics

USAGE = 2


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

    def origin(self, strategies: Known) -> Origin:
        """Where the configuration comes from, which may name `strategies`."""
        address = self.simulator_address or SimulatorSettings().address
        return Origin(flag=self.config, environ=os.environ, simulator_address=address, strategies=strategies)


def serve(options: ServeOptions) -> int:
    """Run the router until it is told to stop; returns the process's exit code."""
    lines = logs.setup(options.log_level)
    raise_open_files()
    found = registered()
    for complaint in found.complaints:
        sys.stderr.write(f"{complaint}\n")
    origin = options.origin(found.strategies)
    try:
        settings = origin.load()
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    for warning in settings.warnings:
        sys.stderr.write(f"{warning}\n")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_run(settings, origin, found.strategies, options, lines))
        except (BadCertificate, CannotListen, CannotSayReady, CannotServeMetrics, KeyInTheClear) as e:
            sys.stderr.write(f"{e}\n")
            return USAGE


async def _run(
    settings: Settings, origin: Origin, strategies: Mapping[str, Strategy], options: ServeOptions, lines: LineWriter
) -> int:
    wanted = options.router_address or settings.server.address
    guard = Guard(settings, wanted, allow_remote=settings.server.allow_remote, leniency=Leniency())
    prober_address = options.prober_address or f"unix:{prober_socket(options.data_dir)}"
    proof = proof_for(settings.prober.access, prober_address, allow_remote=settings.prober.allow_remote)
    outlets = Outlets(settings.telemetry, service_name="signalbox-router")
    rng = Random()  # for shares of traffic, turns and jitter, never for secrets
    engine = Engine(settings, strategies=strategies, data_dir=options.data_dir, lines=lines, outlets=outlets, rng=rng)
    port = Port(engine, guard, settings, wanted, spans=outlets.spans, rng=rng)
    channel = HealthChannel(
        prober_address,
        engine.board,
        reporter_id=f"router-{secrets.token_hex(8)}",
        settings=settings.prober,
        rng=rng,
        windows=engine.quotas.windows,
        credentials=proof.credentials,
        metadata=proof.metadata,
    )

    async def adopt(new: Settings) -> None:
        """Put in force in one stretch without an await: no request sees half of it."""
        change = await engine.prepared(new)
        port.adopt(new)
        await finish_between_others(engine.adopt(change))

    watch = Watch(settings, load=origin.load, files=origin.files, adopt=adopt)
    meter = _meter(engine, port, channel, lines=lines, outlets=outlets, reloads=watch.reloads)
    try:
        await adopt(settings)
        address = port.listen()
        page = outlets.open(meter, flag=options.metrics_address, configured=settings.telemetry.metrics_address)
        stop = Stop()
        with hearing_signals(stop.heard), watch.hearing_hangups():
            await port.server.start()
            await engine.quotas.load()
            await port.standard.ready()
            _tell_ready(options.ready_file, [("router", address), *page])
            return await _serving(stop, engine, port, _patience(settings, options), channel, watch, outlets, guard)
    finally:
        await engine.close()
        outlets.close()


async def _serving(
    stop: Stop, engine: Engine, port: Port, patience: ServerSettings, *runners: HealthChannel | Watch | Outlets | Guard
) -> int:
    """Serve until told to stop, with all that runs beside it; returns the process's exit code."""
    jobs = (engine.tick, engine.statistics.run, engine.quotas.run, *(runner.run for runner in runners))
    async with asyncio.TaskGroup() as group:
        background = [group.create_task(job()) for job in jobs]
        code = await serve_until_told(stop, port.server, port.standard, engine.admission, port.frame, patience)
        for task in background:
            task.cancel()
    return code


def _meter(
    engine: Engine,
    port: Port,
    channel: HealthChannel,
    *,
    lines: LineWriter,
    outlets: Outlets,
    reloads: Mapping[str, int],
) -> Meter:
    """All figures of the process; each is read where it is known."""
    gauges = RouterGauges(
        in_flight=lambda: engine.admission.in_flight,
        attempts_in_flight=engine.rooms.slots.in_flight,
        standings=engine.board.standings,
        snapshot_age_s=lambda: engine.board.snapshot_age_s,
        snapshots_refused=channel.refused,
        quotas=engine.quotas.readings,
        budgets=engine.quotas.budget_readings,
    )
    process = ProcessFigures(lines_lost=lambda: lines.lost_in_all, spans_lost=outlets.spans_lost, reloads=reloads)
    return Meter([engine.figures.families, port.figures.families, gauges.families, process.families])


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
