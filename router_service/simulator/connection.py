"""One connection: parses requests with httptools, has each answered in turn, and writes the log's rows."""

from __future__ import annotations

import asyncio
from collections import deque
from time import time
from typing import cast

import httptools

from .compose import compose_refusal
from .control import PREFIX, control
from .openai_request import Refusal
from .player import Player
from .script import Ending
from .staging import MAX_BODY_BYTES, Call, Performance, locate, stage
from .state import SimulatorState
from .witness import witness


class Connection(asyncio.Protocol):
    """A client's connection, from its acceptance to its end.

    A raw protocol, because the faults need the socket itself, and because a task for each request would cost more than
    the request.
    """

    def __init__(self, state: SimulatorState, loop: asyncio.AbstractEventLoop, siblings: set[Connection]) -> None:
        """Wait for `connection_made`; while it is open the connection stands among its `siblings`."""
        self._state = state
        self._loop = loop
        self._siblings = siblings
        self._transport: asyncio.Transport
        self._parser = httptools.HttpRequestParser(self)
        self._number = 0
        self._reading: Call | None = None
        self._body: list[bytes] = []
        self._body_size = 0
        self._waiting: deque[Call] = deque()
        self._playing: tuple[Call, Performance, Player] | None = None
        self._is_write_paused = False
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        # uvloop's transports have the interface without the base class.
        self._transport = cast("asyncio.Transport", transport)
        self._state.accepted += 1
        self._state.open += 1
        self._number = self._state.accepted
        self._siblings.add(self)

    def data_received(self, data: bytes) -> None:
        """Parse; a request is answered as soon as its last byte is seen."""
        if self._is_over:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse_unreadable()

    def eof_received(self) -> None:
        """Take the client's FIN for its leave; the transport then closes by itself."""
        self._end("client")

    def connection_lost(self, _exc: Exception | None) -> None:
        """Settle what was under way."""
        self._end("client")
        self._state.open -= 1
        self._siblings.discard(self)

    def pause_writing(self) -> None:
        """Hold the answer back: the client does not read."""
        self._is_write_paused = True
        if self._playing is not None:
            self._playing[2].pause()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self._is_write_paused = False
        if self._playing is not None:
            self._playing[2].resume()

    def close(self) -> None:
        """End the connection from the server's side."""
        self._end("server")
        self._transport.abort()

    # What httptools calls while it parses.

    def on_message_begin(self) -> None:
        self._reading = Call(started_s=self._state.clock(), started_at=time())

    def on_url(self, url: bytes) -> None:
        # A URL that spans two reads comes in two parts.
        if self._reading is not None:
            self._reading.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is None:
            return
        match name.lower():
            case b"authorization":
                self._reading.authorization = value.decode("latin-1")
            case b"x-request-id":
                self._reading.attempt_id = value.decode("latin-1")
            case b"x-sim-fault":
                self._reading.fault = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._reading is not None:
            self._reading.path, _, self._reading.query = self._reading.path.partition("?")
            self._reading.method = self._parser.get_method().decode("latin-1")
            self._reading.may_keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size <= MAX_BODY_BYTES:
            self._body.append(body)
        elif self._reading is not None:
            self._reading.is_too_large = True
            self._body.clear()

    def on_message_complete(self) -> None:
        call = self._reading
        if call is None:
            return
        call.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        call.is_complete = True
        self._reading, self._body, self._body_size = None, [], 0
        self._waiting.append(call)
        if self._playing is None:
            self._answer_next()

    def _answer_next(self) -> None:
        # A client may send its next request early; it is answered when the one before is.
        if self._playing is not None or not self._waiting or self._is_over:
            return
        call = self._waiting.popleft()
        if call.path.startswith(PREFIX):
            self._transport.write(control(call, self._state).encoded())
            self._after_answer(call)
        else:
            self._play(call, stage(call, self._state))

    def _play(self, call: Call, performance: Performance) -> None:
        player = Player(
            performance.script, self._transport, self._loop, clock=self._state.clock, ended=self._answer_ended
        )
        self._playing = (call, performance, player)
        self._state.in_flight += 1
        if self._is_write_paused:
            player.pause()
        if performance.slots is None:
            player.start()
        else:
            performance.slots.enter(player.start)

    def _answer_ended(self, ending: Ending) -> None:
        if self._playing is None:
            return
        call = self._playing[0]
        has_kept = ending is Ending.KEEP and call.may_keep_alive
        self._settle("none" if has_kept else "server")
        if ending is Ending.KEEP:
            self._after_answer(call)
        else:
            self._is_over = True

    def _after_answer(self, call: Call) -> None:
        if not call.may_keep_alive:
            self._is_over = True
            self._transport.close()
        elif self._waiting:
            self._loop.call_soon(self._answer_next)

    def _refuse_unreadable(self) -> None:
        call = self._reading or Call(started_s=self._state.clock(), started_at=time())
        self._reading = None
        call.may_keep_alive = False
        if self._playing is not None:
            self.close()
            return
        provider, path = locate(call.path)
        refusal = Refusal(status=400, message="The request is not HTTP/1.1.")
        script = compose_refusal(refusal, fields=b"connection: close\r\n")
        self._play(
            call,
            Performance(provider=provider, path=path, model="", is_stream=False, fault="", script=script),
        )

    def _end(self, closed_by: str) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._playing is not None:
            self._settle(closed_by)
        if self._reading is not None and not self._reading.path.startswith(PREFIX):
            self._write_row(self._reading, None, None, closed_by)
        for call in self._waiting:
            self._write_row(call, None, None, closed_by)

    def _settle(self, closed_by: str) -> None:
        assert self._playing is not None
        call, performance, player = self._playing
        self._playing = None
        player.stop()
        self._state.in_flight -= 1
        self._write_row(call, performance, player, closed_by)
        if performance.slots is not None:
            performance.slots.leave(player.start)

    def _write_row(self, call: Call, performance: Performance | None, player: Player | None, closed_by: str) -> None:
        self._state.log.append(
            witness(call, performance, player, self._state, connection=self._number, closed_by=closed_by)
        )
