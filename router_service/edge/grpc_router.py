"""The Router service over gRPC: reads a request, lets the service serve it, writes what came of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
from signalbox.v1 import router_pb2, router_pb2_grpc

from router_service.core.attempt import Answer
from router_service.core.chat import Prompt
from router_service.core.deadline import finish_by
from router_service.core.errors import Facts, RequestFailed, SignalboxError, SlowReader
from router_service.core.events import Observer, RequestFinished, RouteFinished
from router_service.core.overhead import Overhead
from router_service.core.request import Request
from router_service.core.settings import MIB, RoutingSettings, ServerSettings
from router_service.edge import plans, requests, responses
from router_service.edge.requests import USUAL_CANDIDATES, Arrival, Limits
from router_service.rpc.access import current_caller
from router_service.rpc.request_id import REQUEST_ID, new_request_id
from router_service.rpc.unbuilt import refuse_unbuilt
from router_service.service.router import Router
from router_service.service.said import Said, Started
from router_service.telemetry.calls import current_span

ROUTER = "signalbox.v1.Router"
NO_PROMPT = Prompt(messages=())
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class GrpcRouter(router_pb2_grpc.RouterServicer):
    """Methods that are not overridden here answer UNIMPLEMENTED."""

    def __init__(self, router: Router, *, server: ServerSettings, routing: RoutingSettings, observer: Observer) -> None:
        self._router = router
        self._server = server
        self._observer = observer
        self._limits = Limits(max_prompt_bytes=server.max_prompt_mib * MIB, max_attempts=routing.max_attempts)
        refuse_unbuilt(self, router_pb2_grpc.RouterServicer)

    def adopt(self, *, max_attempts: int) -> None:
        """Let requests ask for so many attempts from now on."""
        self._limits = replace(self._limits, max_attempts=max_attempts)

    async def Route(self, request: router_pb2.RouteRequest, context: Context) -> router_pb2.RouteResponse:
        asked = self._question(request, context)
        is_full = request.view == router_pb2.PLAN_VIEW_FULL
        found = await self._router.route(asked, current_span(), may_be_empty=is_full)
        overhead_s = 0.0 if asked.arrived is None else time.monotonic() - asked.arrived
        await context.send_initial_metadata((("x-signalbox-request-id", asked.request_id),))
        context.set_trailing_metadata(responses.plan_trailers(found, overhead_s=overhead_s))
        most = request.max_candidates if request.HasField("max_candidates") else USUAL_CANDIDATES
        return router_pb2.RouteResponse(plan=plans.plan(found, candidates=most if is_full else 0))

    async def Complete(self, request: router_pb2.CompleteRequest, context: Context) -> router_pb2.CompleteResponse:
        answer = await self._router.complete(self._read(request, context, is_stream=False), current_span())
        await context.send_initial_metadata((("x-signalbox-request-id", answer.request_id),))
        context.set_trailing_metadata(responses.trailers(answer))
        return responses.answer(answer, request.plan_view)

    async def StreamComplete(self, request: router_pb2.StreamCompleteRequest, context: Context) -> None:  # type: ignore[override]
        """Writes instead of yielding, so that a caller who leaves ends this task, and with it the upstream call.

        A caller who stops reading holds a provider no longer than `slow_reader_s`, and never beyond its deadline.
        """
        asked = self._read(request.request, context, is_stream=True)
        events = self._router.stream(asked, current_span())
        async with aclosing(events):
            async for event in events:
                try:
                    message = responses.event(event, asked.request_id, request.request.plan_view)
                except Exception as error:
                    await events.athrow(error)
                    raise
                patient_until = time.monotonic() + self._server.slow_reader_s
                try:
                    async with asyncio.timeout_at(min(patient_until, asked.deadline)):
                        await _write(event, message, asked.request_id, context)
                except TimeoutError:
                    if patient_until < asked.deadline:
                        await events.athrow(SlowReader(self._server.slow_reader_s))
                    raise

    def _question(self, pb: router_pb2.RouteRequest, context: Context) -> Request:
        started = time.monotonic()
        arrival = self._arrival(new_request_id(), context, started)
        try:
            return requests.question(pb, arrival, self._limits)
        except SignalboxError as error:
            self._observer.route_finished(
                RouteFinished(
                    request=_unread(arrival),
                    plan=None,
                    latency_s=time.monotonic() - started,
                    outcome=error.reason,
                    trace=current_span(),
                    overhead=Overhead(read_s=time.monotonic() - started),
                )
            )
            raise RequestFailed(error, Facts(request_id=arrival.request_id)) from error

    def _read(self, pb: router_pb2.CompleteRequest, context: Context, *, is_stream: bool) -> Request:
        started = time.monotonic()
        arrival = self._arrival(requests.request_id(pb), context, started)
        try:
            return requests.completion(pb, arrival, self._limits)
        except SignalboxError as error:
            self._observer.request_finished(_refused(_unread(arrival), error, started, is_stream=is_stream))
            raise RequestFailed(error, Facts(request_id=arrival.request_id)) from error

    def _arrival(self, request_id: str, context: Context, now: float) -> Arrival:
        """The deadline is read once, at entry, and turned monotonic: a clock that is set does not move it."""
        REQUEST_ID.set(request_id)
        given_s = context.time_remaining()
        remaining_s = min(self._server.default_deadline_s if given_s is None else given_s, self._server.max_deadline_s)
        deadline = finish_by(now=now, remaining_s=remaining_s)
        return Arrival(
            request_id=request_id,
            deadline=deadline,
            arrived=now,
            tenant=current_caller().tenant,
            time_left_s=None if given_s is None else deadline - now,
        )


async def _write(event: Said, message: router_pb2.StreamCompleteResponse, request_id: str, context: Context) -> None:
    """One event of a stream, with the metadata that goes before the first and after the last of them."""
    if isinstance(event, Started):
        await context.send_initial_metadata((("x-signalbox-request-id", request_id),))
    elif isinstance(event, Answer):
        context.set_trailing_metadata(responses.trailers(event))
    await context.write(message)


def _unread(arrival: Arrival) -> Request:
    return Request(request_id=arrival.request_id, prompt=NO_PROMPT, deadline=arrival.deadline, tenant=arrival.tenant)


def _refused(unread: Request, error: SignalboxError, started: float, *, is_stream: bool) -> RequestFinished:
    """What observers hear of a request that never came to the service; the service tells of all others."""
    return RequestFinished(
        request=unread,
        is_stream=is_stream,
        plan=None,
        attempts=(),
        latency_s=time.monotonic() - started,
        delivered_chunks=0,
        outcome=error.reason,
        trace=current_span(),
        overhead=Overhead(read_s=time.monotonic() - started),
    )
