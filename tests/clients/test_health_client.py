"""The health feed's clients: one snapshot, and one after the other."""

from __future__ import annotations

from contextlib import aclosing, closing

import pytest
from signalbox_client import AsyncHealthClient, HealthClient, StreamInterrupted, Unreachable

from .conftest import Served
from .playing_router import TARGET


def test_snapshot_is_read_once(served: Served) -> None:
    with HealthClient(served.address) as client:
        snapshot = client.get_snapshot()
    assert (snapshot.epoch, snapshot.targets[0].target) == (7, TARGET)


def test_watch_gives_each_snapshot_until_the_feed_breaks(served: Served) -> None:
    with HealthClient(served.address) as client:
        snapshots = client.watch()
        assert [next(snapshots).sequence for _ in range(2)] == [1, 2]
        with pytest.raises(StreamInterrupted):
            next(snapshots)


def test_watch_may_be_left(served: Served) -> None:
    with HealthClient(served.address) as client, closing(client.watch()) as snapshots:
        assert next(snapshots).sequence == 1


def test_absent_prober_is_unreachable() -> None:
    with HealthClient("unix:/nowhere/prober.sock", wait_for_ready=False) as client, pytest.raises(Unreachable):
        client.get_snapshot()


@pytest.mark.anyio
async def test_async_snapshot_is_read_once(served: Served) -> None:
    async with AsyncHealthClient(served.address) as client:
        assert (await client.get_snapshot()).epoch == 7


@pytest.mark.anyio
async def test_async_watch_gives_each_snapshot_until_the_feed_breaks(served: Served) -> None:
    async with AsyncHealthClient(served.address) as client:
        snapshots = client.watch()
        assert [(await anext(snapshots)).sequence for _ in range(2)] == [1, 2]
        with pytest.raises(StreamInterrupted):
            await anext(snapshots)


@pytest.mark.anyio
async def test_async_watch_may_be_left(served: Served) -> None:
    async with AsyncHealthClient(served.address) as client, aclosing(client.watch()) as snapshots:
        assert (await anext(snapshots)).sequence == 1
