"""The cap on what deep probes cost in a day: never exceeded, whoever is killed in between."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.cap import DailyCap
from router_service.core.windows import Moment, WindowKey
from router_service.store.memory import MemoryQuotaStore
from router_service.store.ports import QuotaStore, StoreFailed, Want
from router_service.store.sqlite import SqliteQuotaStore

DAY_S = 86_400.0
NOON_S = 20_000 * DAY_S + DAY_S / 2


def cap(store: QuotaStore, *, wall_s: float = NOON_S) -> DailyCap:
    return DailyCap(store, cap_usd_nanos=100, clock=lambda: Moment(wall_s, wall_s))


class FailingStore(MemoryQuotaStore):
    async def lease(self, wants: Sequence[Want]) -> Sequence[int]:
        raise StoreFailed("the disk is gone")

    async def give_back(self, amounts: Mapping[WindowKey, int]) -> None:
        raise StoreFailed("the disk is gone")


@pytest.mark.anyio
async def test_the_worst_case_is_held_and_what_was_not_spent_comes_back() -> None:
    capped = cap(MemoryQuotaStore())
    first = await capped.take("alder", 60)
    assert first is not None
    assert await capped.take("alder", 60) is None
    assert await capped.take("birch", 60) is not None, "each provider has a cap of its own"
    await first.settle(10)
    assert await capped.take("alder", 90) is not None
    assert await capped.take("alder", 1) is None


@pytest.mark.anyio
async def test_a_provider_that_bills_more_than_it_was_asked_for_spends_the_next_probes_money() -> None:
    capped = cap(MemoryQuotaStore())
    taking = await capped.take("alder", 10)
    assert taking is not None
    await taking.settle(95)
    assert await capped.take("alder", 10) is None
    assert await capped.take("alder", 5) is not None


@pytest.mark.anyio
async def test_a_new_day_has_a_cap_of_its_own() -> None:
    store = MemoryQuotaStore()
    assert await cap(store).take("alder", 100) is not None
    assert cap(store).resets_in_s() == DAY_S / 2
    assert await cap(store, wall_s=NOON_S + DAY_S / 2 - 1).take("alder", 1) is None
    assert await cap(store, wall_s=NOON_S + DAY_S / 2).take("alder", 100) is not None


@pytest.mark.anyio
async def test_without_a_store_nothing_is_spent() -> None:
    assert await cap(FailingStore()).take("alder", 1) is None


@pytest.mark.anyio
async def test_a_prober_that_is_killed_spends_no_more_than_the_cap(tmp_path: Path) -> None:
    for taken in (60, 40):
        store = SqliteQuotaStore(tmp_path / "quota.db")
        assert await cap(store).take("alder", taken) is not None
        await store.close()  # and nothing was settled
    store = SqliteQuotaStore(tmp_path / "quota.db")
    assert await cap(store).take("alder", 1) is None
    await store.close()


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), max_size=30))
def test_whatever_probes_cost_within_their_worst_case_the_cap_holds(probes: list[tuple[int, int]]) -> None:
    async def spend() -> int:
        capped, spent = cap(MemoryQuotaStore()), 0
        for worst, cost in probes:
            if (taking := await capped.take("alder", worst)) is not None:
                await taking.settle(min(worst, cost))
                spent += min(worst, cost)
        return spent

    assert asyncio.run(spend()) <= 100
