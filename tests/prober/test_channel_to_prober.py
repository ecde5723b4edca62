"""A router's board and channel with the real prober: one picture for all, and nothing lost when the prober is hurt."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from router_service.core.health import Source, State
from router_service.core.outcome import Outcome
from tests.health.making import attempt

from .stage import CHANNEL, INTERVAL_S, NAMES, Line, Stage, connected

pytestmark = pytest.mark.anyio


async def until_current(line: Line) -> float:
    return await line.until(
        lambda: all(line.state(name) is State.HEALTHY for name in NAMES), within_s=5, what="the board is not current"
    )


async def test_a_router_that_starts_is_current_within_a_second(stage: Stage) -> None:
    async with connected(stage.socket) as line:
        assert await until_current(line) < 1.0
        assert line.board.snapshot_info().source is Source.PROBER


async def test_what_one_router_suffers_warns_all(own_stage: Stage) -> None:
    async with connected(own_stage.socket) as first, connected(own_stage.socket) as second:
        await until_current(first)
        await until_current(second)
        for _ in range(3):
            attempt(first.board, "alder/chat-small", Outcome.SERVER_ERROR)
        assert first.state("alder") is State.UNHEALTHY
        await second.until(
            lambda: second.state("alder") is State.UNHEALTHY, within_s=1.0, what="the second router was not warned"
        )
        assert second.state("birch") is State.HEALTHY


async def test_a_fault_that_only_probes_see_reaches_the_router(stage: Stage) -> None:
    async with connected(stage.socket) as line:
        await until_current(line)
        stage.witness.break_provider("cedar", "status=500")
        await line.until(
            lambda: line.state("cedar") is State.UNHEALTHY, within_s=1.2 * INTERVAL_S + 1.5, what="the fault was missed"
        )


async def test_a_rate_limit_of_one_router_blocks_the_provider_for_all(own_stage: Stage) -> None:
    async with connected(own_stage.socket) as first, connected(own_stage.socket) as second:
        await until_current(first)
        await until_current(second)
        attempt(first.board, "alder/chat-small", Outcome.RATE_LIMITED, retry_after_s=2.0)
        await second.until(
            lambda: second.board.standings()["alder/chat-small"].block_reason is not None,
            within_s=1.0,
            what="the second router was not told",
        )
        left_s = second.board.standings()["alder/chat-small"].blocked_for_s
        assert 0.5 < left_s <= 2.0


async def test_a_restart_of_the_prober_is_followed_within_a_second_and_nothing_is_lost(own_stage: Stage) -> None:
    async with connected(own_stage.socket) as line:
        await until_current(line)
        for _ in range(3):
            attempt(line.board, "alder/chat-small", Outcome.SERVER_ERROR)
        await line.until(
            lambda: own_stage.health("alder").state is State.UNHEALTHY, within_s=2, what="the prober was not told"
        )
        await asyncio.to_thread(own_stage.prober.kill)
        await asyncio.to_thread(own_stage.prober.start)
        began = time.monotonic()
        await line.until(lambda: line.board.snapshot_info().epoch == 2, within_s=1.0, what="the new epoch was missed")
        assert line.board.snapshot_info().source is Source.PROBER
        assert line.state("alder") is not State.HEALTHY
        await line.until(
            lambda: own_stage.health("alder").state is State.UNHEALTHY, within_s=2, what="the new prober was not told"
        )
        assert time.monotonic() - began < 3.0


async def test_a_prober_that_lost_its_count_of_starts_is_followed_again(own_stage: Stage) -> None:
    reporter_id = "router-lost-count"
    (own_stage.directory / "prober.epoch").write_text("6\n")
    await asyncio.to_thread(own_stage.prober.kill)
    await asyncio.to_thread(own_stage.prober.start)
    async with connected(own_stage.socket, reporter_id) as line:
        await line.until(lambda: line.board.snapshot_info().epoch == 7, within_s=2, what="no seventh epoch")
        await asyncio.to_thread(own_stage.prober.kill)
        (own_stage.directory / "prober.epoch").unlink()
        await asyncio.to_thread(own_stage.prober.start)
        attempt(line.board, "alder/chat-small")
        await line.until(
            lambda: line.board.snapshot_info().epoch == 1,
            within_s=CHANNEL.stale_s + 1,
            what="the prober was not followed once the last snapshot was stale",
        )
        assert line.board.snapshot_info().source is Source.PROBER
        await line.until(
            lambda: reporter_id in own_stage.snapshot().merged_sequences,
            within_s=2,
            what="the prober was not told",
        )


async def test_a_stopped_prober_degrades_nothing_and_is_followed_again(own_stage: Stage) -> None:
    async with connected(own_stage.socket) as line:
        await until_current(line)
        own_stage.prober.signal(signal.SIGSTOP)
        sources, slowest_s = set(), 0.0
        stopped_at = time.monotonic()
        while time.monotonic() - stopped_at < 3.0:
            began = time.monotonic()
            attempt(line.board, "alder/chat-small")
            line.board.tick()
            slowest_s = max(slowest_s, time.monotonic() - began)
            sources.add(line.board.snapshot_info().source)
            assert all(line.state(name) is State.HEALTHY for name in NAMES)
            await asyncio.sleep(0.01)
        assert sources == {Source.PROBER, Source.PASSIVE}
        assert slowest_s < 0.1
        own_stage.prober.signal(signal.SIGCONT)
        await line.until(
            lambda: line.board.snapshot_info().source is Source.PROBER, within_s=2, what="its return was not noticed"
        )
        await until_current(line)


async def test_over_tcp_snapshots_come_and_reports_are_refused(stage: Stage) -> None:
    async with connected(stage.tcp, "router-by-tcp") as line:
        await until_current(line)
        attempt(line.board, "alder/chat-small", Outcome.SERVER_ERROR)
        sequence = line.board.snapshot_info().sequence
        await line.until(
            lambda: line.board.snapshot_info().sequence > sequence + 2, within_s=5, what="snapshots stopped"
        )
        assert "router-by-tcp" not in stage.snapshot().merged_sequences
