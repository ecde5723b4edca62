"""The prober process: builds each object once, runs them in one TaskGroup, and stops them in reverse."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import uvloop
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer
from signalbox.v1 import health_feed_pb2_grpc

from prober.cap import DailyCap
from prober.deep import DeepProbe
from prober.deep_schedule import DeepSchedule
from prober.directory import CannotStart, own_directory, socket_path
from prober.exchange import Exchanges
from prober.funds import Funds
from prober.measure import ProbeMetrics, ProberGauges
from prober.merge import Picture
from prober.options import ProberOptions
from prober.probe import CheapProbe
from prober.publish import HEALTH_FEED, EpochLost, Feed, next_epoch
from prober.schedule import Schedule
from router_service import config
from router_service.core.catalog import Catalog, Provider
from router_service.core.settings import Settings
from router_service.core.tenant import EVERY_ROLE, Role
from router_service.core.windows import Clock
from router_service.providers.openai import OpenAIDialect
from router_service.rpc.access import Leniency
from router_service.rpc.call import CallFrame
from router_service.rpc.guard import Guard, has_reflection
from router_service.rpc.process import (
    CannotSayReady,
    check_ready_file,
    exit_code,
    hearing_signals,
    raise_open_files,
    write_ready_file,
)
from router_service.rpc.server import CannotListen, StandardServices, listen, new_server
from router_service.rpc.tls import BadCertificate
from router_service.store.quota import QuotaBook
from router_service.store.sqlite import SqliteQuotaStore
from router_service.store.terms import terms_of
from router_service.telemetry import logs
from router_service.telemetry.call_metrics import CallMetrics
from router_service.telemetry.calls import CallTracing
from router_service.telemetry.instruments import Meter
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.outlets import Outlets
from router_service.telemetry.process_metrics import ProcessFigures
from router_service.telemetry.scrapes import CannotServeMetrics

USAGE = 2
MAX_MESSAGE_MIB = 4
STOP_S = 0.3
"""How long calls may go on once the end is asked for: what is said last is a heartbeat, and nobody misses it."""

LENIENCY = Leniency(unknown=frozenset({Role.OPERATOR}), certified=frozenset({Role.HEALTH_REPORTER}), local=EVERY_ROLE)
"""Everybody may watch while there are no tenants; reports are taken over the Unix socket, or with a certificate."""
Job = Callable[[], Coroutine[None, None, None]]
"""Something that goes on until it is cancelled."""


def main(options: ProberOptions) -> int:
    """Run the prober until it is told to stop; returns the process's exit code."""
    lines = logs.setup(options.log_level)
    try:
        settings = options.origin.load()
    except config.ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return USAGE
    return run(settings, options, lines)


def run(settings: Settings, options: ProberOptions, lines: LineWriter) -> int:
    """Serve and probe until SIGTERM or SIGINT; 130 after the latter."""
    try:
        if options.ready_file is not None:
            check_ready_file(options.ready_file)
        with own_directory(options.data_dir), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(settings, options, lines))
    except (BadCertificate, CannotStart, CannotListen, CannotServeMetrics, CannotSayReady, EpochLost) as e:
        sys.stderr.write(f"prober: {e}\n")
        return USAGE


async def _run(settings: Settings, options: ProberOptions, lines: LineWriter) -> int:
    """What is entered here is left in reverse, however it ends."""
    heard: asyncio.Queue[signal.Signals] = asyncio.Queue()
    guard = Guard(
        settings,
        options.address or settings.prober.address,
        allow_remote=settings.prober.allow_remote,
        leniency=LENIENCY,
    )
    async with AsyncExitStack() as stack:
        outlets = Outlets(settings.telemetry, service_name="signalbox-prober")
        stack.callback(outlets.close)
        tracer, probes, calls = _tracer(outlets.spans), ProbeMetrics(), CallMetrics()
        stack.enter_context(hearing_signals(heard.put_nowait))
        exchanges = await stack.enter_async_context(Exchanges())
        picture = Picture(settings.catalog, settings.prober, now=time.monotonic())
        feed = _feed(settings, options, picture)
        front = _Front(settings, options, feed, outlets.spans, calls, guard)
        raise_open_files()
        cheap = _cheap(settings, exchanges, picture, feed, probes, tracer)
        deep = _deep(settings, options, exchanges, picture, feed, probes, tracer)

        async def adopt(new: Settings) -> None:
            """One stretch without an await: nothing is probed by half of it."""
            if guard.access.adopt(new.tenants):
                feed.callers_changed()
            picture.adopt(new.catalog, time.monotonic())
            cheap.adopt(_probed(new.catalog))
            if deep is not None:
                deep.adopt(new)
            feed.changed()

        watch = config.Watch(settings, load=options.origin.load, files=options.origin.files, adopt=adopt)
        figures = ProcessFigures(
            lines_lost=lambda: lines.lost_in_all, spans_lost=outlets.spans_lost, reloads=watch.reloads
        )
        meter = Meter([probes.families, _gauges(picture, feed).families, calls.families, figures.families])
        configured = settings.telemetry.prober_metrics_address
        page = outlets.open(meter, flag=options.metrics_address, configured=configured)
        jobs: list[Job] = [cheap.run, feed.run, watch.run, outlets.run, guard.run]
        if deep is not None:
            stack.push_async_callback(deep.quotas.close)
            await deep.quotas.load()
            jobs += [deep.schedule.run, deep.quotas.run]
        stack.push_async_callback(front.stop)
        await front.start(options.ready_file, page)
        stack.enter_context(watch.hearing_hangups())
        return exit_code([await _until_told(heard, jobs)])


async def _until_told(heard: asyncio.Queue[signal.Signals], jobs: Iterable[Job]) -> signal.Signals:
    """Do the jobs until a signal comes; return which."""
    async with asyncio.TaskGroup() as group:
        background = [group.create_task(job()) for job in jobs]
        told = await heard.get()
        for task in background:
            task.cancel()
    return told


def _tracer(spans: TracerProvider | None) -> Tracer:
    return trace.get_tracer("signalbox.prober") if spans is None else spans.get_tracer("signalbox.prober")


def _feed(settings: Settings, options: ProberOptions, picture: Picture) -> Feed:
    epoch, prober_id = next_epoch(options.data_dir), f"prober-{secrets.token_hex(8)}"
    return Feed(picture, settings.prober, epoch=epoch, prober_id=prober_id, clock=time.monotonic)


def _gauges(picture: Picture, feed: Feed) -> ProberGauges:
    return ProberGauges(
        verdicts=lambda: picture.verdicts(time.monotonic()),
        blocks=lambda: picture.blocks(time.monotonic()),
        published=lambda: feed.published,
        watchers=lambda: feed.watchers,
    )


def _cheap(
    settings: Settings, exchanges: Exchanges, picture: Picture, feed: Feed, probes: ProbeMetrics, tracer: Tracer
) -> Schedule:
    return Schedule(
        _probed(settings.catalog),
        settings.prober,
        picture=picture,
        probe=probes.of_cheap(CheapProbe(exchanges, timeout_s=settings.prober.timeout_s, tracer=tracer)),
        changed=feed.changed,
        rng=Random(),
        clock=time.monotonic,
    )


def _probed(catalog: Catalog) -> Iterable[Provider]:
    """Only who may be called: nothing is sent to who is switched off, and no key where its dialect is not built."""
    return (provider for provider in catalog.providers if provider.is_callable)


@dataclass(frozen=True, slots=True)
class _Deep:
    """The probes that cost something, and the book that their costs are counted in."""

    schedule: DeepSchedule
    quotas: QuotaBook

    def adopt(self, new: Settings) -> None:
        self.schedule.adopt(new.catalog)
        self.quotas.adopt(terms_of(new.catalog), new.budgets)


def _deep(
    settings: Settings,
    options: ProberOptions,
    exchanges: Exchanges,
    picture: Picture,
    feed: Feed,
    probes: ProbeMetrics,
    tracer: Tracer,
) -> _Deep | None:
    """None where such probes are switched off. The counts are those of the router's file: on one machine both learn
    what the other took.
    """
    if not settings.prober.deep.is_enabled:
        return None
    store = SqliteQuotaStore(options.data_dir / "quota.db")
    clock = Clock(wall=time.time, monotonic=time.monotonic)
    cap_usd_nanos = settings.prober.deep.max_usd_nanos_per_day
    quotas = QuotaBook(terms_of(settings.catalog), settings.budgets, store=store, clock=clock)
    funds = Funds(quotas, DailyCap(store, cap_usd_nanos=cap_usd_nanos, clock=clock))
    schedule = DeepSchedule(
        settings.catalog,
        settings.prober,
        picture=picture,
        probe=probes.of_deep(DeepProbe(exchanges, dialects={"openai": OpenAIDialect()}, funds=funds, tracer=tracer)),
        changed=feed.changed,
        rng=Random(),
        clock=time.monotonic,
    )
    return _Deep(schedule, quotas)


class _Front:
    """What others reach the prober by: the feed over TCP and over the Unix socket."""

    def __init__(
        self,
        settings: Settings,
        options: ProberOptions,
        feed: Feed,
        spans: TracerProvider | None,
        calls: CallMetrics,
        guard: Guard,
    ) -> None:
        ratio = settings.telemetry.sample_ratio
        traced = None if spans is None else CallTracing(spans, sample_ratio=ratio, rng=Random())
        self._frame = CallFrame(traced, calls=calls, access=guard.access)
        self._server = new_server(self._frame, max_message_mib=MAX_MESSAGE_MIB)
        health_feed_pb2_grpc.add_HealthFeedServicer_to_server(feed, self._server)
        shows = has_reflection(settings.server, options.address or settings.prober.address)
        self._standard = StandardServices(self._server, (HEALTH_FEED,), has_reflection=shows)
        self._address = guard.listen(self._server)
        listen(self._server, f"unix:{socket_path(options.data_dir)}", allow_remote=False)

    async def start(self, ready_file: Path | None, others: Iterable[tuple[str, str]]) -> None:
        """Serve, and say so, with the addresses of `others`."""
        await self._server.start()
        await self._standard.ready()
        if ready_file is not None:
            write_ready_file(ready_file, [("prober", self._address), *others])

    async def stop(self) -> None:
        """Watchers would never leave by themselves; they are told that the prober goes, and come again to the next."""
        await self._standard.not_ready()
        self._frame.end_leftovers()
        await self._server.stop(STOP_S)
