"""The story of one request. Read this first: admit, plan, execute, record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from random import Random

from router_service.core.attempt import Answer, telling
from router_service.core.errors import (
    AttemptsFailed,
    BudgetSpent,
    CallerDeadline,
    CredentialsRefused,
    Draining,
    Facts,
    InternalFault,
    NoTarget,
    ProvidersBlocked,
    ProvidersOverloaded,
    RequestFailed,
    SignalboxError,
    SlowReader,
    Stage,
    StreamInterrupted,
    TargetsSaturated,
    UnknownDecision,
    UnknownTarget,
    UpstreamError,
)
from router_service.core.events import Audience, RequestFinished, RouteFinished
from router_service.core.overhead import Overhead
from router_service.core.plan import Plan, View
from router_service.core.request import Request
from router_service.service.admission import Admission
from router_service.service.execution import Execution
from router_service.service.planning import Planning
from router_service.service.run import Run
from router_service.service.said import Said
from router_service.service.tries import CLOCK_SLACK_S


class Router:
    """Serves requests. Every error that leaves it is a RequestFailed; cancellation passes as it is.

    `view`, by the tenant's name, has the targets that can be run, `route_view` besides them those that can only be
    decided on.
    """

    def __init__(
        self,
        *,
        view: Callable[[str], View],
        route_view: Callable[[str], View],
        execution: Execution,
        admission: Admission,
        audience: Audience,
        max_attempts: int,
        rng: Random,
    ) -> None:
        self._planning = Planning(view=view, route_view=route_view, rng=rng)
        self._execution = execution
        self._admission = admission
        self._audience = audience
        self._max_attempts = max_attempts

    def adopt(self, *, max_attempts: int) -> None:
        """Allow so many attempts from now on."""
        self._max_attempts = max_attempts

    async def route(self, request: Request, trace: object, *, may_be_empty: bool) -> Plan:
        """A decision alone. With `may_be_empty` a plan without any target is an answer as well, not an error."""
        started = time.monotonic()
        found: Plan | None = None
        outcome = "CANCELLED"
        try:
            with self._admission:
                request = await self._planning.foreseen(request, is_told=True)
                request, found = self._planning.to_tell(request, may_be_empty=may_be_empty)
            outcome = "OK"
            return found
        except SignalboxError as error:
            outcome = error.reason
            raise RequestFailed(error, Facts(request_id=request.request_id, stage=_stage(None, error))) from error
        except Exception as error:
            fault = InternalFault()
            outcome = fault.reason
            raise RequestFailed(fault, Facts(request_id=request.request_id, stage=Stage.SELECT)) from error
        finally:
            self._audience.route_finished(
                RouteFinished(
                    request=request,
                    plan=found,
                    latency_s=time.monotonic() - started,
                    outcome=outcome,
                    trace=trace,
                    overhead=_route_overhead(request, started),
                )
            )

    async def complete(self, request: Request, trace: object) -> Answer:
        with self._story(request, trace, is_stream=False) as run:
            await self._plan(run)
            return await self._execution.complete(run)

    async def stream(self, request: Request, trace: object) -> AsyncGenerator[Said, None]:
        """As Execution.stream; close it to end the upstream call at once. Whoever cannot go on with it throws in why
        (`athrow`): a SignalboxError ends the call as it is, anything else as a fault of ours, and neither as if its
        caller had left.
        """
        with self._story(request, trace, is_stream=True) as run:
            await self._plan(run)
            async with aclosing(self._execution.stream(run)) as events:
                async for event in events:
                    try:
                        yield event
                    except SignalboxError as error:
                        await events.athrow(error)
                    except Exception as error:  # noqa: BLE001 - whatever is wrong with us
                        fault = InternalFault()
                        fault.__cause__ = error
                        await events.athrow(fault)

    @contextmanager
    def _story(self, request: Request, trace: object, *, is_stream: bool) -> Iterator[Run]:
        """What is the same for every request: let it in, and tell how it ended exactly once."""
        run = Run(request, audience=self._audience, trace=trace)
        outcome = "CANCELLED"
        try:
            with self._admission:
                yield run
            outcome = "OK"
        except InternalFault as ours:
            outcome = ours.reason
            raise RequestFailed(ours, _facts(run, ours)) from ours.__cause__
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
            self._audience.request_finished(
                RequestFinished(
                    request=request,
                    is_stream=is_stream,
                    plan=run.plan,
                    attempts=tuple(run.attempts),
                    latency_s=run.latency_s(),
                    delivered_chunks=run.delivered_chunks,
                    outcome=outcome,
                    trace=trace,
                    time_to_first_token_s=run.time_to_first_token_s(),
                    overhead=run.overhead(),
                )
            )

    async def _plan(self, run: Run) -> None:
        request = await self._planning.foreseen(run.request, is_told=False)
        run.follow(*self._planning.to_run(request), max_attempts=self._attempts_allowed(request))

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


def _route_overhead(request: Request, started: float) -> Overhead:
    """Nobody else has the turn in a decision, but while a large catalogue is worked out for a new kind of request."""
    read_s = 0.0 if request.arrived is None else started - request.arrived
    return Overhead(read_s, time.monotonic() - started)


def _facts(run: Run, error: SignalboxError) -> Facts:
    return Facts(
        request_id=run.request.request_id,
        target="" if (last := telling(run.attempts)) is None else last.target.id,
        attempts=len(run.attempts),
        stage=_stage(run, error),
        delivered_chunks=run.delivered_chunks,
        was_sent=run.was_sent,
        maybe_billed=any(a.maybe_billed for a in run.attempts),
        cost_usd_nanos=sum(a.cost_usd_nanos for a in run.attempts),
        overhead_s=run.overhead().total_s,
    )


def _stage(run: Run | None, error: SignalboxError) -> Stage:
    match error:
        case AttemptsFailed():
            return error.last.stage
        case Draining() if run is not None and run.delivered_chunks:
            return Stage.STREAM
        case Draining() if run is not None and run.was_sent:
            return Stage.FIRST_BYTE
        case StreamInterrupted() | SlowReader():
            return Stage.STREAM
        case CallerDeadline() | UpstreamError():
            return error.stage
        case NoTarget() | ProvidersBlocked() | ProvidersOverloaded() | CredentialsRefused() | BudgetSpent():
            return Stage.SELECT
        case TargetsSaturated() | UnknownTarget() | UnknownDecision():
            return Stage.SELECT
        case _:
            return Stage.ADMISSION
