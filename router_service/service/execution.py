"""Runs a plan: call a target, and on a failure that another target may cure, the next. The only retry loop there is;
which target is next, and whether the same one again, is `Course.next_try`'s to say.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from router_service.core.attempt import Answer, Attempt
from router_service.core.catalog import Target
from router_service.core.chat import Delta, Message, Role, StreamEnd
from router_service.core.errors import ResponseTooLarge, StreamInterrupted
from router_service.core.settings import RoutingSettings
from router_service.providers.dialect import Dialect
from router_service.providers.transport import Transport
from router_service.service.course import Course
from router_service.service.exchange import Exchange
from router_service.service.retries import Retries
from router_service.service.rooms import Rooms
from router_service.service.run import Run

STREAMED_MESSAGE = Message(role=Role.ASSISTANT)


@dataclass(frozen=True, slots=True)
class Started:
    """The first thing a stream says: which target it comes from, and the attempts that failed before it."""

    target: Target
    attempts: tuple[Attempt, ...]


class Execution:
    """Holds what every request's execution shares. `dialects` are by name."""

    def __init__(
        self, *, transport: Transport, dialects: Mapping[str, Dialect], rooms: Rooms, routing: RoutingSettings
    ) -> None:
        self._exchange = Exchange(transport, dialects, rooms, max_output_bytes=routing.max_output_bytes)
        self._rooms = rooms
        self._routing = routing
        self._retries = Retries(Random())

    def adopt(self, routing: RoutingSettings) -> None:
        """Go by other bounds from now on."""
        self._routing = routing
        self._exchange.max_output_bytes = routing.max_output_bytes
        self._rooms.slots.adopt(queue_length=routing.queue_length)

    async def complete(self, run: Run) -> Answer:
        """One whole answer. Raises AttemptsFailed or CallerDeadline."""
        course = self._course(run, is_stream=False)
        while attempt := await course.next_try():
            with run.recording(attempt):
                completion = await self._exchange.answer(run, attempt)
                course.succeeded(attempt)
                return run.succeeded(attempt, completion.message, completion.finish_reason, completion.model)
        raise course.gave_up()

    async def stream(self, run: Run) -> AsyncGenerator[Started | Delta | Answer, None]:
        """Started Delta* Answer. Raises as `complete` does before Started; after it StreamInterrupted, CallerDeadline
        or ResponseTooLarge.
        """
        course = self._course(run, is_stream=True)
        while attempt := await course.next_try():
            with run.recording(attempt):
                async with aclosing(self._exchange.events(run, attempt)) as events:
                    async for event in events:
                        if not run.delivered_chunks:
                            yield Started(attempt.target, tuple(run.attempts))
                        if isinstance(event, StreamEnd):
                            course.succeeded(attempt)
                            yield run.succeeded(attempt, STREAMED_MESSAGE, event.finish_reason, event.model)
                            return
                        run.delivered_chunks += 1
                        yield event
        if run.delivered_chunks:
            _, error = run.failures[-1]
            raise (error if isinstance(error, ResponseTooLarge) else StreamInterrupted(error)) from error
        raise course.gave_up()

    def _course(self, run: Run, *, is_stream: bool) -> Course:
        return Course(run, self._rooms, self._retries, self._routing, is_stream=is_stream)
