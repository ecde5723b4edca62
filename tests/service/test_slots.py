"""Slots and their queues: first come, first served, and no slot lost whoever leaves when."""

from __future__ import annotations

import asyncio
import time

import pytest

from router_service.core.catalog import Provider
from router_service.service.slots import Slots
from tests.core.decision.making import made

NARROW = Provider(name="", dialect="openai", base_url="", max_concurrency=1)
A, B = made("a/x", provider=NARROW), made("b/x", provider=NARROW)


def soon() -> float:
    return time.monotonic() + 5


async def turns() -> None:
    """Let every task come as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_has_no_bound_always_has_a_slot() -> None:
    slots, open_to_all = Slots(), made("c/x")
    assert all(slots.take(open_to_all) for _ in range(1000))
    assert (slots.in_flight, slots.load(open_to_all)) == ({"c/x": 1000}, 0.0)
    for _ in range(1000):
        slots.give_back(open_to_all)
    assert slots.in_flight == {}


@pytest.mark.anyio
async def test_whoever_waits_longest_is_first_and_nobody_new_is_before_him() -> None:
    slots, served = Slots(), list[str]()

    async def waits(name: str) -> None:
        assert await slots.wait((A,), until=soon()) is A
        served.append(name)

    assert slots.take(A)
    assert slots.load(A) == 1.0
    async with asyncio.TaskGroup() as group:
        for name in ("first", "second", "third"):
            group.create_task(waits(name))
            await turns()
        for expected in (["first"], ["first", "second"], ["first", "second", "third"]):
            slots.give_back(A)
            assert not slots.take(A), "the slot is the next one's, although he has not woken yet"
            await turns()
            assert served == expected
    slots.give_back(A)
    assert slots.in_flight == {}


@pytest.mark.anyio
async def test_the_first_of_several_targets_serves() -> None:
    slots = Slots()
    assert slots.take(A)
    assert slots.take(B)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(slots.wait((A, B), until=soon()))
        await turns()
        slots.give_back(B)
    assert waiting.result() is B
    slots.give_back(A)
    assert slots.in_flight == {"b/x": 1}, "nobody waits for the other any more"


@pytest.mark.anyio
async def test_a_full_queue_and_a_wait_that_ends_give_nobody() -> None:
    slots = Slots()
    slots.adopt(queue_length=1)
    assert slots.take(A)
    assert slots.take(B)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(slots.wait((A,), until=began + 0.05))
        await turns()
        assert await slots.wait((A,), until=soon()) is None
        other = group.create_task(slots.wait((A, B), until=soon()))
        await turns()
        slots.give_back(B)
    assert (waiting.result(), other.result()) == (None, B)
    assert 0.04 <= time.monotonic() - began < 2
    slots.give_back(A)
    assert slots.in_flight == {"b/x": 1}


@pytest.mark.anyio
@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_slot_that_comes_as_its_owner_leaves_is_the_next_ones(*, comes_first: bool) -> None:
    slots = Slots()
    assert slots.take(A)
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(slots.wait((A,), until=soon()))
        next_one = group.create_task(slots.wait((A,), until=soon()))
        await turns()
        if comes_first:
            slots.give_back(A)
            leaving.cancel()
        else:
            leaving.cancel()
            slots.give_back(A)
        await turns()
        assert leaving.cancelled()
        assert next_one.result() is A
    slots.give_back(A)
    assert slots.in_flight == {}


@pytest.mark.anyio
async def test_a_slot_above_a_bound_that_was_lowered_goes_to_nobody() -> None:
    slots = Slots()
    wide = made("a/x", provider=Provider(name="", dialect="openai", base_url="", max_concurrency=2))
    assert slots.take(wide)
    assert slots.take(wide)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(slots.wait((A,), until=soon()))
        await turns()
        slots.give_back(A)
        await turns()
        assert not waiting.done(), "one is still under way, and one is all that may be"
        slots.give_back(A)
    assert waiting.result() is A
    assert slots.in_flight == {"a/x": 1}
