"""The story of one request. Read this first: admit, plan, execute, record."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from random import Random

from router_service.core.attempt import Answer
from router_service.core.chat import Delta
from router_service.core.errors import (
    AttemptsFailed,
    CallerDeadline,
    CredentialsRefused,
    Draining,
    Facts,
    InternalFault,
    NoTarget,
    ProvidersBlocked,
    RequestFailed,
    SignalboxError,
    Stage,
    StreamInterrupted,
    UpstreamError,
)
from router_service.core.events import Observer, RequestFinished
from router_service.core.outcome import BlockReason
from router_service.core.plan import Plan, Rejection, Standing, View, plan
from router_service.core.request import Request
from router_service.service.admission import Admission
from router_service.service.execution import Execution, Started
from router_service.service.run import CLOCK_SLACK_S, Run

FIRST_REJECTIONS = 5


class Router:
    """Serves requests. Every error that leaves it is a RequestFailed; cancellation passes as it is."""

    def __init__(
        self,
        *,
        view: Callable[[], View],
        execution: Execution,
        admission: Admission,
        observer: Observer,
        max_attempts: int,
        rng: Random,
    ) -> None:
        self._view = view
        self._execution = execution
        self._admission = admission
        self._observer = observer
        self._max_attempts = max_attempts
        self._rng = rng

    async def complete(self, request: Request, trace: object) -> Answer:
        with self._story(request, trace, is_stream=False) as run:
            return await self._execution.complete(run)

    async def stream(self, request: Request, trace: object) -> AsyncGenerator[Started | Delta | Answer, None]:
        """As Execution.stream; close it to end the upstream call at once."""
        with self._story(request, trace, is_stream=True) as run:
            async with aclosing(self._execution.stream(run)) as events:
                async for event in events:
                    yield event

    @contextmanager
    def _story(self, request: Request, trace: object, *, is_stream: bool) -> Iterator[Run]:
        """What is the same for every request: let it in, plan it, and tell how it ended exactly once."""
        run = Run(request, observer=self._observer, trace=trace)
        outcome = "CANCELLED"
        try:
            with self._admission:
                run.follow(self._plan(request), max_attempts=self._attempts_allowed(request))
                yield run
            outcome = "OK"
        except SignalboxError as error:
            outcome = error.reason
            raise RequestFailed(error, _facts(run, error)) from error
        except (asyncio.CancelledError, GeneratorExit) as left:
            if (why := self._why_cut(request)) is None:
                raise
            outcome = why.reason
            raise RequestFailed(why, _facts(run, why)) from left
        except Exception as error:
            fault = InternalFault()
            outcome = fault.reason
            raise RequestFailed(fault, _facts(run, fault)) from error
        finally:
            self._observer.request_finished(
                RequestFinished(
                    request=request,
                    is_stream=is_stream,
                    plan=run.plan,
                    attempts=tuple(run.attempts),
                    latency_s=run.latency_s(),
                    delivered_chunks=run.delivered_chunks,
                    outcome=outcome,
                    trace=trace,
                )
            )

    def _plan(self, request: Request) -> Plan:
        if time.monotonic() >= request.deadline:
            raise CallerDeadline(Stage.ADMISSION)
        found = plan(request, self._view(), self._rng)
        if not found.targets:
            raise _nobody(request, found)
        return found

    def _why_cut(self, request: Request) -> SignalboxError | None:
        """Why a call is cancelled from outside: we stop, or its time is over while it waits for its reader. None: its
        caller left.
        """
        if self._admission.has_given_up:
            return Draining("this router stopped before the call was done")
        is_late = time.monotonic() >= request.deadline - CLOCK_SLACK_S
        return CallerDeadline(Stage.STREAM) if is_late else None

    def _attempts_allowed(self, request: Request) -> int:
        if request.routing.disable_fallback:
            return 1
        return min(self._max_attempts, request.routing.max_attempts or self._max_attempts)


def _nobody(request: Request, found: Plan) -> SignalboxError:
    """Waiting helps where a rate limit is all that keeps somebody out; else only the operator, or another request."""
    if blocked := [t for t in found.view.catalog.targets if found.rejected[t.id] is Rejection.BLOCKED]:
        return _all_blocked({t.provider.name: found.standing(t) for t in blocked})
    counts = Counter(reason.value for reason in found.rejected.values())
    first = [(target, reason.value) for target, reason in list(found.rejected.items())[:FIRST_REJECTIONS]]
    return NoTarget(_why_nobody(request, found), rejected=counts, first=first)


def _all_blocked(standings: Mapping[str, Standing]) -> SignalboxError:
    reasons = {provider: s.block_reason for provider, s in standings.items() if s.block_reason is not None}
    if set(reasons.values()) == {BlockReason.CREDENTIALS}:
        return CredentialsRefused(blocked=reasons)
    waits = [s.blocked_for_s for s in standings.values() if s.block_reason is BlockReason.RATE_LIMITED]
    return ProvidersBlocked(blocked=reasons, retry_after_s=min(waits, default=None))


def _why_nobody(request: Request, found: Plan) -> str:
    if not found.view.catalog.targets:
        return "no target is configured; add a provider to the configuration"
    if not found.view.catalog.named(request.routing.model):
        return f"no target answers to the model {request.routing.model!r}; leave it empty to let the router choose"
    counts = Counter(reason.value for reason in found.rejected.values())
    return "no target may serve this request; rejected: " + ", ".join(f"{n} by {r}" for r, n in counts.items())


def _facts(run: Run, error: SignalboxError) -> Facts:
    return Facts(
        request_id=run.request.request_id,
        target=run.attempts[-1].target.id if run.attempts else "",
        attempts=len(run.attempts),
        stage=_stage(run, error),
        delivered_chunks=run.delivered_chunks,
        was_sent=run.was_sent,
        maybe_billed=any(a.maybe_billed for a in run.attempts),
    )


def _stage(run: Run, error: SignalboxError) -> Stage:
    match error:
        case AttemptsFailed():
            return error.last.stage
        case Draining() if run.delivered_chunks:
            return Stage.STREAM
        case Draining() if run.was_sent:
            return Stage.FIRST_BYTE
        case StreamInterrupted():
            return Stage.STREAM
        case CallerDeadline() | UpstreamError():
            return error.stage
        case NoTarget() | ProvidersBlocked() | CredentialsRefused():
            return Stage.SELECT
        case _:
            return Stage.ADMISSION
