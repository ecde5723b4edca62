"""Providers of a few lines each, a router on them in this process, and what became of the calls that were made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from router_service.core.attempt import Answer
from router_service.core.catalog import Catalog, Target
from router_service.core.chat import Delta
from router_service.core.events import AttemptFinished, AttemptStarted, Audience, RequestFinished, RouteFinished
from router_service.core.plan import Standing, View
from router_service.core.quota import QuotaRules
from router_service.core.request import Request, Routing
from router_service.core.settings import RoutingSettings
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.openai import OpenAIDialect
from router_service.service.admission import Admission
from router_service.service.execution import Execution
from router_service.service.rooms import Rooms
from router_service.service.router import Router
from router_service.service.said import Said
from router_service.store.quota import QuotaBook
from tests.core.examples import prompt
from tests.store.making import HandClock, book, limit

UNARY = b'{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}'
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
DONE = b"data: [DONE]\n\n"
PIECE_S = 0.002
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


def text(content: str, finish: str = "") -> bytes:
    """One event of a stream."""
    end = f',"finish_reason":"{finish}"' if finish else ""
    return f'data: {{"choices":[{{"delta":{{"content":"{content}"}}{end}}}]}}\n\n'.encode()


EVENTS = (ROLE, text("hel"), text("lo", "stop"), DONE)


async def write(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    for piece in pieces:
        await asyncio.sleep(PIECE_S)
        writer.write(piece)
        await writer.drain()


async def fail(_body: bytes, writer: asyncio.StreamWriter) -> None:
    await write(writer, b"HTTP/1.1 503 X\r\ncontent-length: 4\r\n\r\n", b"busy")


async def succeed(body: bytes, writer: asyncio.StreamWriter) -> None:
    if b'"stream":true' not in body:
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(UNARY)
        await write(writer, head, UNARY[:10], UNARY[10:])
        return
    await write(writer, STREAM, *map(framed, EVENTS), b"0\r\n\r\n")


def after(delay_s: float, answering: Answering) -> Answering:
    """The same, later."""

    async def late(body: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay_s)
        await answering(body, writer)

    return late


def streaming(*events: bytes, breaks: bool = False) -> Answering:
    """A stream of these events, after which the connection is closed in the middle of it, or ends well."""

    async def stream(_body: bytes, writer: asyncio.StreamWriter) -> None:
        await write(writer, STREAM, *map(framed, events))
        if breaks:
            raise ConnectionAbortedError
        await write(writer, b"0\r\n\r\n")

    return stream


def framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


@dataclass(slots=True)
class Stage:
    """The providers' addresses, the connections that are open to any, and the bodies that each was sent."""

    addresses: list[str] = field(default_factory=list)
    open_now: set[asyncio.StreamWriter] = field(default_factory=set)
    bodies: list[list[bytes]] = field(default_factory=list)


@asynccontextmanager
async def providers(*answerings: Answering) -> AsyncIterator[Stage]:
    stage = Stage()

    def serving(answering: Answering, bodies: list[bytes]) -> Any:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stage.open_now.add(writer)
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = next(x for x in head.split(b"\r\n") if x.startswith(b"content-length:"))
                    bodies.append(await reader.readexactly(int(length.split(b":")[1])))
                    await answering_or_gone(answering(bodies[-1], writer), reader)
            except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
                pass  # the client is gone, or the test is over
            finally:
                stage.open_now.discard(writer)
                writer.close()

        return serve

    servers = []
    for answering in answerings:
        stage.bodies.append([])
        server = await asyncio.start_server(serving(answering, stage.bodies[-1]), "127.0.0.1", 0)
        servers.append(server)
        stage.addresses.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    try:
        yield stage
    finally:
        for server in servers:
            server.close()


async def answering_or_gone(answer: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """Answer, unless the client goes away before: a provider that notices stops its work."""

    async def whole() -> bool:
        with suppress(ConnectionError):
            await answer
            return True
        return False

    async def gone() -> bool:
        while not reader.at_eof():  # noqa: ASYNC110
            await asyncio.sleep(PIECE_S)
        return False

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(whole()), group.create_task(gone())]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    if not all(task.result() for task in done):
        raise ConnectionAbortedError


class Books:
    """Implements Observer and Listener: counts what began and what ended."""

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

    def of(self, provider: str) -> list[AttemptFinished]:
        return [e for e in self.ended if e.attempt.target.provider.name == provider]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Of the only request's attempts, in the order in which they began."""
        [request] = self.requests
        return [(a.target.provider.name, a.outcome.name) for a in request.attempts]


class Playing:
    """A router in this process, on targets that are tried in order, with limits that only count."""

    def __init__(
        self,
        *targets: Target,
        rules: RoutingSettings | None = None,
        standings: Mapping[str, Standing] | None = None,
    ) -> None:
        self.transport, self.books = AiohttpTransport(), Books()
        self.quotas: QuotaBook = book(
            *[QuotaRules(provider=t.provider.name, limits=(limit(1000),)) for t in targets], clock=HandClock()
        )
        self.rooms = Rooms(self.quotas)
        catalog, rules = Catalog(targets), rules or RoutingSettings()
        view = View(catalog=catalog, standings=standings or {}, in_flight=self.rooms.slots.in_flight)
        self.router = Router(
            view=lambda _tenant: view,
            route_view=lambda _tenant: view,
            execution=Execution(
                transport=self.transport, dialects={"openai": OpenAIDialect()}, rooms=self.rooms, routing=rules
            ),
            admission=Admission(max_in_flight=1000),
            audience=Audience([self.books], [self.books]),
            max_attempts=rules.max_attempts,
            rng=Random(0),
        )
        self.targets = targets
        self.names = [t.provider.name for t in targets]

    async def complete(self, routing: Routing | None = None) -> Answer:
        return await self.router.complete(asked(routing), None)

    async def stream(self, routing: Routing | None = None) -> list[Said]:
        async with aclosing(self.router.stream(asked(routing), None)) as events:
            found = []
            async for event in events:
                found.append(event)
                await asyncio.sleep(0)  # a reader takes its time, and may leave in it
            return found

    def used(self) -> list[int]:
        """How many requests each provider's limit has counted."""
        return [self.quotas.readings(name)[0].used for name in self.names]

    async def check_nothing_is_left(self, stage: Stage) -> None:
        """Nothing is open upstream but for connections kept for the next call, and every account is settled."""
        async with asyncio.timeout(0.5):
            while len(stage.open_now) > len(self.names) or self.transport.statistics().open_now:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert self.books.begun == len(self.books.ended), "an attempt has no end"
        assert not self.rooms.slots.in_flight
        assert self.used() == [sum(was_sent(e) for e in self.books.of(name)) for name in self.names]
        for request in self.books.requests:
            assert [a.number for a in request.attempts] == list(range(1, len(request.attempts) + 1))
        assert sum(len(request.attempts) for request in self.books.requests) == len(self.books.ended)


def was_sent(event: AttemptFinished) -> bool:
    """Whether the provider has seen the request: it has cost something, or was answered with an error."""
    return event.attempt.usage is not None or event.attempt.status_code > 0


def asked(routing: Routing | None = None, *, deadline: float | None = None) -> Request:
    until = time.monotonic() + 30 if deadline is None else deadline
    return Request(request_id="req-1", prompt=prompt("hello"), deadline=until, routing=routing or Routing())


def said(events: Sequence[Said]) -> str:
    """The text of a stream."""
    return "".join([event.content for event in events if isinstance(event, Delta)])


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

    async def run(self) -> bool:
        """Whether the call was cancelled; in a task of its own, as gRPC runs a handler."""

        async def whole() -> None:
            await self

        async with asyncio.TaskGroup() as group:
            task = group.create_task(whole())
            await asyncio.wait({task})
        return task.cancelled()
