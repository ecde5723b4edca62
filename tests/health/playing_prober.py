"""A prober that plays along: it sends the snapshots it is given and keeps the reports it gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from signalbox.v1 import health_feed_pb2 as pb
from signalbox.v1.health_feed_pb2_grpc import HealthFeedServicer, add_HealthFeedServicer_to_server

from router_service.core.health import Snapshot
from router_service.health.wire import snapshot_to_message

Context = grpc.aio.ServicerContext[Any, Any]


class PlayingProber(HealthFeedServicer):
    """`send` goes to whoever watches; `reports` is what arrived; `refusals` are the codes that the next ones get."""

    def __init__(self) -> None:
        self.reports: list[pb.ReportRequest] = []
        self.refusals: list[grpc.StatusCode] = []
        self.next_report_after_s = 0.0
        self.watched = asyncio.Event()
        self.reported = asyncio.Event()
        self.ended_watches = 0
        self._messages: list[pb.Snapshot] = []
        self._arrived = asyncio.Condition()

    async def send(self, snapshot: Snapshot | pb.Snapshot) -> None:
        message = snapshot if isinstance(snapshot, pb.Snapshot) else snapshot_to_message(snapshot)
        async with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()

    async def Watch(self, _request: pb.WatchRequest, context: Context) -> None:  # type: ignore[override]
        self.watched.set()
        sent = 0
        try:
            while True:
                async with self._arrived:
                    while len(self._messages) <= sent:
                        await self._arrived.wait()
                message, sent = self._messages[sent], sent + 1
                await context.write(pb.WatchResponse(snapshot=message))
        finally:
            self.ended_watches += 1

    async def Report(self, request: pb.ReportRequest, context: Context) -> pb.ReportResponse:
        self.reports.append(request)
        self.reported.set()
        if self.refusals:
            await context.abort(self.refusals.pop(0), "refused")
        nanos = round(self.next_report_after_s * 1e9)
        return pb.ReportResponse(accepted_sequence=request.sequence, next_report_after=Duration(nanos=nanos))


@asynccontextmanager
async def serving(prober: PlayingProber, path: Path) -> AsyncIterator[str]:
    """`prober` on a Unix socket; yields the address to watch."""
    server = grpc.aio.server()
    add_HealthFeedServicer_to_server(prober, server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield f"unix:{path}"
    finally:
        await server.stop(None)
