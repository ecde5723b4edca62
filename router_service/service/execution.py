"""Runs a plan: call a target, and on a failure that another target may cure, the next. The only retry loop there is;
which target is next, and whether the same one again, is `Run.next_try`'s to say.

Each wait on an upstream has a timer of ours and ends with the caller's deadline at the latest:

    unary    |── answer timer: head and whole body ──────────────────────────|
    stream   |── first-byte timer: to the first text ───|─ gap ─|─ gap ─| …

A gap is counted between events, not bytes: a provider that sends pings or half a line says nothing. Time in which the
caller is slow to read is nobody's gap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from random import Random
from types import TracebackType

from router_service.core.attempt import Answer, Attempt
from router_service.core.catalog import Target
from router_service.core.chat import Completion, Delta, Prompt, StreamEnd
from router_service.core.errors import (
    BadResponse,
    CallerDeadline,
    ResponseTooLarge,
    Stage,
    StreamInterrupted,
    UpstreamError,
    UpstreamTimeout,
)
from router_service.providers.dialect import Dialect, HttpCall, HttpHead
from router_service.providers.transport import Response, Transport
from router_service.service.pieces import in_pieces
from router_service.service.retries import Retries
from router_service.service.rooms import Rooms
from router_service.service.run import Run, Try

MAX_ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_S = 0.25
"""How long an error's body is waited for once its head is there."""
MAX_ANSWER_CHARACTERS = 1_000_000
SETTLE_S = 0.05
"""After the terminal event, how long the end of the body may take to follow; later than that the connection goes."""


@dataclass(frozen=True, slots=True)
class Started:
    """The first thing a stream says: which target it comes from, and the attempts that failed before it."""

    target: Target
    attempts: tuple[Attempt, ...]


class Execution:
    """Holds what every request's execution shares. `dialects` are by name; `max_output_bytes` bounds one answer."""

    def __init__(
        self, *, transport: Transport, dialects: Mapping[str, Dialect], rooms: Rooms, max_output_bytes: int
    ) -> None:
        self._transport = transport
        self._dialects = dialects
        self._rooms = rooms
        self._max_output_bytes = max_output_bytes
        self._retries = Retries(Random())

    def adopt(self, *, max_output_bytes: int) -> None:
        """Bound answers by so much from now on."""
        self._max_output_bytes = max_output_bytes

    async def complete(self, run: Run) -> Answer:
        """One whole answer. Raises AttemptsFailed or CallerDeadline."""
        while attempt := await run.next_try(self._rooms, self._retries, is_stream=False):
            try:
                completion = await self._answer(run, attempt)
            except UpstreamError as error:
                run.failed(attempt, error)
            except BaseException as error:
                run.cut_short(attempt, error)
                raise
            else:
                return run.succeeded(attempt, completion)
        raise run.gave_up()

    async def stream(self, run: Run) -> AsyncGenerator[Started | Delta | Answer, None]:
        """Started Delta* Answer. Raises as `complete` does before Started; after it StreamInterrupted, CallerDeadline
        or ResponseTooLarge.
        """
        while attempt := await run.next_try(self._rooms, self._retries, is_stream=True):
            try:
                async with aclosing(self._events(run, attempt)) as events:
                    async for event in events:
                        if not run.delivered_chunks:
                            yield Started(attempt.target, tuple(run.attempts))
                        if isinstance(event, StreamEnd):
                            yield run.streamed(attempt, event)
                            return
                        run.delivered_chunks += 1
                        yield event
            except UpstreamError as error:
                run.failed(attempt, error)
                if run.delivered_chunks:
                    raise (error if isinstance(error, ResponseTooLarge) else StreamInterrupted(error)) from error
            except BaseException as error:
                run.cut_short(attempt, error)
                raise
        raise run.gave_up()

    async def _answer(self, run: Run, attempt: Try) -> Completion:
        dialect = self._dialects[attempt.target.provider.dialect]
        timer = _Timer(run, attempt, run.answered_until(attempt), attempt.target.provider.timeouts.answer_s)
        async with timer, self._opened(run, attempt, is_stream=False) as response:
            if response.head.status != HTTPStatus.OK:
                raise await _failure(dialect, response, attempt)
            body = await self._whole(response, attempt)
        completion = dialect.decode(body)
        attempt.usage, attempt.output_characters = completion.usage, completion.message.characters()
        if attempt.output_characters > MAX_ANSWER_CHARACTERS:
            raise _too_large("an answer of more characters than a caller can receive", stage=Stage.DECODE)
        return completion

    async def _events(self, run: Run, attempt: Try) -> AsyncGenerator[Delta | StreamEnd, None]:
        """The deltas of one upstream stream, those that arrived together as one, and at last its end."""
        provider = attempt.target.provider
        dialect = self._dialects[provider.dialect]
        decoder = dialect.decoder()
        timer = _Timer(run, attempt, run.first_token_until(attempt), provider.timeouts.first_byte_s)
        received = 0
        async with timer, self._opened(run, attempt, is_stream=True) as response:
            if not _is_stream(response.head):
                raise await _failure(dialect, response, attempt)
            chunks = response.chunks()
            while (end := decoder.end()) is None:
                asked = time.monotonic()
                try:
                    data = await anext(chunks, b"")
                finally:
                    attempt.away_s += time.monotonic() - asked
                if not data:
                    text = "the provider's stream ended without its terminal event"
                    raise BadResponse(text, stage=Stage.STREAM, maybe_billed=True)
                received += len(data)
                if received > self._max_output_bytes:
                    raise _too_large(f"more than {self._max_output_bytes} bytes", stage=Stage.STREAM)
                deltas = decoder.feed(data)
                attempt.usage = decoder.usage()
                if not deltas:
                    continue
                if delta := _merged(deltas):
                    attempt.count(delta)
                    if not run.delivered_chunks:
                        decoder.end()  # raises where the stream has failed already: then the next target may serve
                    attempt.stage = Stage.STREAM
                    run.heard(attempt, delta)
                    timer.pause()
                    handed = time.monotonic()
                    try:
                        for piece in in_pieces(delta):
                            yield piece
                    finally:
                        attempt.away_s += time.monotonic() - handed
                if attempt.first_token is not None:  # an event that says nothing yet leaves the first timer running
                    run.waits(attempt)
                    timer.move(time.monotonic() + provider.timeouts.gap_s)
            timer.pause()
            try:
                yield end
            finally:
                await _settle(chunks)

    def _opened(self, run: Run, attempt: Try, *, is_stream: bool) -> _Opened:
        target = attempt.target
        dialect = self._dialects[target.provider.dialect]
        attempt_id = f"{run.request.request_id}.{attempt.number}"
        call = dialect.encode(
            _held_to(attempt.room.output_limit, run.request.prompt), target, attempt_id=attempt_id, is_stream=is_stream
        )
        return _Opened(self._transport, call, attempt, self._rooms)

    async def _whole(self, response: Response, attempt: Try) -> bytes:
        pieces: list[bytes] = []
        received = 0
        asked = time.monotonic()
        try:
            async for data in response.chunks():
                received += len(data)
                if received > self._max_output_bytes:
                    raise _too_large(f"more than {self._max_output_bytes} bytes", stage=Stage.FIRST_BYTE)
                pieces.append(data)
        finally:
            attempt.away_s += time.monotonic() - asked
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Opened:
    """A call made and its head arrived; closed at the end, which ends the connection unless all was read.

    A connection is used again after a whole answer or a clean refusal. A server that broke off inside an answer is
    likely to close it next, even where the framing was complete.
    """

    __slots__ = ("_attempt", "_call", "_response", "_rooms", "_transport")

    def __init__(self, transport: Transport, call: HttpCall, attempt: Try, rooms: Rooms) -> None:
        self._transport = transport
        self._call = call
        self._attempt = attempt
        self._rooms = rooms

    async def __aenter__(self) -> Response:
        connect_s = self._attempt.target.provider.timeouts.connect_s
        asked = time.monotonic()
        try:
            self._response = await self._transport.open(
                self._call,
                connect_s=connect_s,
                on_connected=self._attempt.connected,
                may_reuse=not self._attempt.wants_new_connection,
            )
        finally:
            self._attempt.away_s += time.monotonic() - asked
        head = self._response.head
        self._attempt.status_code = head.status
        self._rooms.observe_headers(self._attempt.target, head.headers)
        return self._response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        is_clean = error is None or (isinstance(error, UpstreamError) and error.stage is Stage.FIRST_BYTE)
        await self._response.close(may_reuse=is_clean)


class _Timer:
    """Bounds waits on an upstream by a moment that may move and by the caller's deadline; tells which of them it was.

    It is paused while the caller reads: a slow reader is nobody's gap, and a timer that fired then would hit the
    reader's code instead of ours.
    """

    __slots__ = ("_attempt", "_deadline", "_limit_s", "_run", "_timeout", "_until")

    def __init__(self, run: Run, attempt: Try, until: float, limit_s: float) -> None:
        self._run = run
        self._attempt = attempt
        self._until = until
        self._limit_s = limit_s
        self._deadline = run.request.deadline
        self._timeout = asyncio.timeout_at(min(until, self._deadline))

    def pause(self) -> None:
        self._timeout.reschedule(None)

    def move(self, until: float) -> None:
        self._until = until
        self._timeout.reschedule(min(until, self._deadline))

    async def __aenter__(self) -> _Timer:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            if self._until >= self._deadline:
                raise CallerDeadline(self._attempt.stage) from None
            if self._attempt.stage is Stage.STREAM:
                text = "the provider fell silent inside its answer"
                raise UpstreamTimeout(text, stage=Stage.STREAM, maybe_billed=True) from None
            raise self._run.too_slow(self._attempt, self._limit_s) from None


def _held_to(output_limit: int | None, prompt: Prompt) -> Prompt:
    """The prompt with an answer of at most so many tokens, where something has to hold that the caller left open."""
    if output_limit is None:
        return prompt
    return replace(prompt, generation=replace(prompt.generation, max_output_tokens=output_limit))


def _is_stream(head: HttpHead) -> bool:
    media_type = head.headers.get("content-type", "").partition(";")[0].strip().lower()
    return head.status == HTTPStatus.OK and media_type == "text/event-stream"


async def _failure(dialect: Dialect, response: Response, attempt: Try) -> UpstreamError:
    """What an answer that is none says went wrong."""
    asked = time.monotonic()
    try:
        body = await _beginning(response)
    finally:
        attempt.away_s += time.monotonic() - asked
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
    )


def _too_large(what: str, *, stage: Stage) -> ResponseTooLarge:
    return ResponseTooLarge(f"the provider sent {what}", stage=stage, maybe_billed=True)
