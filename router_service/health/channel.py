"""The channel to the prober: snapshots come in, reports of what this router saw go out, and nobody waits for either."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import grpc
from signalbox.v1 import health_feed_pb2 as pb
from signalbox.v1.health_feed_pb2_grpc import HealthFeedStub

from router_service.core.health import QuotaWindow
from router_service.core.settings import ProberSettings
from router_service.core.tally import Report
from router_service.health.board import HealthBoard, Reception
from router_service.health.slices import finish_between_others
from router_service.health.wire import MAX_SNAPSHOT_BYTES, snapshot_in_slices
from router_service.health.wire_limits import Corrupt
from router_service.health.wire_report import report_to_message

if TYPE_CHECKING:  # The asynchronous stub's type exists in the stubs' .pyi alone.
    from signalbox.v1.health_feed_pb2_grpc import HealthFeedAsyncStub

logger = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 0.8
"""Between tries to reach the prober. Short of a second, so that a router is current within one of its return."""

LEAST_REPORT_WAIT_S, LONGEST_REPORT_WAIT_S = 0.05, 30.0

Windows = Callable[[], Mapping[str, tuple[QuotaWindow, ...]]]
"""Says what is left of each provider's limits by now, by name."""

OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # the prober is a neighbour; a proxy of the environment is for the web
    ("grpc.max_receive_message_length", 2 * MAX_SNAPSHOT_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
)


class HealthChannel:
    """Keeps `board` current for as long as `run` runs. A prober that is away or hangs costs the requests nothing.

    `refused` counts the snapshots that were not taken: by the field that was wrong with them, by `order` where they
    were not newer, and by `states` where those contradict what was seen here. `windows` says what is left of
    providers' limits; the prober is told with every report. `credentials` and `metadata` are what a prober at a TCP
    address asks for; over a Unix socket it asks for nothing.
    """

    def __init__(
        self,
        address: str,
        board: HealthBoard,
        *,
        reporter_id: str,
        settings: ProberSettings,
        rng: Random,
        windows: Windows = dict,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.refused: Counter[str] = Counter()
        self._address = address
        self._credentials = credentials
        self._metadata = metadata
        self._board = board
        self._settings = settings
        self._reporter_id = reporter_id
        self._rng = rng
        self._windows = windows
        self._watching = _Link("health snapshots from the prober")
        self._reporting = _Link("health reports to the prober")
        self._last_refused = ""

    async def run(self) -> None:
        """Watch and report until cancelled."""
        async with self._channel() as channel:
            stub: HealthFeedAsyncStub = HealthFeedStub(channel)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_on(stub))
                tasks.create_task(self._report_on(stub))

    def _channel(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._address, options=OPTIONS)
        return grpc.aio.secure_channel(self._address, self._credentials, options=OPTIONS)

    async def _watch_on(self, stub: HealthFeedAsyncStub) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            before = self._watching.arrivals
            try:
                await self._watch(stub)
            except grpc.aio.AioRpcError as e:
                self._watching.lost(e.code().name)
                if e.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    self._refuse("snapshot", "is too large to be received")
            except TimeoutError:
                self._watching.lost(f"silent for {self._settings.stale_s:g} s")
            else:
                self._watching.lost("ended by the prober")
            wait_s = FIRST_WAIT_S if self._watching.arrivals > before else min(LONGEST_WAIT_S, wait_s * 2)
            await asyncio.sleep(wait_s * self._rng.uniform(0.5, 1.0))

    async def _watch(self, stub: HealthFeedAsyncStub) -> None:
        """Take snapshots until the stream ends. The prober sends one a second at least: silence means that it hangs."""
        call = stub.Watch(pb.WatchRequest(), metadata=self._metadata)
        try:
            while True:
                async with asyncio.timeout(self._settings.stale_s):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                if isinstance(response, pb.WatchResponse):
                    await self._take(response.snapshot)
                else:
                    self._refuse("snapshot", "is not the message that it should be")
        finally:
            call.cancel()

    async def _take(self, message: pb.Snapshot) -> None:
        try:
            snapshot = await finish_between_others(snapshot_in_slices(message, known=self._board.targets))
        except Corrupt as e:
            self._refuse(e.field, e.reason)
            return
        merged = snapshot.merged_sequences.get(self._reporter_id, 0)
        match await finish_between_others(self._board.accept_in_slices(snapshot, merged=merged)):
            case Reception.TAKEN:
                self._last_refused = ""
                self._watching.arrived()
            case Reception.NOT_NEWER:
                self._refuse("order", f"is {snapshot.order}, not greater than the last")
            case Reception.CONTRADICTED:
                self._refuse("states", "contradict what was seen here")
                self._watching.arrived()  # it is reported to all the same: what was seen here may put it right

    def _refuse(self, field: str, reason: str) -> None:
        self.refused[field] += 1
        if field != self._last_refused:
            self._last_refused = field
            logger.warning("refused a health snapshot, the one before it stays: %s %s", field, reason)

    async def _report_on(self, stub: HealthFeedAsyncStub) -> None:
        while True:
            self._board.has_news.clear()
            self._board.take_report()
            wait_s = self._settings.report_s
            # Only a prober whose snapshot has come is told anything: the snapshot says what it holds already.
            if self._watching.is_up:
                wait_s = await self._send_unsent(stub)
            await self._wait_for_news(wait_s)

    async def _wait_for_news(self, longest_s: float) -> None:
        """Until the next report is due, or something happened that others should not wait for."""
        await asyncio.sleep(min(longest_s, LEAST_REPORT_WAIT_S))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, longest_s - LEAST_REPORT_WAIT_S)):
                await self._board.has_news.wait()

    async def _send_unsent(self, stub: HealthFeedAsyncStub) -> float:
        """Send what is due, oldest first; return how long to wait before the next report, in seconds."""
        wait_s = self._settings.report_s
        unsent = self._board.unsent_reports(self._reporter_id)
        if unsent:
            unsent[-1] = replace(unsent[-1], windows=self._windows())
        for report in unsent:
            try:
                asked_s = await self._send(stub, report)
            except grpc.aio.AioRpcError as e:
                self._reporting.lost(e.code().name)
                if e.code() is not grpc.StatusCode.INVALID_ARGUMENT:
                    break
            else:
                self._reporting.arrived()
                wait_s = min(LONGEST_REPORT_WAIT_S, max(wait_s, asked_s))
            # One that was refused for what it says would be refused again.
            self._board.report_accepted(report.sequence)
        return wait_s

    async def _send(self, stub: HealthFeedAsyncStub, report: Report) -> float:
        timeout_s = max(1.0, self._settings.report_s)
        call = stub.Report(report_to_message(report), timeout=timeout_s, metadata=self._metadata)
        try:
            response = await call
        finally:
            call.cancel()
        return response.next_report_after.seconds + response.next_report_after.nanos / 1e9


class _Link:
    """Whether one direction of the channel works. It logs a change, never a try."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_lost = False
        self.is_up = False
        self.arrivals = 0

    def arrived(self) -> None:
        self.arrivals += 1
        if not self.is_up:
            logger.info("%s: up", self._what)
        self.is_up, self._is_lost = True, False

    def lost(self, reason: str) -> None:
        if not self._is_lost:
            logger.warning("%s: lost (%s); routing goes on with what this router sees itself", self._what, reason)
        self.is_up, self._is_lost = False, True
