"""Runs a plan: call a target, and on a failure that another target may cure, the next. The only retry loop there is;
which target is next, and whether the same one again, is `Course.next_try`'s to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from router_service.core.attempt import Answer
from router_service.core.chat import Completion, Delta, Message, Role, StreamEnd
from router_service.core.settings import RoutingSettings
from router_service.providers.dialect import Dialect
from router_service.providers.transport import Transport
from router_service.service.course import Course
from router_service.service.exchange import Exchange
from router_service.service.hedging import first_of, hedge_allowance
from router_service.service.resumption import spliced
from router_service.service.retries import Retries
from router_service.service.rooms import Rooms
from router_service.service.run import Run
from router_service.service.said import Said
from router_service.service.tries import Try

STREAMED_MESSAGE = Message(role=Role.ASSISTANT)


@dataclass(frozen=True, slots=True)
class _Whole:
    """An attempt that gave a whole answer."""

    attempt: Try
    completion: Completion

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A stream whose first event has come; `rest` are the others, up to its end."""

    attempt: Try
    first: Delta | StreamEnd
    rest: AsyncGenerator[Delta | StreamEnd, None]

    async def close(self) -> None:
        """End the upstream call unless it has ended."""
        await self.rest.aclose()


_Won = TypeVar("_Won", _Whole, _Begun)


async def _closed(won: _Whole | _Begun) -> None:
    await won.close()


class Execution:
    """Holds what every request's execution shares. `dialects` are by name."""

    def __init__(
        self, *, transport: Transport, dialects: Mapping[str, Dialect], rooms: Rooms, routing: RoutingSettings
    ) -> None:
        self._exchange = Exchange(transport, dialects, rooms, max_output_bytes=routing.max_output_bytes)
        self._rooms = rooms
        self._routing = routing
        self._retries = Retries(Random())
        self._hedges = hedge_allowance()

    def adopt(self, routing: RoutingSettings) -> None:
        """Go by other bounds from now on."""
        self._routing = routing
        self._exchange.max_output_bytes = routing.max_output_bytes
        self._rooms.slots.adopt(queue_length=routing.queue_length)

    async def complete(self, run: Run) -> Answer:
        """One whole answer. Raises AttemptsFailed or CallerDeadline."""
        course = self._course(run, is_stream=False)
        while attempt := await course.next_try():
            if whole := await self._first(course, run, attempt, self._whole):
                course.succeeded(whole.attempt)
                return run.answer(whole.attempt, whole.completion.message, whole.completion.finish_reason)
        raise course.gave_up()

    async def stream(self, run: Run) -> AsyncGenerator[Said, None]:
        """Started Delta* (Broken Resumed Delta*)* Answer. Raises as `complete` does before Started; after it
        StreamInterrupted, CallerDeadline or ResponseTooLarge.
        """
        course = self._course(run, is_stream=True)
        while attempt := await course.next_try():
            if (begun := await self._first(course, run, attempt, self._begun)) is None:
                continue
            with run.recording(begun.attempt):
                try:
                    for opening in run.opens(begun.attempt):
                        yield opening
                    event = begun.first
                    while not isinstance(event, StreamEnd):
                        run.delivered(event)
                        yield event
                        event = await anext(begun.rest)
                    run.succeeded(begun.attempt, None, event.finish_reason, event.model)
                    course.succeeded(begun.attempt)
                    yield run.answer(begun.attempt, STREAMED_MESSAGE, event.finish_reason)
                    return
                finally:
                    await begun.close()
        raise course.gave_up()

    async def _first(
        self, course: Course, run: Run, attempt: Try, begin: Callable[[Run, Try], Coroutine[Any, Any, _Won | None]]
    ) -> _Won | None:
        """What comes of the attempt, or of one beside it where that may be hedged; None where they failed. By then all
        have ended but for the stream that has begun.
        """
        if not course.may_hedge():
            return await begin(run, attempt)
        try:
            won = await first_of(
                begin(run, attempt),
                lambda: None if (hedge := course.hedge()) is None else begin(run, hedge),
                after_s=attempt.late_after_s,
                release=_closed,
            )
        except BaseException as error:
            run.end_all_but(None, error)
            raise
        run.end_all_but(None if won is None else won.attempt, asyncio.CancelledError())
        return won

    async def _whole(self, run: Run, attempt: Try) -> _Whole | None:
        """The attempt up to its end, which is on record then; None where it gave no answer that counts."""
        with run.recording(attempt):
            completion = await self._exchange.answer(run, attempt)
            if run.claim(attempt):
                run.succeeded(attempt, completion.message, completion.finish_reason, completion.model)
                return _Whole(attempt, completion)
            run.beaten(attempt)
        return None

    async def _begun(self, run: Run, attempt: Try) -> _Begun | None:
        """The attempt up to its first event; None where it ended before, or was beaten to it."""
        with run.recording(attempt):
            events = self._exchange.events(run, attempt)
            if attempt.prefix:
                events = spliced(events, attempt.prefix)
            first = await anext(events)
            if run.claim(attempt):
                return _Begun(attempt, first, events)
            await events.aclose()
            run.beaten(attempt)
        return None

    def _course(self, run: Run, *, is_stream: bool) -> Course:
        return Course(run, self._rooms, self._retries, self._hedges, self._routing, is_stream=is_stream)
