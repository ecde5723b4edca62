"""What happened, as frozen facts, and the hook that hears of it: health, traces, metrics and logs hang on this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from router_service.core.attempt import Attempt
from router_service.core.plan import Plan
from router_service.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFinished:
    """An upstream call ended. `trace` is the caller's trace context, opaque to everyone but telemetry."""

    request: Request
    plan: Plan | None
    attempt: Attempt
    trace: object


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFinished:
    """A request ended. `outcome` is OK, CANCELLED, or the reason of the error that its caller heard."""

    request: Request
    is_stream: bool
    plan: Plan | None
    attempts: tuple[Attempt, ...]
    latency_s: float
    delivered_chunks: int
    outcome: str
    trace: object


class Observer(Protocol):
    """Hears of every attempt and every request, in the request's own task: quick, and never raising."""

    def attempt_started(self, target: str) -> None:
        """A call is about to leave for `target`; an `attempt_finished` follows, whatever happens."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """A call has ended."""

    def request_finished(self, event: RequestFinished) -> None:
        """The last word on a request: once for each, also when it was cancelled."""


class Observers:
    """Several observers behind the face of one, told in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def attempt_started(self, target: str) -> None:
        for observer in self._observers:
            observer.attempt_started(target)

    def attempt_finished(self, event: AttemptFinished) -> None:
        for observer in self._observers:
            observer.attempt_finished(event)

    def request_finished(self, event: RequestFinished) -> None:
        for observer in self._observers:
            observer.request_finished(event)
