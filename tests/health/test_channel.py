"""The channel: it keeps the board current, reports what the router saw, and survives whatever the prober does."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc
import pytest

from router_service.core.health import QuotaWindow, Snapshot, Source, State, TargetHealth
from router_service.core.outcome import Outcome
from router_service.core.settings import HealthRules, ProberSettings
from router_service.health.board import HealthBoard
from router_service.health.channel import FIRST_WAIT_S, LONGEST_WAIT_S, HealthChannel
from router_service.health.wire import snapshot_to_message

from .making import REPORTER, TARGETS, attempt, snapshot
from .playing_prober import PlayingProber, serving

pytestmark = pytest.mark.anyio

RULES = HealthRules(min_dwell_s=0.05)
TRIES_TO_THE_LONGEST_WAIT = math.ceil(math.log2(LONGEST_WAIT_S / FIRST_WAIT_S))
QUICK = ProberSettings(report_s=0.05, stale_s=1.0, ignore_s=3.0, rules=RULES)


@dataclass(frozen=True)
class Line:
    """A board and the channel that keeps it current."""

    board: HealthBoard
    channel: HealthChannel
    waits: Waits

    def state(self, target: str = "alder/small") -> State:
        return self.board.standings()[target].state

    def attempt(self, outcome: Outcome = Outcome.OK) -> None:
        attempt(self.board, "alder/small", outcome)


class Waits(Random):
    """The channel's source of chance, which it asks once before each wait that follows a failed try."""

    def __init__(self) -> None:
        super().__init__(1)
        self.begun = 0

    def uniform(self, a: float, b: float) -> float:
        self.begun += 1
        return super().uniform(a, b)


@asynccontextmanager
async def connected(
    address: str, settings: ProberSettings = QUICK, *, windows: Mapping[str, tuple[QuotaWindow, ...]] | None = None
) -> AsyncIterator[Line]:
    board = HealthBoard(TARGETS, settings, clock=time.monotonic)
    waits = Waits()
    channel = HealthChannel(
        address, board, reporter_id=REPORTER, settings=settings, rng=waits, windows=lambda: windows or {}
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(channel.run())
        try:
            yield Line(board, channel, waits)
        finally:
            running.cancel()


async def until(is_so: Callable[[], bool], what: str, *, within_s: float = 3.0) -> float:
    """Look every few milliseconds; return how long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_s, what
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_snapshots_reach_the_board(socket_path: Path) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address, connected(address) as line:
        await prober.send(snapshot(1, alder=State.DEGRADED))
        await until(lambda: line.state() is State.DEGRADED, "the snapshot did not arrive")
        await prober.send(snapshot(2))
        await until(lambda: _after_tick(line) is State.HEALTHY, "the second snapshot did not arrive")
        assert line.board.snapshot_info().source is Source.PROBER


async def test_a_snapshot_of_a_large_catalogue_leaves_the_loop_to_others(socket_path: Path) -> None:
    targets = [f"alder/m{i}" for i in range(5000)]
    told = {t: TargetHealth(target=t, state=State.DEGRADED, traffic_share=0.1) for t in targets}
    message = snapshot_to_message(Snapshot(epoch=1, sequence=1, prober_id="prober", targets=told))
    board = HealthBoard(targets, QUICK, clock=time.monotonic)
    channel = HealthChannel(f"unix:{socket_path}", board, reporter_id=REPORTER, settings=QUICK, rng=Random(1))
    prober, stages = PlayingProber(), set()

    def is_whole() -> bool:
        stages.add(sum(standing.state is State.DEGRADED for standing in board.standings().values()))
        return len(targets) in stages

    async with serving(prober, socket_path), asyncio.TaskGroup() as group:
        running = group.create_task(channel.run())
        await prober.watched.wait()
        await prober.send(message)
        await until(is_whole, "the snapshot did not arrive")
        running.cancel()
    assert len(stages) > 2, "it was taken over without a pause"


async def test_attempts_are_reported_once(socket_path: Path) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address, connected(address) as line:
        await prober.send(snapshot(1))
        await until(lambda: line.state() is State.HEALTHY, "no snapshot")
        for _ in range(3):
            line.attempt()
        line.attempt(Outcome.TIMEOUT)
        await until(lambda: len(prober.reports) >= 6, "no reports")
        counts = [count.count for report in prober.reports for t in report.targets for count in t.outcomes]
        assert sum(counts) == 4
        sequences = [report.sequence for report in prober.reports]
        assert sequences == sorted(set(sequences))
        assert {report.reporter_id for report in prober.reports} == {REPORTER}


async def test_what_is_left_of_limits_goes_along_with_the_newest_report_alone(socket_path: Path) -> None:
    prober, left = PlayingProber(), QuotaWindow(unit="requests/day", limit=9, remaining=4)
    prober.refusals = [grpc.StatusCode.UNAVAILABLE]
    async with serving(prober, socket_path) as address, connected(address, windows={"alder": (left,)}) as line:
        line.attempt()
        await prober.send(snapshot(1))
        await until(lambda: len(prober.reports) >= 3, "no reports")
        newest = {(w.unit, w.remaining) for report in prober.reports for p in report.providers for w in p.windows}
        assert newest == {("requests/day", 4)}
        with_windows = [report.sequence for report in prober.reports if report.providers]
        assert len(with_windows) < len(prober.reports)


async def test_nothing_is_reported_before_the_first_snapshot(socket_path: Path) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address, connected(address) as line:
        await prober.watched.wait()
        line.attempt(Outcome.CONNECT)
        await until(lambda: line.board.unsent_reports(REPORTER)[-1:] != [], "no report was closed")
        assert prober.reports == []
        await prober.send(snapshot(1))
        await until(lambda: any(report.targets for report in prober.reports), "the attempt was not reported")


async def test_a_report_that_got_lost_is_sent_again(socket_path: Path) -> None:
    prober = PlayingProber()
    prober.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
    async with serving(prober, socket_path) as address, connected(address) as line:
        line.attempt()
        await prober.send(snapshot(1))
        await until(lambda: sum(bool(r.targets) for r in prober.reports) >= 3, "it was not sent again")
        assert len({r.sequence for r in prober.reports if r.targets}) == 1


async def test_a_report_that_is_refused_for_what_it_says_is_not_sent_again(socket_path: Path) -> None:
    prober = PlayingProber()
    prober.refusals = [grpc.StatusCode.INVALID_ARGUMENT]
    async with serving(prober, socket_path) as address, connected(address) as line:
        line.attempt()
        await prober.send(snapshot(1))
        await until(lambda: len(prober.reports) >= 3, "reporting did not go on")
        assert sum(bool(r.targets) for r in prober.reports) == 1


async def test_a_block_is_reported_at_once(socket_path: Path) -> None:
    prober, settings = PlayingProber(), ProberSettings(report_s=60.0, stale_s=30.0, rules=RULES)
    async with serving(prober, socket_path) as address, connected(address, settings) as line:
        await prober.send(snapshot(1))
        await until(lambda: line.state() is State.HEALTHY, "no snapshot arrived")
        line.attempt(Outcome.RATE_LIMITED)
        await until(lambda: _is_blocked_in(prober), "the block was not reported before the next report is due")


def _is_blocked_in(prober: PlayingProber) -> bool:
    return any(target.HasField("blocked_for") for report in prober.reports for target in report.targets)


async def test_a_busy_prober_is_reported_to_less_often(socket_path: Path) -> None:
    prober = PlayingProber()
    prober.next_report_after_s = 0.5
    async with serving(prober, socket_path) as address, connected(address):
        await prober.send(snapshot(1))
        await prober.reported.wait()
        began = time.monotonic()
        await until(lambda: len(prober.reports) >= 2, "no second report")
        assert time.monotonic() - began >= 0.45


async def test_a_prober_that_comes_late_is_found_within_a_second(socket_path: Path) -> None:
    async with connected(f"unix:{socket_path}") as line:
        await until(lambda: line.waits.begun >= TRIES_TO_THE_LONGEST_WAIT, "the waits between tries have not grown")
        prober = PlayingProber()
        async with serving(prober, socket_path):
            await prober.send(snapshot(1))
            took_s = await until(lambda: line.state() is State.HEALTHY, "the prober was not found")
            assert took_s < 1.0


async def test_a_restarted_prober_is_told_the_last_minutes_again(socket_path: Path) -> None:
    first, second = PlayingProber(), PlayingProber()
    async with connected(f"unix:{socket_path}") as line:
        async with serving(first, socket_path):
            await first.send(snapshot(90, epoch=4))
            line.attempt(Outcome.SERVER_ERROR)
            await until(lambda: any(r.targets for r in first.reports), "the attempt was not reported")
        async with serving(second, socket_path):
            await second.send(snapshot(1, epoch=5))
            await until(lambda: line.board.snapshot_info().epoch == 5, "the new epoch was not taken over")
            await until(lambda: any(r.targets for r in second.reports), "the attempt was not reported again")
            again = next(r for r in second.reports if r.targets)
            assert again.sequence == next(r.sequence for r in first.reports if r.targets)
            assert again.age.ToNanoseconds() > 0


async def test_a_corrupt_snapshot_is_counted_and_the_one_before_stays(
    socket_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address, connected(address) as line:
        await prober.send(snapshot(1))
        await until(lambda: line.state() is State.HEALTHY, "no snapshot")
        for sequence in (2, 3):
            message = snapshot_to_message(snapshot(sequence, alder=State.UNHEALTHY))
            message.targets[0].traffic_share = float("nan")
            await prober.send(message)
        await prober.send(snapshot(1, alder=State.UNHEALTHY))
        await until(lambda: line.channel.refused.total() == 3, "they were not refused")
        assert line.channel.refused == {"targets[0].traffic_share": 2, "order": 1}
        assert line.state() is State.HEALTHY
        assert sum("refused a health snapshot" in record.message for record in caplog.records) == 2


async def test_a_prober_that_is_not_believed_is_counted_as_such_and_told_what_is_seen_here(socket_path: Path) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address, connected(address) as line:
        line.attempt()
        await prober.send(snapshot(1, alder=State.UNHEALTHY, birch=State.UNHEALTHY, cedar=State.UNHEALTHY))
        await until(lambda: line.channel.refused == {"states": 1}, "it was not refused for what it says")
        await until(lambda: any(report.targets for report in prober.reports), "the prober was not told")
        assert line.state() is State.HEALTHY


async def test_a_silent_prober_is_left_and_tried_again(socket_path: Path) -> None:
    prober = PlayingProber()
    settings = ProberSettings(report_s=0.05, stale_s=0.2, ignore_s=0.4, rules=RULES)
    async with serving(prober, socket_path) as address, connected(address, settings) as line:
        await prober.send(snapshot(1, alder=State.UNHEALTHY))
        await until(lambda: line.state() is State.UNHEALTHY, "no snapshot")
        await until(lambda: prober.ended_watches >= 1, "the silent watch was not left")
        await until(lambda: _after_tick(line) is State.UNKNOWN, "the silent prober's word still counts")
        await prober.send(snapshot(2, alder=State.DEGRADED))
        await until(lambda: line.state() is State.DEGRADED, "the prober's next word was not heard")


async def test_an_absent_prober_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with connected(f"unix:{tmp_path}/nobody.sock") as line:
        await until(lambda: line.waits.begun >= 2, "the prober was not looked for again")
        line.attempt()
        assert line.state() is State.HEALTHY
    lost = [r for r in caplog.records if "lost" in r.message]
    assert len(lost) == 1


async def test_cancelling_leaves_no_call_behind(socket_path: Path) -> None:
    prober = PlayingProber()
    async with serving(prober, socket_path) as address:
        async with connected(address) as line:
            await prober.send(snapshot(1))
            await until(lambda: line.state() is State.HEALTHY, "no snapshot")
        await until(lambda: prober.ended_watches == 1, "the watch was not cancelled")


def _after_tick(line: Line) -> State:
    line.board.tick()
    return line.state()
