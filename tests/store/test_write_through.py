"""Counts on their way to a store and back: restarts, stores that fail, hang or forget, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from router_service.core.budget import BudgetRules
from router_service.core.quota import Amounts, QuotaRules, Unit
from router_service.core.windows import Per, WindowKey
from router_service.store.memory import MemoryQuotaStore
from router_service.store.ports import QuotaStore, StoreFailed, Want
from router_service.store.quota import QuotaBook
from tests.store.making import ONE, USD, HandClock, admitted, book, limit, refused, reserved, until, used

pytestmark = pytest.mark.anyio
RULES = QuotaRules(
    provider="groq",
    limits=(limit(20, Per.MINUTE), limit(500, unit=Unit.TOKENS), limit(USD, Per.EVER, Unit.USD_NANOS)),
    free=limit(10),
)
BUDGETS = BudgetRules(daily_usd_nanos=USD)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def started(clock: HandClock, store: QuotaStore) -> QuotaBook:
    quotas = book(RULES, clock=clock, store=store, budgets=BUDGETS)
    await quotas.load()
    return quotas


async def taken_today(store: QuotaStore) -> int:
    key = WindowKey("free groq requests/day", "2026-11-21")
    return (await store.spent([key]))[key]


@asynccontextmanager
async def running(quotas: QuotaBook) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(quotas.run())
        yield
        task.cancel()


async def test_counts_survive_a_clean_restart(open_store: Callable[[], QuotaStore], clock: HandClock) -> None:
    quotas = await started(clock, open_store())
    assert admitted(quotas, 4) == 4
    await quotas.close()
    again = await started(clock, open_store())
    assert used(again) == 4
    assert admitted(again, 20) == 6


async def test_a_window_that_ended_meanwhile_starts_anew(
    open_store: Callable[[], QuotaStore], clock: HandClock
) -> None:
    quotas = await started(clock, open_store())
    assert admitted(quotas, 10) == 10
    await quotas.close()
    clock.pass_s(86_400)
    assert admitted(await started(clock, open_store()), 20) == 10


async def test_money_and_tokens_survive_too(open_store: Callable[[], QuotaStore], clock: HandClock) -> None:
    paid = QuotaRules(provider="groq", limits=RULES.limits)
    quotas = book(paid, clock=clock, store=open_store(), budgets=BUDGETS)
    call = Amounts(requests=1, tokens=300, usd_nanos=USD // 4)
    quotas.settle(reserved(quotas.reserve("groq", "small", call)), call)
    await quotas.close()
    again = book(paid, clock=clock, store=open_store(), budgets=BUDGETS)
    await again.load()
    assert [reading.used for reading in again.readings("groq")] == [1, 300, USD // 4]
    assert again.budget_readings()[0].left_usd_nanos == USD * 3 // 4


async def test_what_is_in_flight_is_written_as_well_and_taken_back_when_it_was_not_sent(
    store: QuotaStore, clock: HandClock
) -> None:
    quotas = await started(clock, store)
    held = [reserved(quotas.reserve("groq", "small", ONE)) for _ in range(3)]
    await quotas.load()
    assert await taken_today(store) == 3
    quotas.settle(held[0], ONE)
    quotas.settle(held[1], Amounts())
    await quotas.load()
    assert await taken_today(store) == 2


async def test_run_writes_without_being_asked(open_store: Callable[[], QuotaStore], clock: HandClock) -> None:
    store = open_store()
    quotas = await started(clock, store)
    async with running(quotas):
        admitted(quotas, 5)

        async def is_written() -> bool:
            return await taken_today(store) == 5

        await until(is_written, "what was counted was not written")
    await quotas.close()


async def test_what_another_process_spends_is_learnt(open_store: Callable[[], QuotaStore], clock: HandClock) -> None:
    one, other = await started(clock, open_store()), await started(clock, open_store())
    assert admitted(one, 6) == 6
    await one.load()
    assert admitted(other, 1) == 1
    await other.load()
    assert used(other) == 7
    assert other.standings()["groq"].remaining_share == pytest.approx(0.3)


class FailingStore:
    """A memory store that fails, hangs or forgets as it is told."""

    def __init__(self) -> None:
        self.memory = MemoryQuotaStore()
        self.is_failing = False
        self.learnt: list[WindowKey] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.was_called = asyncio.Event()

    async def lease(self, wants: Sequence[Want]) -> Sequence[int]:
        await self._come_through()
        return await self.memory.lease(wants)

    async def give_back(self, amounts: Mapping[WindowKey, int]) -> None:
        await self._come_through()
        await self.memory.give_back(amounts)

    async def spent(self, keys: Sequence[WindowKey]) -> Mapping[WindowKey, int]:
        await self._come_through()
        self.learnt = list(keys)
        return await self.memory.spent(keys)

    async def close(self) -> None:
        """Nothing is open."""

    async def _come_through(self) -> None:
        self.was_called.set()
        await self.is_open.wait()
        if self.is_failing:
            raise StoreFailed("out of order")


async def test_a_store_that_fails_stops_nobody_and_is_told_later(clock: HandClock) -> None:
    store = FailingStore()
    store.is_failing = True
    quotas = await started(clock, store)
    assert admitted(quotas, 20) == 10
    await quotas.load()
    store.is_failing = False
    await quotas.load()
    assert used(await started(clock, store.memory)) == 10


async def test_a_store_that_fails_at_the_start_is_believed_once_it_answers(clock: HandClock) -> None:
    store = FailingStore()
    earlier = await started(clock, store)
    admitted(earlier, 7)
    await earlier.close()
    store.is_failing = True
    quotas = await started(clock, store)
    assert admitted(quotas, 1) == 1
    store.is_failing = False
    await quotas.load()
    assert used(quotas) == 8


async def test_a_store_that_fails_is_in_the_log_once_a_minute(
    clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = FailingStore()
    store.is_failing = True
    quotas = await started(clock, store)
    for _ in range(5):
        await quotas.load()
    assert [record.getMessage() for record in caplog.records] == [
        "quota counts are kept in memory only for now: the store failed: out of order"
    ]
    clock.pass_s(61)
    await quotas.load()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


async def test_a_store_that_hangs_delays_neither_the_start_nor_a_request_nor_the_end(clock: HandClock) -> None:
    store = FailingStore()
    store.is_open.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()
    quotas = await started(clock, store)
    store.was_called.clear()
    async with running(quotas):
        await store.was_called.wait()
        asked = loop.time()
        assert admitted(quotas, 20) == 10
        assert loop.time() - asked < 0.05
    await quotas.close()
    assert loop.time() - began < 4.0


async def test_a_write_that_is_cancelled_is_counted_once(
    open_store: Callable[[], QuotaStore], clock: HandClock
) -> None:
    """`run` is cancelled at any of its waits; `close` then writes what is missing and nothing twice."""
    for turns in range(12):
        quotas = await started(clock, open_store())
        before = used(quotas)
        task = asyncio.create_task(quotas.run())
        assert admitted(quotas, 1) == 1
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await quotas.close()
        again = await started(clock, open_store())
        assert used(again) == before + 1
        await again.close()
        clock.pass_s(86_400)


async def test_a_store_that_forgets_is_told_again(clock: HandClock) -> None:
    store = FailingStore()
    earlier = await started(clock, store)
    admitted(earlier, 4)
    await earlier.close()
    quotas = await started(clock, store)
    assert admitted(quotas, 2) == 2
    await quotas.load()
    store.memory = MemoryQuotaStore()
    assert admitted(quotas, 1) == 1
    await quotas.load()
    assert used(quotas) == 7
    await quotas.close()
    assert used(await started(clock, store.memory)) == 7


async def test_a_days_count_that_could_not_be_written_is_kept(clock: HandClock) -> None:
    store = FailingStore()
    store.is_failing = True
    quotas = await started(clock, store)
    for _ in range(6):
        assert admitted(quotas, 3) == 3
        clock.pass_s(86_400)
        quotas.standings()
    store.is_failing = False
    await quotas.load()
    keys = [WindowKey("free groq requests/day", f"2026-11-{day}") for day in range(21, 27)]
    assert list((await store.spent(keys)).values()) == [3] * 6


async def test_minutes_that_are_over_take_no_memory(clock: HandClock) -> None:
    store = FailingStore()
    store.is_failing = True
    quotas = await started(clock, store)
    for _ in range(200):
        clock.pass_s(9_000)
        assert admitted(quotas, 1) == 1
    store.is_failing = False
    await quotas.load()
    assert len(store.learnt) < 60


async def test_a_refused_attempt_is_not_written(store: QuotaStore, clock: HandClock) -> None:
    quotas = await started(clock, store)
    admitted(quotas, 10)
    refused(quotas.reserve("groq", "small", ONE))
    await quotas.load()
    assert await taken_today(store) == 10
