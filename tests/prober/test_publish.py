"""The feed: what is published when, and that a watcher who reads slowly gets the newest and never a queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from signalbox.v1 import health_feed_pb2 as pb

from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from prober.publish import Feed
from router_service.core.catalog import Catalog, Model, Provider, Target
from router_service.core.health import ProbeTiming
from router_service.core.settings import ProberSettings

pytestmark = pytest.mark.anyio

CATALOG = Catalog(
    targets=(Target(Provider(name="alder", dialect="openai", base_url="http://127.0.0.1:1"), Model(id="small")),)
)


class Watcher:
    """Stands in for a call's context: takes what is written, one message whenever the test allows it."""

    def __init__(self) -> None:
        self.snapshots: list[pb.Snapshot] = []
        self._allowed = asyncio.Semaphore(0)
        self._written = asyncio.Semaphore(0)

    async def write(self, message: pb.WatchResponse) -> None:
        self.snapshots.append(message.snapshot)
        self._written.release()
        await self._allowed.acquire()

    async def next(self) -> pb.Snapshot:
        async with asyncio.timeout(2):
            await self._written.acquire()
        return self.snapshots[-1]

    def go_on(self) -> None:
        self._allowed.release()


class Rig:
    """A feed on a clock that is moved by hand."""

    def __init__(self, settings: ProberSettings | None = None) -> None:
        self.now = 0.0
        settings = settings or ProberSettings()
        self.picture = Picture(CATALOG, settings, now=0.0)
        self.feed = Feed(self.picture, settings, epoch=7, prober_id="prober-1", clock=lambda: self.now)

    def probe(self, finding: Finding) -> None:
        timing = ProbeTiming(is_ok=finding is Finding.GOOD)
        self.picture.probed(ProbeResult(provider="alder", finding=finding, timing=timing), self.now)
        self.feed.changed()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watcher]:
        watcher = Watcher()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.feed.Watch(pb.WatchRequest(), watcher))  # type: ignore[arg-type]
            yield watcher
            task.cancel()


async def test_a_watcher_gets_the_current_snapshot_at_once() -> None:
    rig = Rig()
    rig.probe(Finding.GOOD)
    async with rig.watched() as watcher:
        first = await watcher.next()
    assert (first.epoch, first.sequence, first.prober_id) == (7, 2, "prober-1")
    assert first.targets[0].state == pb.HEALTH_STATE_HEALTHY


async def test_a_change_is_published_without_waiting_and_nothing_else_is() -> None:
    rig = Rig()
    async with rig.watched() as watcher:
        await watcher.next()
        watcher.go_on()
        rig.probe(Finding.GOOD)
        assert (await watcher.next()).targets[0].state == pb.HEALTH_STATE_HEALTHY
        watcher.go_on()
        rig.probe(Finding.GOOD)
        rig.probe(Finding.BAD)
        await asyncio.sleep(0)
        assert len(watcher.snapshots) == 2


async def test_a_slow_watcher_gets_the_newest_and_not_what_it_missed() -> None:
    rig = Rig()
    async with rig.watched() as slow:
        await slow.next()
        for finding in (Finding.GOOD, Finding.KEY_REFUSED, Finding.GOOD, Finding.KEY_REFUSED):
            rig.probe(finding)
            rig.probe(finding)
        slow.go_on()
        newest = await slow.next()
        assert newest.sequence == 5
        assert newest.providers[0].block_reason == pb.BLOCK_REASON_CREDENTIALS
        slow.go_on()
        await asyncio.sleep(0)
        assert [s.sequence for s in slow.snapshots] == [1, 5]


async def test_a_slow_watcher_holds_up_nobody() -> None:
    rig = Rig()
    async with rig.watched() as slow, rig.watched() as quick:
        await slow.next()
        for sequence in range(1, 6):
            assert (await quick.next()).sequence == sequence
            quick.go_on()
            finding = Finding.GOOD if sequence % 2 else Finding.KEY_REFUSED
            rig.probe(finding)
            rig.probe(finding)
        assert len(slow.snapshots) == 1


async def test_a_heartbeat_comes_also_when_nothing_changes() -> None:
    rig = Rig(replace(ProberSettings(), stale_s=0.03))
    async with rig.watched() as watcher, asyncio.TaskGroup() as group:
        running = group.create_task(rig.feed.run())
        for sequence in (1, 2, 3):
            assert (await watcher.next()).sequence == sequence
            rig.now += 1.0
            watcher.go_on()
        running.cancel()


async def test_a_watcher_that_leaves_is_forgotten() -> None:
    rig = Rig()
    async with rig.watched() as watcher:
        await watcher.next()
    rig.probe(Finding.GOOD)
    assert len(watcher.snapshots) == 1


async def test_watchers_come_again_once_callers_may_be_somebody_else() -> None:
    rig = Rig()
    watcher = Watcher()
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        group.create_task(rig.feed.Watch(pb.WatchRequest(), watcher))  # type: ignore[arg-type]
        await watcher.next()
        rig.feed.callers_changed()
        watcher.go_on()
    assert len(watcher.snapshots) == 1
