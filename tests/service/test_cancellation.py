"""A caller that leaves at any moment: cancel at the n-th suspension, for every n, and nothing is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from router_service.core.catalog import CONTINUES_TEXT, Model, Prices, Target
from router_service.core.chat import Delta
from router_service.core.errors import InternalFault, RequestFailed, SignalboxError, SlowReader
from router_service.core.outcome import Outcome
from router_service.core.plan import Standing
from router_service.core.request import Routing
from tests.core.examples import target
from tests.service.playing import (
    Answering,
    Playing,
    Stage,
    Steps,
    after,
    asked,
    fail,
    providers,
    streaming,
    succeed,
    text,
)

PROVIDERS = "tests/service/playing.py"
"""Where the tasks of the providers come from, which end in their own time."""
QUICK = Standing(time_to_first_token_p95_s=0.01, answer_p95_s=0.01)


async def never_read(stream: AsyncGenerator[object, None], deadline: float) -> None:
    """As the edge does it: the write to a caller who does not read ends with the deadline, and the stream is closed."""
    async with aclosing(stream) as events:
        await anext(events)
        async with asyncio.timeout_at(deadline):
            await asyncio.Event().wait()


@pytest.mark.anyio
async def test_a_deadline_that_passes_while_the_caller_reads_is_on_the_attempts_record() -> None:
    async with providers(succeed) as stage:
        router = Playing(target("alder/x", base_url=stage.addresses[0]))
        deadline = time.monotonic() + 0.3
        with pytest.raises(RequestFailed) as failed:
            await never_read(router.router.stream(asked(deadline=deadline), None), deadline)
        await router.transport.close()
    assert failed.value.error.reason == "CALLER_DEADLINE"
    [only] = router.books.ended
    assert (only.attempt.outcome, only.attempt.error_reason) == (Outcome.DEADLINE, "CALLER_DEADLINE")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("thrown", "kind", "on_the_attempt"),
    [
        (ValueError("a number that no message holds"), InternalFault, "INTERNAL"),
        (SlowReader(7.0), SlowReader, ""),
    ],
)
async def test_what_keeps_an_event_from_its_caller_ends_the_story_and_is_no_fault_of_the_target(
    thrown: Exception, kind: type[SignalboxError], on_the_attempt: str
) -> None:
    async with providers(succeed) as stage:
        router = Playing(target("alder/x", base_url=stage.addresses[0]))
        events = router.router.stream(asked(), None)
        while not isinstance(await anext(events), Delta):
            pass
        with pytest.raises(RequestFailed) as failed:
            await events.athrow(thrown)
        await router.transport.close()
    assert isinstance(failed.value.error, kind)
    assert failed.value.__cause__ is thrown
    facts = failed.value.facts
    assert (facts.attempts, facts.was_sent, facts.maybe_billed, facts.delivered_chunks) == (1, True, True, 1)
    [only], [request] = router.books.ended, router.books.requests
    assert (only.attempt.outcome, only.attempt.error_reason) == (Outcome.CANCELLED, on_the_attempt)
    assert only.attempt.usage is not None
    assert (request.outcome, request.attempts) == (kind.reason, (only.attempt,))
    assert not router.rooms.slots.in_flight


def trying(stage: Stage) -> tuple[Target, Target]:
    first, second = stage.addresses
    capable = Model(id="x", capabilities=frozenset({CONTINUES_TEXT}), prices=Prices(input=2.0, output=2.0))
    return target("alder/x", price=1.0, base_url=first), Target(target("birch/x", base_url=second).provider, capable)


async def failing_over(router: Playing, *, is_stream: bool) -> None:
    """Through a failed attempt, a failover and a whole answer."""
    await (router.stream() if is_stream else router.complete())


async def hedged(router: Playing, *, is_stream: bool) -> None:
    """Through two attempts beside each other, of which one wins."""
    routing = Routing(hedge=True)
    await (router.stream(routing) if is_stream else router.complete(routing))


async def resumed(router: Playing, *, is_stream: bool) -> None:
    """Through a stream that breaks, and goes on elsewhere."""
    routing = Routing(resume_on_failure=True)
    await (router.stream(routing) if is_stream else router.complete(routing))


async def queued(router: Playing, *, is_stream: bool) -> None:
    """Through a wait for a slot that another gives back."""
    [first, _] = router.targets
    assert router.rooms.slots.take(first)
    asyncio.get_running_loop().call_later(0.02, router.rooms.slots.give_back, first)
    routing = Routing(model=first.id)
    await (router.stream(routing) if is_stream else router.complete(routing))


async def coming_again(router: Playing, *, is_stream: bool) -> None:
    """Through a failure of the only target, the pause after it, and a whole answer of the same."""
    FLAKY.is_failing = True
    routing = Routing(model=router.targets[0].id)
    await (router.stream(routing) if is_stream else router.complete(routing))


def narrow(targets: tuple[Target, Target]) -> tuple[Target, Target]:
    first, second = targets
    return Target(replace(first.provider, max_concurrency=1), first.model), second


class Flaky:
    """Answers, but for the first request after it was told to fail."""

    is_failing = False

    async def __call__(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        answering, self.is_failing = (fail if self.is_failing else succeed), False
        await answering(body, writer)


def unless_streamed(streamed: Answering) -> Answering:
    """A whole answer to whoever asks for one."""

    async def either(body: bytes, writer: asyncio.StreamWriter) -> None:
        await (streamed if b'"stream":true' in body else fail)(body, writer)

    return either


BREAKS = unless_streamed(streaming(text("hel"), breaks=True))
GOES_ON = succeed
FLAKY = Flaky()
RUNS: dict[str, tuple[tuple[Answering, Answering], Callable[..., Coroutine[Any, Any, None]], int]] = {
    "failing over": ((fail, succeed), failing_over, 2),
    "hedged, the second wins": ((after(0.2, succeed), succeed), hedged, 2),
    "hedged, the first wins": ((after(0.03, succeed), after(0.2, succeed)), hedged, 2),
    "resumed": ((BREAKS, GOES_ON), resumed, 2),
    "queued": ((succeed, succeed), queued, 1),
    "coming again": ((FLAKY, succeed), coming_again, 2),
}


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("name", RUNS)
async def test_nothing_is_left_wherever_the_caller_leaves(name: str, *, is_stream: bool) -> None:
    answerings, call, attempts = RUNS[name]
    async with providers(*answerings) as stage:
        for cancel_at in range(1, 100):
            targets = narrow(trying(stage)) if call is queued else trying(stage)
            router = Playing(*targets, standings=dict.fromkeys(("alder/x", "birch/x"), QUICK))
            steps = Steps(call(router, is_stream=is_stream), cancel_at=cancel_at)
            before = asyncio.all_tasks()
            is_cancelled = await steps.run()
            await settled(router)
            await router.check_nothing_is_left(stage)
            [request] = router.books.requests
            assert request.outcome == ("CANCELLED" if is_cancelled else "OK")
            whole = sum(e.attempt.outcome is Outcome.OK for e in router.books.ended)
            assert whole == 1 or (is_cancelled and whole == 0)
            await router.transport.close()
            assert not {t for t in asyncio.all_tasks() - before if PROVIDERS not in repr(t)}
            if not is_cancelled:
                assert len(request.attempts) == attempts
                assert steps.taken < cancel_at, "every suspension had its turn"
                return
    raise AssertionError("the call never came to its end")


async def settled(router: Playing) -> None:
    """A slot that the test itself holds comes back, whatever became of the call."""
    async with asyncio.timeout(0.5):
        while router.rooms.slots.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
