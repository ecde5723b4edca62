"""One call to one target, in its dialect: a whole answer, or the events of a stream.

Each wait on an upstream has a timer of ours and ends with the caller's deadline at the latest:

    unary    |── answer timer: head and whole body ──────────────────────────|
    stream   |── first-byte timer: to the first text ───|─ gap ─|─ gap ─| …

A gap is counted between events, not bytes: a provider that sends pings or half a line says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType

from router_service.core.chat import Completion, Delta, Prompt, StreamEnd
from router_service.core.errors import BadResponse, ResponseTooLarge, Stage, UpstreamError
from router_service.core.fitting import fitted
from router_service.providers.dialect import Dialect, HttpHead
from router_service.providers.transport import Response, Transport
from router_service.service.pieces import in_pieces
from router_service.service.rooms import Rooms
from router_service.service.run import Run
from router_service.service.timer import Timer
from router_service.service.tries import Try

MAX_ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_S = 0.25
"""How long an error's body is waited for once its head is there."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024 - 128 * 1024
"""Callers' libraries receive 4 MiB unless told otherwise, and attempts and plan go along."""
SETTLE_S = 0.05
"""After the terminal event, how long the end of the body may take to follow; later than that the connection goes."""


class Exchange:
    """`dialects` are by name; `max_output_bytes` bounds one answer, and may be set anew."""

    def __init__(
        self, transport: Transport, dialects: Mapping[str, Dialect], rooms: Rooms, *, max_output_bytes: int
    ) -> None:
        self._transport = transport
        self._dialects = dialects
        self._rooms = rooms
        self.max_output_bytes = max_output_bytes

    async def answer(self, run: Run, attempt: Try) -> Completion:
        """The whole answer to one attempt. Raises UpstreamError or CallerDeadline."""
        dialect = self._dialects[attempt.target.provider.dialect]
        async with Timer(attempt, run.request.deadline), self._call(run, attempt, is_stream=False) as call:
            response = await call.open()
            if response.head.status != HTTPStatus.OK:
                raise await _failure(dialect, response, run)
            with run.away:
                body = await self._whole(response)
            attempt.is_whole = True
        completion = dialect.decode(body, attempt.target)
        attempt.usage, attempt.output_characters = completion.usage, completion.message.characters()
        if (size := completion.message.size_bytes()) > MAX_ANSWER_BYTES:
            raise _too_large(f"an answer of {size} bytes, and callers receive {MAX_ANSWER_BYTES}", stage=Stage.DECODE)
        return completion

    async def events(self, run: Run, attempt: Try) -> AsyncGenerator[Delta | StreamEnd, None]:
        """The deltas of one upstream stream, those that arrived together as one, and at last its end. Raises as
        `answer` does. One task may take the first of them and another the rest.
        """
        provider = attempt.target.provider
        decoder = self._dialects[provider.dialect].decoder(attempt.target)
        timer = Timer(attempt, run.request.deadline)
        received = 0
        async with self._call(run, attempt, is_stream=True) as call:
            async with timer:
                chunks = (await self._stream(call, run, attempt)).chunks()
            while (end := decoder.end()) is None:
                async with timer:
                    with run.away:
                        data = await anext(chunks, b"")
                if not data:
                    text = "the provider's stream ended without its terminal event"
                    raise BadResponse(text, stage=Stage.STREAM, maybe_billed=True)
                received += len(data)
                if received > self.max_output_bytes:
                    raise _too_large(f"more than {self.max_output_bytes} bytes", stage=Stage.STREAM)
                deltas = decoder.feed(data)
                attempt.usage, attempt.has_finished = decoder.usage(), decoder.has_finished()
                if not deltas:
                    continue
                if delta := _merged(deltas):
                    attempt.count(delta)
                    if not attempt.has_begun:
                        decoder.end()  # raises where the stream has failed already: then the next target may serve
                    attempt.stage = Stage.STREAM
                    run.heard(attempt, delta)
                    with run.away:
                        for piece in in_pieces(delta):
                            yield piece
                if attempt.has_begun:  # an event that says nothing yet leaves the first timer running
                    run.waits(attempt)
                    timer.allow(provider.timeouts.gap_s)
            attempt.is_whole = True
            try:
                yield end
            finally:
                await _settle(chunks)

    async def _stream(self, call: _Call, run: Run, attempt: Try) -> Response:
        response = await call.open()
        if not _is_stream(response.head):
            dialect = self._dialects[attempt.target.provider.dialect]
            raise await _failure(dialect, response, run)
        return response

    def _call(self, run: Run, attempt: Try, *, is_stream: bool) -> _Call:
        dialect = self._dialects[attempt.target.provider.dialect]
        return _Call(run, attempt, dialect, self._transport, self._rooms, is_stream=is_stream)

    async def _whole(self, response: Response) -> bytes:
        pieces: list[bytes] = []
        received = 0
        async for data in response.chunks():
            received += len(data)
            if received > self.max_output_bytes:
                raise _too_large(f"more than {self.max_output_bytes} bytes", stage=Stage.FIRST_BYTE)
            pieces.append(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Call:
    """A call that may be made; closed at the end, which ends its connection unless all was read.

    A connection is used again after a whole answer or a clean refusal. A server that broke off inside an answer is
    likely to close it next, even where the framing was complete.
    """

    __slots__ = ("_attempt", "_dialect", "_is_stream", "_response", "_rooms", "_run", "_transport")

    def __init__(
        self, run: Run, attempt: Try, dialect: Dialect, transport: Transport, rooms: Rooms, *, is_stream: bool
    ) -> None:
        self._run = run
        self._attempt = attempt
        self._dialect = dialect
        self._transport = transport
        self._rooms = rooms
        self._is_stream = is_stream
        self._response: Response | None = None

    async def open(self) -> Response:
        """Send the request and wait for the answer's head."""
        attempt = self._attempt
        asked = _held_to(attempt.room.output_limit, attempt.prompt)
        prompt, attempt.dropped_fields = fitted(asked, attempt.target)
        call = self._dialect.encode(
            prompt,
            attempt.target,
            attempt_id=f"{self._run.request.request_id}.{attempt.number}",
            is_stream=self._is_stream,
        )
        with self._run.away:
            self._response = await self._transport.open(
                call,
                connect_s=attempt.target.provider.timeouts.connect_s,
                on_connected=attempt.connected,
                may_reuse=not attempt.wants_new_connection,
            )
        head = self._response.head
        attempt.status_code = head.status
        self._rooms.observe_headers(attempt.target, head.headers)
        return self._response

    async def __aenter__(self) -> _Call:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._response is not None:
            is_clean = error is None or (isinstance(error, UpstreamError) and error.stage is Stage.FIRST_BYTE)
            await self._response.close(may_reuse=is_clean)


def _held_to(output_limit: int | None, prompt: Prompt) -> Prompt:
    """The prompt with an answer of at most so many tokens, where something has to hold that the caller left open."""
    if output_limit is None:
        return prompt
    return replace(prompt, generation=replace(prompt.generation, max_output_tokens=output_limit))


def _is_stream(head: HttpHead) -> bool:
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    return head.status == HTTPStatus.OK and media_type == "text/event-stream"


async def _failure(dialect: Dialect, response: Response, run: Run) -> UpstreamError:
    """What an answer that is none says went wrong."""
    with run.away:
        body = await _beginning(response)
    return dialect.failure(response.head, body)


async def _beginning(response: Response) -> bytes:
    """As much of an error's body as its class may be read from, and as comes soon: the status alone says most of it."""
    body = b""
    with suppress(UpstreamError, TimeoutError):
        async with asyncio.timeout(ERROR_BODY_S):
            async for data in response.chunks():
                body += data
                if len(body) >= MAX_ERROR_BODY_BYTES:
                    break
    return body


async def _settle(chunks: AsyncIterator[bytes]) -> None:
    """Read past the terminal event to the body's end, so that the connection can serve the next call."""
    with suppress(TimeoutError, UpstreamError):
        async with asyncio.timeout(SETTLE_S):
            await anext(chunks, b"")


def _merged(deltas: Sequence[Delta]) -> Delta:
    """One Delta for all that arrived together: what a caller reads is the same, at a fraction of the messages."""
    if len(deltas) == 1:
        return deltas[0]
    return Delta(
        "".join([d.content for d in deltas]),
        "".join([d.reasoning for d in deltas]),
        tuple(call for d in deltas for call in d.tool_calls),
        next((d.reasoning_end for d in reversed(deltas) if d.reasoning_end is not None), None),
    )


def _too_large(what: str, *, stage: Stage) -> ResponseTooLarge:
    return ResponseTooLarge(f"the provider sent {what}", stage=stage, maybe_billed=True)
