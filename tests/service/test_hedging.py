"""A second call beside one that is late: who wins, what both cost, and when there is none."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from router_service.core.catalog import Target
from router_service.core.chat import Delta
from router_service.core.errors import RequestFailed
from router_service.core.health import State
from router_service.core.plan import Standing
from router_service.core.request import Routing
from router_service.core.settings import RoutingSettings
from router_service.service.hedging import MOST, first_of
from router_service.service.said import Started
from tests.core.examples import target
from tests.service.playing import Answering, Playing, Stage, after, fail, providers, said, succeed, write

HEDGED = Routing(hedge=True)
USUAL_S = 0.05
LATE_S = 2.0
BOTH_ARE_TOO_DEAR = 700_000
"""More than either of two calls of a few hundred tokens may cost here, and less than both."""
QUICK = Standing(time_to_first_token_p95_s=USUAL_S, answer_p95_s=USUAL_S)


def targets(stage: Stage, *, narrow: int | None = None) -> list[Target]:
    """In order of price; the last has so many slots."""
    names = ("alder", "birch", "cedar")[: len(stage.addresses)]
    made = [target(f"{n}/x", price=p + 1.0, base_url=stage.addresses[p]) for p, n in enumerate(names)]
    return [*made[:-1], Target(replace(made[-1].provider, max_concurrency=narrow), made[-1].model)]


def playing(stage: Stage, *, rules: RoutingSettings | None = None, narrow: int | None = None) -> Playing:
    return Playing(
        *targets(stage, narrow=narrow),
        rules=rules,
        standings=dict.fromkeys(("alder/x", "birch/x", "cedar/x"), QUICK),
    )


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("answerings", "outcomes"),
    [
        ((after(LATE_S, succeed), succeed), [("alder", "CANCELLED"), ("birch", "OK")]),
        ((after(0.15, succeed), after(LATE_S, succeed)), [("alder", "OK"), ("birch", "CANCELLED")]),
        ((after(0.15, succeed), fail), [("alder", "OK"), ("birch", "SERVER_ERROR")]),
        ((after(0.1, fail), after(0.15, succeed)), [("alder", "SERVER_ERROR"), ("birch", "OK")]),
        ((fail, succeed), [("alder", "SERVER_ERROR"), ("birch", "OK")]),
        ((succeed, succeed), [("alder", "OK")]),
        (
            (after(0.1, fail), after(0.05, fail), succeed),
            [("alder", "SERVER_ERROR"), ("birch", "SERVER_ERROR"), ("cedar", "OK")],
        ),
    ],
)
async def test_the_first_to_answer_wins_and_both_are_on_the_books(
    answerings: tuple[Answering, ...], outcomes: list[tuple[str, str]], *, is_stream: bool
) -> None:
    async with providers(*answerings) as stage:
        router, began = playing(stage), time.monotonic()
        if is_stream:
            events = await router.stream(HEDGED)
            assert said(events) == "hello"
            assert [type(e).__name__ for e in events if not isinstance(e, Delta)] == ["Started", "Answer"]
            assert isinstance(events[0], Started)
            winner = events[0].target.provider.name
        else:
            answer = await router.complete(HEDGED)
            assert answer.message.content == "hello"
            winner = answer.target.provider.name
        assert time.monotonic() - began < LATE_S / 2
        assert router.books.outcomes == outcomes
        assert (winner, "OK") in outcomes
        [request] = router.books.requests
        loser = [a for a in request.attempts if a.outcome.name == "CANCELLED"]
        assert all(a.usage is not None and a.usage.estimated and a.maybe_billed and a.cost_usd_nanos for a in loser)
        assert is_stream or all(a.usage is not None and a.usage.output_tokens for a in loser), (
            "it wrote an answer unseen"
        )
        ran_beside = len(outcomes) > 1 and answerings[0] is not fail
        assert [a.is_hedged for a in request.attempts] == [False, ran_beside, False][: len(outcomes)]
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("routing", "rules", "narrow"),
    [
        (Routing(), None, None),
        (Routing(hedge=True, disable_fallback=True), None, None),
        (Routing(hedge=True, max_attempts=1), None, None),
        (HEDGED, RoutingSettings(max_attempts=1), None),
        (Routing(hedge=True, max_cost_usd_nanos=BOTH_ARE_TOO_DEAR), None, None),
        (HEDGED, None, 1),
    ],
)
async def test_there_is_no_hedge(routing: Routing, rules: RoutingSettings | None, narrow: int | None) -> None:
    async with providers(after(0.2, succeed), succeed) as stage:
        router = playing(stage, rules=rules, narrow=narrow)
        if narrow is not None:
            assert router.rooms.slots.take(targets(stage, narrow=narrow)[-1])
        await router.complete(routing)
        assert router.books.outcomes == [("alder", "OK")]
        await router.transport.close()


@pytest.mark.anyio
async def test_a_target_that_fails_is_no_hedge() -> None:
    async with providers(after(0.2, succeed), succeed) as stage:
        ill = Standing(state=State.UNHEALTHY)
        router = Playing(*targets(stage), standings={"alder/x": QUICK, "birch/x": ill})
        await router.complete(HEDGED)
        assert router.books.outcomes == [("alder", "OK")]
        await router.transport.close()


@pytest.mark.anyio
async def test_hedges_are_a_few_at_once_and_a_small_share_of_all() -> None:
    async with providers(after(0.1, succeed), succeed) as stage:
        router = playing(stage)
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(router.complete(HEDGED))
        hedged = sum(e.attempt.is_hedged for e in router.books.ended)
        assert MOST <= hedged <= MOST + 100 * 0.05
        await router.transport.close()


async def is_too_long(_body: bytes, writer: asyncio.StreamWriter) -> None:
    said = b'{"error":{"code":"context_length_exceeded"}}'
    await write(writer, b"HTTP/1.1 400 X\r\ncontent-length: %d\r\n\r\n" % len(said), said)


@pytest.mark.anyio
async def test_a_prompt_too_long_for_one_of_two_goes_to_a_larger_window_though_the_other_failed_last() -> None:
    async with providers(after(0.15, is_too_long), after(0.2, fail), succeed, succeed) as stage:
        windows, made = (8_000, 200_000, 8_000, 200_000), []
        for number, (address, window) in enumerate(zip(stage.addresses, windows, strict=True)):
            base = target(f"{'abcd'[number]}/x", price=number + 1.0, base_url=address)
            made.append(Target(base.provider, replace(base.model, context_tokens=window)))
        router = Playing(*made, standings=dict.fromkeys(("a/x", "b/x"), QUICK))
        answer = await router.complete(HEDGED)
        assert answer.target.id == "d/x"
        assert router.books.outcomes == [("a", "CONTEXT_TOO_LONG"), ("b", "SERVER_ERROR"), ("d", "OK")]
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
async def test_both_fail_and_the_caller_hears_of_both() -> None:
    async with providers(after(0.1, fail), fail) as stage:
        router = playing(stage)
        with pytest.raises(RequestFailed) as failed:
            await router.complete(HEDGED)
        assert (failed.value.error.reason, failed.value.facts.attempts) == ("UPSTREAM_5XX", 2)
        await router.check_nothing_is_left(stage)
        await router.transport.close()


@pytest.mark.anyio
async def test_what_nobody_gets_any_more_is_released() -> None:
    """The caller leaves when the race is won and the loser has not ended yet."""
    released, loses, may_end = list[str | None](), asyncio.Event(), asyncio.Event()

    async def release(won: str | None) -> None:
        released.append(won)

    async def quick() -> str | None:
        return "won"

    async def stubborn() -> str | None:
        try:
            await asyncio.Event().wait()
        finally:
            loses.set()
            await may_end.wait()
        return "lost"

    async with asyncio.TaskGroup() as group:
        racing = group.create_task(first_of(stubborn(), quick, after_s=0.0, release=release))
        await loses.wait()
        racing.cancel()
        await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait({racing})
    assert racing.cancelled()
    assert released == ["won"]
