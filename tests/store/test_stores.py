"""The contract of QuotaStore, run over every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from router_service.core.windows import WindowKey
from router_service.store.ports import QuotaStore, Want

pytestmark = pytest.mark.anyio
DAY, NEXT_DAY, OTHER = WindowKey("groq", "day 1"), WindowKey("groq", "day 2"), WindowKey("mistral", "day 1")


async def taken(store: QuotaStore, key: WindowKey = DAY) -> int:
    return (await store.spent([key]))[key]


async def lease(store: QuotaStore, amount: int, *, limit: int | None = None, key: WindowKey = DAY) -> int:
    (granted,) = await store.lease([Want(key=key, amount=amount, limit=limit)])
    return granted


async def test_an_untouched_window_holds_nothing(store: QuotaStore) -> None:
    assert await store.spent([DAY, OTHER]) == {DAY: 0, OTHER: 0}


async def test_what_is_leased_is_taken(store: QuotaStore) -> None:
    assert await lease(store, 3, limit=10) == 3
    assert await taken(store) == 3


async def test_no_more_is_leased_than_the_limit_leaves(store: QuotaStore) -> None:
    assert [await lease(store, 4, limit=10) for _ in range(4)] == [4, 4, 2, 0]
    assert await taken(store) == 10


async def test_a_limit_that_was_lowered_grants_nothing(store: QuotaStore) -> None:
    await lease(store, 10, limit=10)
    assert await lease(store, 1, limit=5) == 0
    assert await taken(store) == 10


async def test_what_was_spent_already_is_taken_over_any_limit(store: QuotaStore) -> None:
    await lease(store, 10, limit=10)
    assert await lease(store, 7) == 7
    assert await taken(store) == 17


async def test_what_is_given_back_can_be_leased_again(store: QuotaStore) -> None:
    await lease(store, 10, limit=10)
    await store.give_back({DAY: 4})
    assert await taken(store) == 6
    assert await lease(store, 9, limit=10) == 4


async def test_a_window_never_holds_less_than_nothing(store: QuotaStore) -> None:
    await lease(store, 2)
    await store.give_back({DAY: 5, OTHER: 5})
    assert await store.spent([DAY, OTHER]) == {DAY: 0, OTHER: 0}


async def test_windows_and_scopes_are_counted_apart(store: QuotaStore) -> None:
    wants = [Want(key=key, amount=amount, limit=5) for key, amount in ((DAY, 1), (NEXT_DAY, 2), (OTHER, 9))]
    assert await store.lease(wants) == [1, 2, 5]
    assert await store.spent([DAY, NEXT_DAY, OTHER]) == {DAY: 1, NEXT_DAY: 2, OTHER: 5}


async def test_two_wants_for_one_window_share_it(store: QuotaStore) -> None:
    assert await store.lease([Want(key=DAY, amount=4, limit=5), Want(key=DAY, amount=4, limit=5)]) == [4, 1]


async def test_nothing_asked_for_is_nothing_done(store: QuotaStore) -> None:
    assert list(await store.lease([])) == []
    await store.give_back({})
    assert await store.spent([]) == {}


async def test_large_counts_keep_their_last_digit(store: QuotaStore) -> None:
    await lease(store, 10**15 + 1)
    await lease(store, 10**15)
    assert await taken(store) == 2 * 10**15 + 1


async def test_names_of_any_kind_are_kept_apart(store: QuotaStore) -> None:
    keys = [WindowKey(scope, window) for scope in ("a'b", "ä ö", "", "a b") for window in ("", "2026-11", "%")]
    await store.lease([Want(key=key, amount=number) for number, key in enumerate(keys, start=1)])
    assert list((await store.spent(keys)).values()) == list(range(1, len(keys) + 1))


async def test_the_newest_windows_of_a_scope_are_kept(store: QuotaStore) -> None:
    days = [WindowKey("groq", f"day {n}") for n in range(20)]
    await lease(store, 5, key=OTHER)
    for day in days:
        await lease(store, 1, key=day)
    assert list((await store.spent(days)).values())[-8:] == [1] * 8
    assert await taken(store, days[0]) == 0
    assert await taken(store, OTHER) == 5


async def test_concurrent_leases_never_exceed_the_limit(open_store: Callable[[], QuotaStore]) -> None:
    stores = [open_store(), open_store()]
    async with asyncio.TaskGroup() as group:
        leases = [group.create_task(lease(stores[n % 2], 3, limit=100)) for n in range(60)]
    assert sum(each.result() for each in leases) == 100
    assert [await taken(each) for each in stores] == [100, 100]


async def test_a_lease_whose_caller_is_cancelled_is_done_all_the_same(store: QuotaStore) -> None:
    await lease(store, 1)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(lease(store, 5))
        await asyncio.sleep(0)  # the task hands its call over
        task.cancel()
    assert await taken(store) == 6


async def test_counts_outlive_a_close(open_store: Callable[[], QuotaStore]) -> None:
    first = open_store()
    await lease(first, 7)
    await first.close()
    assert await taken(open_store()) == 7


async def test_closing_twice_is_closing_once(store: QuotaStore) -> None:
    await lease(store, 1)
    await store.close()
    await store.close()
