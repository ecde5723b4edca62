"""A caller that leaves at any moment: cancel at the n-th suspension, for every n, and nothing is left behind.

The first target answers 503, so that each run passes through a failed attempt, a failover and a whole answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any

import pytest

from router_service.core.catalog import Catalog
from router_service.core.chat import Delta
from router_service.core.errors import InternalFault, RequestFailed, SignalboxError, SlowReader
from router_service.core.events import AttemptFinished, AttemptStarted, RequestFinished, RouteFinished
from router_service.core.outcome import Outcome
from router_service.core.plan import View
from router_service.core.quota import QuotaRules
from router_service.core.request import Request
from router_service.core.settings import RoutingSettings
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.openai import OpenAIDialect
from router_service.service.admission import Admission
from router_service.service.allowances import Allowances
from router_service.service.execution import Execution
from router_service.service.rooms import Rooms
from router_service.service.router import Router
from router_service.store.quota import QuotaBook
from tests.core.examples import prompt, target
from tests.store.making import HandClock, book, limit

UNARY = b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}'
EVENTS = (
    b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"hel"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)
NAMES = ("alder", "birch")
PIECE_S = 0.002


class Books:
    """Implements Observer: counts what began and what ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended: list[AttemptFinished] = []
        self.requests: list[RequestFinished] = []

    def attempt_started(self, call: AttemptStarted) -> None:
        self.begun += 1

    def attempt_heard(self, call: AttemptStarted, delta: Delta) -> None:
        """The end tells of it."""

    def attempt_waits(self, call: AttemptStarted) -> None:
        """The end tells of it."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        self.ended.append(event)

    def request_finished(self, event: RequestFinished) -> None:
        self.requests.append(event)

    def route_finished(self, event: RouteFinished) -> None:
        """Nobody asks for a decision alone here."""


class Steps:
    """Awaits a coroutine and cancels the task that does so at the coroutine's n-th suspension."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], *, cancel_at: int) -> None:
        self._coroutine = coroutine
        self._cancel_at = cancel_at
        self.taken = 0

    def __await__(self) -> Generator[Any, Any, None]:
        task = asyncio.current_task()
        assert task is not None
        inner = self._coroutine.__await__()
        sent, thrown = None, None
        while True:
            try:
                waited_for = inner.send(sent) if thrown is None else inner.throw(thrown)
            except StopIteration:
                return
            self.taken += 1
            if self.taken == self._cancel_at:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                sent, thrown = (yield waited_for), None
            except BaseException as error:  # noqa: BLE001 - handed on to the coroutine, whatever it is
                thrown = error


@asynccontextmanager
async def providers() -> AsyncIterator[tuple[str, str, set[asyncio.StreamWriter]]]:
    """One that fails and one that answers, both piece by piece, and the connections that are open to either."""
    open_now: set[asyncio.StreamWriter] = set()

    def serving(answer: Callable[[bytes, asyncio.StreamWriter], Coroutine[Any, Any, None]]) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_now.add(writer)
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = next(x for x in head.split(b"\r\n") if x.startswith(b"content-length:"))
                    await answer(await reader.readexactly(int(length.split(b":")[1])), writer)
            except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
                pass  # the client is gone, or the test is over
            finally:
                open_now.discard(writer)
                writer.close()

        return serve

    bad = await asyncio.start_server(serving(fail), "127.0.0.1", 0)
    good = await asyncio.start_server(serving(succeed), "127.0.0.1", 0)
    async with bad, good:
        first, second = (f"http://127.0.0.1:{s.sockets[0].getsockname()[1]}/v1" for s in (bad, good))
        yield first, second, open_now


async def fail(_body: bytes, writer: asyncio.StreamWriter) -> None:
    await write(writer, b"HTTP/1.1 503 X\r\ncontent-length: 4\r\n\r\n", b"busy")


async def succeed(body: bytes, writer: asyncio.StreamWriter) -> None:
    if b'"stream":true' not in body:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(UNARY)
        await write(writer, head, UNARY[:10], UNARY[10:])
        return
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    await write(writer, head, *(b"%x\r\n%b\r\n" % (len(e), e) for e in EVENTS), b"0\r\n\r\n")


async def write(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    for piece in pieces:
        await asyncio.sleep(PIECE_S)
        writer.write(piece)
        await writer.drain()


def router(transport: AiohttpTransport, books: Books, rooms: Rooms, first: str, second: str) -> Router:
    catalog = Catalog((target("alder/x", price=1.0, base_url=first), target("birch/x", price=2.0, base_url=second)))
    return Router(
        view=lambda _tenant: View(catalog=catalog),
        route_view=lambda _tenant: View(catalog=catalog),
        execution=Execution(
            transport=transport, dialects={"openai": OpenAIDialect()}, rooms=rooms, routing=RoutingSettings()
        ),
        admission=Admission(max_in_flight=10, allowances=Allowances()),
        observer=books,
        max_attempts=4,
        rng=Random(0),
    )


def counted() -> QuotaBook:
    """Limits that only count."""
    rules = [QuotaRules(provider=name, limits=(limit(1000),)) for name in NAMES]
    return book(*rules, clock=HandClock())


def used(quotas: QuotaBook) -> list[int]:
    return [quotas.readings(name)[0].used for name in NAMES]


def of(books: Books, provider: str) -> list[AttemptFinished]:
    return [e for e in books.ended if e.attempt.target.provider.name == provider]


def was_sent(event: AttemptFinished) -> bool:
    """Whether the provider has seen the request: it has cost something, or was answered with an error."""
    return event.attempt.usage is not None or event.attempt.status_code > 0


def asked() -> Request:
    return Request(request_id="req-1", prompt=prompt("hello"), deadline=time.monotonic() + 30)


async def call(serving: Router, *, is_stream: bool) -> None:
    if not is_stream:
        await serving.complete(asked(), None)
        return
    async with aclosing(serving.stream(asked(), None)) as events:
        async for _event in events:
            await asyncio.sleep(0)


async def settled(open_now: set[asyncio.StreamWriter], transport: AiohttpTransport, *, idle: int) -> None:
    """Nothing of the call is open upstream, but for connections kept for the next."""
    async with asyncio.timeout(0.25):
        while len(open_now) > idle or transport.statistics().open_now:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def never_read(stream: AsyncGenerator[object, None], deadline: float) -> None:
    """As the edge does it: the write to a caller who does not read ends with the deadline, and the stream is closed."""
    async with aclosing(stream) as events:
        await anext(events)
        async with asyncio.timeout_at(deadline):
            await asyncio.Event().wait()


@pytest.mark.anyio
async def test_a_deadline_that_passes_while_the_caller_reads_is_on_the_attempts_record() -> None:
    async with providers() as (_, second, _):
        transport, books = AiohttpTransport(), Books()
        deadline = time.monotonic() + 0.3
        request = Request(request_id="req-1", prompt=prompt("hello"), deadline=deadline)
        with pytest.raises(RequestFailed) as failed:
            await never_read(router(transport, books, Rooms(counted()), second, second).stream(request, None), deadline)
        await transport.close()
    assert failed.value.error.reason == "CALLER_DEADLINE"
    [only] = books.ended
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
    async with providers() as (first, second, _):
        transport, books, rooms = AiohttpTransport(), Books(), Rooms(counted())
        events = router(transport, books, rooms, second, first).stream(asked(), None)
        while not isinstance(await anext(events), Delta):
            pass
        with pytest.raises(RequestFailed) as failed:
            await events.athrow(thrown)
        await transport.close()
    assert isinstance(failed.value.error, kind)
    assert failed.value.__cause__ is thrown
    facts = failed.value.facts
    assert (facts.attempts, facts.was_sent, facts.maybe_billed, facts.delivered_chunks) == (1, True, True, 1)
    [only], [request] = books.ended, books.requests
    assert (only.attempt.outcome, only.attempt.error_reason) == (Outcome.CANCELLED, on_the_attempt)
    assert only.attempt.usage is not None
    assert (request.outcome, request.attempts) == (kind.reason, (only.attempt,))
    assert not rooms.slots.in_flight


@pytest.mark.anyio
@pytest.mark.parametrize("is_stream", [False, True])
async def test_nothing_is_left_wherever_the_caller_leaves(*, is_stream: bool) -> None:
    async with providers() as (first, second, open_now):
        for cancel_at in range(1, 100):
            transport, books, quotas = AiohttpTransport(), Books(), counted()
            rooms = Rooms(quotas)
            serving = router(transport, books, rooms, first, second)
            steps = Steps(call(serving, is_stream=is_stream), cancel_at=cancel_at)
            before = asyncio.all_tasks()
            is_cancelled = await run(steps)
            await settled(open_now, transport, idle=2)
            assert books.begun == len(books.ended), f"at step {cancel_at} an attempt has no end"
            assert not rooms.slots.in_flight
            assert used(quotas) == [sum(was_sent(e) for e in of(books, name)) for name in NAMES]
            [request] = books.requests
            assert len(request.attempts) == len(books.ended)
            assert request.outcome == ("CANCELLED" if is_cancelled else "OK")
            whole = sum(e.attempt.outcome is Outcome.OK for e in books.ended)
            assert whole == 1 or (is_cancelled and whole == 0)
            await transport.close()
            assert not {t for t in asyncio.all_tasks() - before if "serve" not in repr(t)}
            if not is_cancelled:
                assert steps.taken < cancel_at, "every suspension had its turn"
                return
    raise AssertionError("the call never came to its end")


async def run(steps: Steps) -> bool:
    """Whether the call was cancelled; in a task of its own, as gRPC runs a handler."""

    async def whole() -> None:
        await steps

    async with asyncio.TaskGroup() as group:
        task = group.create_task(whole())
        await asyncio.wait({task})
    return task.cancelled()
