"""What happened, as frozen facts, and who hears of it: health, traces, metrics and logs hang on this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from router_service.core.attempt import Attempt
from router_service.core.chat import Delta, Message
from router_service.core.overhead import NO_OVERHEAD, Overhead
from router_service.core.plan import Plan
from router_service.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttemptStarted:
    """An upstream call is about to leave for a target. It names the call until its end, so that no two are equal."""

    target: str
    is_stream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """An upstream call ended. `trace` is the caller's trace context, opaque to everyone but telemetry.

    `answer` is what a whole answer said; None where there was none, and for streams, whose text was heard in parts.
    `is_resumption`: it went on with what another attempt had begun to answer, so that it read more and wrote less than
    was asked for.
    """

    started: AttemptStarted
    request: Request
    plan: Plan | None
    attempt: Attempt
    trace: object
    answer: Message | None = None
    is_resumption: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished:
    """A request ended. `outcome` is OK, CANCELLED, or the reason of the error that its caller heard.

    `time_to_first_token_s` counts from the run's begin, over all attempts; None where no part of a
    stream was delivered.
    """

    request: Request
    is_stream: bool
    plan: Plan | None
    attempts: tuple[Attempt, ...]
    latency_s: float
    delivered_chunks: int
    outcome: str
    trace: object
    time_to_first_token_s: float | None = None
    overhead: Overhead = NO_OVERHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFinished:
    """A decision that nobody runs yet was asked for. `outcome` is as in RequestFinished, which no Route ever is."""

    request: Request
    plan: Plan | None
    latency_s: float
    outcome: str
    trace: object
    overhead: Overhead = NO_OVERHEAD


class Observer(Protocol):
    """Hears how every attempt and every request ended, in the request's own task: quick, and never raising."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """A call has ended."""

    def request_finished(self, event: RequestFinished) -> None:
        """The last word on a request: once for each, also when it was cancelled."""

    def route_finished(self, event: RouteFinished) -> None:
        """The last word on a decision that was asked for alone: once for each."""


class Listener(Protocol):
    """Hears of calls while they last, for each part of each stream: quicker still, and never raising."""

    def attempt_started(self, call: AttemptStarted) -> None:
        """A call is about to leave; observers hear of its end, whatever happens."""

    def attempt_heard(self, call: AttemptStarted, delta: Delta, /) -> None:
        """A part of a stream's answer has come; until `attempt_waits` its caller reads, however long that takes."""

    def attempt_waits(self, call: AttemptStarted) -> None:
        """A stream that has begun waits for its provider again."""


class Audience:
    """Everybody who hears of what happens, behind the face of one, told in order."""

    def __init__(self, observers: Sequence[Observer], listeners: Sequence[Listener] = ()) -> None:
        self._observers = tuple(observers)
        self._listeners = tuple(listeners)

    def attempt_started(self, call: AttemptStarted) -> None:
        for listener in self._listeners:
            listener.attempt_started(call)

    def attempt_heard(self, call: AttemptStarted, delta: Delta) -> None:
        for listener in self._listeners:
            listener.attempt_heard(call, delta)

    def attempt_waits(self, call: AttemptStarted) -> None:
        for listener in self._listeners:
            listener.attempt_waits(call)

    def attempt_finished(self, event: AttemptFinished) -> None:
        for observer in self._observers:
            observer.attempt_finished(event)

    def request_finished(self, event: RequestFinished) -> None:
        for observer in self._observers:
            observer.request_finished(event)

    def route_finished(self, event: RouteFinished) -> None:
        for observer in self._observers:
            observer.route_finished(event)
