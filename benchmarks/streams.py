"""Streams as the benchmark reads them: many at once through a relay, one at a time, and straight from the upstream."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from signalbox.v1 import router_pb2

from benchmarks.http2 import Call, GrpcConnection
from benchmarks.payload import PROVIDER, STREAM_COMPLETE
from benchmarks.processes import MeasurementFailed

READ_WITHIN_S = 60.0
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What came of many streams together: their messages and, of a router's, the hashes of their texts."""

    seconds: float
    messages: int
    texts: frozenset[str]


async def read_many(address: str, message: bytes, *, streams: int, connections: int, is_router: bool) -> Read:
    """Open all streams at once and read them to their ends."""
    began = time.perf_counter()
    async with asyncio.timeout(READ_WITHIN_S), _calling(address, message, streams, connections) as calls:
        for call in calls:
            await call.ended
        seconds = time.perf_counter() - began
    texts = frozenset(_text_sha256(call) for call in calls) if is_router else frozenset()
    return Read(seconds=seconds, messages=sum(len(call.messages) for call in calls), texts=texts)


async def hold_open(
    address: str, message: bytes, *, streams: int, connections: int, is_router: bool, weigh: Callable[[], float]
) -> float:
    """Open all streams, weigh once each has the first piece of its answer, then read them to their ends.

    Raises MeasurementFailed where one had ended by then.
    """
    # The router says Started first.
    first = 2 if is_router else 1
    async with asyncio.timeout(READ_WITHIN_S), _calling(address, message, streams, connections) as calls:
        for call in calls:
            await call.has(first)
        weight = weigh()
        if any(call.ended.done() for call in calls):
            raise MeasurementFailed("streams ended before all of them were open: fewer, or slower ones, are needed")
        for call in calls:
            await call.ended
    return weight


async def first_chunks_s(address: str, message: bytes, *, streams: int, is_router: bool) -> Sequence[float]:
    """For each of `streams`, one after another, the time from its start to the first piece of its answer."""
    times: list[float] = []
    async with asyncio.timeout(READ_WITHIN_S), _connected(address, STREAM_COMPLETE, message) as connection:
        for _ in range(streams):
            call = connection.call()
            await call.ended
            times.append(_first_piece(call, is_router=is_router) - call.started)
    return times


async def upstream_first_chunks_s(address: str, body: bytes, *, streams: int) -> Sequence[float]:
    """The same of the upstream itself, over HTTP/1.1 and one connection."""
    loop, (host, _, port) = asyncio.get_running_loop(), address.partition(":")
    head = f"POST /{PROVIDER}/v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-length: {len(body)}\r\n\r\n"
    async with asyncio.timeout(READ_WITHIN_S):
        _, connection = await loop.create_connection(_HttpConnection, host, int(port))
        times = [await connection.first_chunk_s(head.encode() + body) for _ in range(streams)]
        connection.close()
    return times


async def first_answer(address: str, method: str, message: bytes) -> bytes:
    """One unary call over a connection of its own; returns the message that answers it."""
    async with asyncio.timeout(READ_WITHIN_S), _connected(address, method, message) as connection:
        call = connection.call()
        await call.ended
        if len(call.messages) != 1:
            raise MeasurementFailed(f"{address} does not answer {method}")
        return call.messages[0][1]


class _HttpConnection(asyncio.Protocol):
    """A client of the simulator, which sends the head and the first token of a stream in one piece."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._first: float | None = None
        self._ended: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._first is None and b'"content":"Reply' in data:
            self._first = time.perf_counter()
        if data.endswith(LAST_CHUNK):
            self._ended.set_result(None)

    async def first_chunk_s(self, request: bytes) -> float:
        self._ended, self._first = asyncio.get_running_loop().create_future(), None
        began = time.perf_counter()
        self._transport.write(request)
        await self._ended
        if self._first is None:
            raise MeasurementFailed("the upstream's stream did not begin as expected")
        return self._first - began

    def close(self) -> None:
        self._transport.close()


async def _connect(address: str, method: str, message: bytes) -> GrpcConnection:
    host, _, port = address.partition(":")
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: GrpcConnection(method, message), host, int(port))
    return connection


@asynccontextmanager
async def _calling(address: str, message: bytes, streams: int, connections: int) -> AsyncIterator[Sequence[Call]]:
    """So many streams, begun at once on so many connections."""
    async with AsyncExitStack() as stack:
        entered = [
            await stack.enter_async_context(_connected(address, STREAM_COMPLETE, message)) for _ in range(connections)
        ]
        yield [entered[i % connections].call() for i in range(streams)]


@asynccontextmanager
async def _connected(address: str, method: str, message: bytes) -> AsyncIterator[GrpcConnection]:
    connection = await _connect(address, method, message)
    try:
        yield connection
    finally:
        connection.close()


def _first_piece(call: Call, *, is_router: bool) -> float:
    """When the first piece of the answer came: the router says Started before, which is no part of it."""
    for came, message in call.messages:
        if not is_router or router_pb2.StreamCompleteResponse.FromString(message).HasField("delta"):
            return came
    raise MeasurementFailed("a stream ended without a piece of its answer")


def _text_sha256(call: Call) -> str:
    """Of the text as it was delivered. Raises MeasurementFailed where the stream was cut."""
    events = [router_pb2.StreamCompleteResponse.FromString(message) for _, message in call.messages]
    if not events or not events[-1].HasField("done"):
        raise MeasurementFailed("a stream through the router ended without its Done")
    return hashlib.sha256("".join(event.delta.content for event in events).encode()).hexdigest()
