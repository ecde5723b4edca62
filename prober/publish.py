"""Publishes the picture: one pending snapshot for each watcher, a heartbeat, and a number that orders them all."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from signalbox.v1 import health_feed_pb2 as pb
from signalbox.v1.health_feed_pb2_grpc import HealthFeedServicer

from prober.merge import Picture
from router_service.core.errors import InvalidRequest, Violation
from router_service.core.settings import ProberSettings
from router_service.health.wire import progress_to_messages, snapshot_to_message, to_duration
from router_service.health.wire_limits import Corrupt
from router_service.health.wire_report import report_from_message
from router_service.rpc.access import current_caller

HEALTH_FEED = "signalbox.v1.HealthFeed"
HEARTBEAT_S = 1.0
MAX_EPOCH = 2**63 - 1
"""What a snapshot has room for."""
CHANGE_CHECK_S = 0.1
"""How late a change may be noticed that time alone brings about, such as the next step of a recovery."""

Context = grpc.aio.ServicerContext[Any, Any]


class Feed(HealthFeedServicer):
    """Implements HealthFeed. `changed` publishes at once what matters; `run` does so for what time brings."""

    def __init__(
        self, picture: Picture, settings: ProberSettings, *, epoch: int, prober_id: str, clock: Callable[[], float]
    ) -> None:
        self._picture = picture
        self._settings = settings
        self._epoch = epoch
        self._prober_id = prober_id
        self._clock = clock
        self._sequence = 0
        self._watchers: set[_Mailbox] = set()
        self._publish()

    @property
    def published(self) -> int:
        """How many snapshots there have been since the start."""
        return self._sequence

    @property
    def watchers(self) -> int:
        """How many calls take them now."""
        return len(self._watchers)

    async def run(self) -> None:
        """Publish a heartbeat, and what changes with time, until cancelled."""
        heartbeat_s = min(HEARTBEAT_S, self._settings.stale_s / 3)
        while True:
            await asyncio.sleep(min(CHANGE_CHECK_S, heartbeat_s))
            if self._clock() - self._published_at >= heartbeat_s:
                self._picture.forget_silent_reporters(self._clock())
                self._publish()
            else:
                self.changed()

    def changed(self) -> None:
        """Something was observed: publish now if it changed what routers must know."""
        if self._picture.what_matters(self._clock()) != self._published:
            self._publish()

    def callers_changed(self) -> None:
        """A key may be somebody else's from now on: watchers have to come again, to be told what is theirs."""
        for watcher in self._watchers:
            watcher.end()

    async def Watch(self, _request: pb.WatchRequest, context: Context) -> None:  # type: ignore[override]
        identity = current_caller().identity
        mailbox = _Mailbox(identity, self._shown_to(identity))
        self._watchers.add(mailbox)
        try:
            while (newest := await mailbox.take()) is not None:
                await context.write(newest)
        finally:
            self._watchers.discard(mailbox)

    async def GetSnapshot(self, _request: pb.GetSnapshotRequest, _context: Context) -> pb.GetSnapshotResponse:
        return pb.GetSnapshotResponse(snapshot=self._shown_to(current_caller().identity).snapshot)

    async def Report(self, request: pb.ReportRequest, _context: Context) -> pb.ReportResponse:
        try:
            report = report_from_message(request, known=self._picture.targets)
            accepted = self._picture.reported(report, self._clock(), identity=current_caller().identity)
        except Corrupt as e:
            raise InvalidRequest([Violation(e.field, e.reason)]) from e
        self.changed()
        return pb.ReportResponse(accepted_sequence=accepted, next_report_after=self._next_report_after())

    def _next_report_after(self) -> Duration:
        return to_duration(self._settings.report_s)

    def _publish(self) -> None:
        now = self._clock()
        self._sequence += 1
        self._published_at = now
        self._published = self._picture.what_matters(now)
        snapshot = self._picture.snapshot(
            now, epoch=self._epoch, sequence=self._sequence, prober_id=self._prober_id, wall_time=time.time()
        )
        self._current = snapshot_to_message(snapshot)
        self._progress = self._picture.progress()
        self._shown: dict[str | None, pb.WatchResponse] = {}
        for watcher in self._watchers:
            watcher.put(self._shown_to(watcher.identity))

    def _shown_to(self, identity: str) -> pb.WatchResponse:
        """The current snapshot with the progress of its own reporters alone: who reports by another's id would else
        have the last word on which of that other's reports have come.

        One message for all watchers of an identity, and for all whose identity reports nothing, however many: none of
        them makes a copy.
        """
        key = identity if identity in self._progress else None
        shown = self._shown.get(key)
        if shown is None:
            shown = self._shown[key] = pb.WatchResponse(snapshot=self._current)
            shown.snapshot.reporters.extend(progress_to_messages(self._progress.get(identity, {})))
        return shown


class _Mailbox:
    """Holds one snapshot for one watcher: a newer one takes the place of one that was not sent yet."""

    def __init__(self, identity: str, newest: pb.WatchResponse) -> None:
        self.identity = identity
        self._newest = newest
        self._has_ended = False
        self._is_full = asyncio.Event()
        self._is_full.set()

    def put(self, newest: pb.WatchResponse) -> None:
        self._newest = newest
        self._is_full.set()

    def end(self) -> None:
        """There is nothing more to take."""
        self._has_ended = True
        self._is_full.set()

    async def take(self) -> pb.WatchResponse | None:
        """The newest, once there is one that was not taken yet; None where there will be none any more."""
        await self._is_full.wait()
        self._is_full.clear()
        return None if self._has_ended else self._newest


class EpochLost(Exception):
    """The counter of starts cannot be read or written; the text says which file and what to do."""


def next_epoch(directory: Path) -> int:
    """Raise the counter of starts in `directory` and return it, only once it is safe on the disk. Raises EpochLost."""
    path = directory / "prober.epoch"
    try:
        last = int(path.read_text(encoding="ascii")) if path.exists() else 0
        if not 0 <= last < MAX_EPOCH:
            raise EpochLost(f"{path} holds a number that is not between 0 and {MAX_EPOCH - 1}; {_REMEDY}")
        _write_durably(path, f"{last + 1}\n")
    except ValueError as e:
        raise EpochLost(f"{path} does not hold a number; {_REMEDY}") from e
    except OSError as e:
        raise EpochLost(f"{path} cannot be read and written: {e.strerror}") from e
    return last + 1


_REMEDY = (
    "write a number into it that is higher than any epoch before; or remove it, and running routers take the new count "
    "once the last snapshot that they have is stale"
)


def _write_durably(path: Path, text: str) -> None:
    """Replace the file in one step, with its bytes and its name on the disk before this returns."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
