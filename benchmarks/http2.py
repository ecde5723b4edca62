"""A gRPC client cut down to what a load generator for streams needs: it notes when each message came, and no more.

A client of grpc.aio spends about as long on a message as the router does, and h2load knows nothing of messages. This
one sends prepared frames, answers what HTTP/2 demands, and leaves headers unread: a stream is judged by its messages.
"""

from __future__ import annotations

import asyncio
import struct
import time
from typing import cast

from benchmarks.processes import MeasurementFailed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
INITIAL_WINDOW_SIZE = 4
LARGEST_WINDOW = 2**31 - 1
FIRST_WINDOW = 65_535
HEAD_BYTES = 9
PREFIX_BYTES = 5


class Call:
    """One call under way. `messages` holds each one with the time of its arrival, on the clock of `started`."""

    __slots__ = ("_held", "_more", "ended", "messages", "started")

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.messages: list[tuple[float, bytes]] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held = b""
        self._more = asyncio.Event()

    async def has(self, count: int) -> None:
        """Wait until so many messages have come. Raises MeasurementFailed where the call ended before."""
        while len(self.messages) < count:
            if self.ended.done():
                await self.ended
                raise MeasurementFailed(f"a call ended with {len(self.messages)} messages; {count} were due")
            self._more.clear()
            await self._more.wait()

    def end(self) -> None:
        self.ended.set_result(None)
        self._more.set()

    def fail(self, error: Exception) -> None:
        self.ended.set_exception(error)
        # Where one call fails the others are given up: what became of them may be left unasked.
        self.ended.exception()
        self._more.set()

    def feed(self, data: bytes, now: float) -> None:
        """Part the bytes into messages; one may span frames."""
        data, start = self._held + data, 0
        while len(data) - start >= PREFIX_BYTES:
            end = start + PREFIX_BYTES + int.from_bytes(data[start + 1 : start + PREFIX_BYTES])
            if end > len(data):
                break
            self.messages.append((now, data[start + PREFIX_BYTES : end]))
            start = end
        self._held = data[start:]
        self._more.set()


class GrpcConnection(asyncio.Protocol):
    """One connection, on which one method is called with one message, as often as its first window allows."""

    def __init__(self, method: str, message: bytes) -> None:
        """`message` has its five bytes in front."""
        self._method = method
        self._message = message
        self._calls: dict[int, Call] = {}
        self._next_stream = 1
        self._window = FIRST_WINDOW
        self._held = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface without the base class.
        self._transport = cast("asyncio.Transport", transport)
        settings = _frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, LARGEST_WINDOW))
        wide = _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - FIRST_WINDOW))
        self._transport.write(PREFACE + settings + wide)

    def call(self) -> Call:
        """Begin a call; its `ended` is done when the stream has closed, for whatever reason."""
        call, stream = Call(), self._next_stream
        self._next_stream += 2
        self._window -= len(self._message)
        if self._window < 0:
            raise MeasurementFailed("too many calls on one connection: its window is used up")
        self._calls[stream] = call
        head = _frame(HEADERS, END_HEADERS, stream, _header_block(self._method))
        self._transport.write(head + _frame(DATA, END_STREAM, stream, self._message))
        return call

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data, start = self._held + data if self._held else data, 0
        while len(data) - start >= HEAD_BYTES:
            payload = start + HEAD_BYTES
            end = payload + int.from_bytes(data[start : start + 3])
            if end > len(data):
                break
            stream = int.from_bytes(data[start + 5 : payload])
            self._take(data[start + 3], data[start + 4], stream, data[payload:end], now)
            start = end
        self._held = data[start:]

    def connection_lost(self, _error: Exception | None) -> None:
        for call in self._calls.values():
            if not call.ended.done():
                call.fail(MeasurementFailed("the connection broke while calls were under way"))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, now: float) -> None:
        if kind == DATA:
            self._calls[stream].feed(payload, now)
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self._transport.write(_frame(kind, ACK, 0, payload if kind == PING else b""))
        elif kind == WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload)
        elif kind == GOAWAY:
            self._transport.close()
        if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
            # A reset may follow the trailers of a stream that has ended already.
            call = self._calls.pop(stream, None)
            if call is not None and not call.ended.done():
                call.end()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def _header_block(method: str) -> bytes:
    """Every field spelt out and none remembered: HPACK at its plainest."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "60S",
    }
    texts = ((name.encode(), value.encode()) for name, value in fields.items())
    return b"".join(b"\0%c%b%c%b" % (len(name), name, len(value), value) for name, value in texts)
