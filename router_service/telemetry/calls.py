"""A server span for each call, by the RPC conventions, under the caller's W3C trace context where it sent one."""

from __future__ import annotations

import re
from contextvars import ContextVar
from random import Random
from typing import Any

import grpc
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")
TRACE_KEYS = frozenset({"traceparent", "tracestate"})
SERVER_FAULTS = frozenset(
    {grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED}
    | {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS}
)
"""Codes that count as a server's error in its span; the others are the caller's doing or its choice."""

_NOBODY = NonRecordingSpan(SpanContext(0, 0, is_remote=False))
_CURRENT: ContextVar[Span] = ContextVar("current_call_span", default=_NOBODY)


def current_span() -> Span:
    """The span of the call that this task serves; one that records nothing where calls are not traced."""
    return _CURRENT.get()


class CallTracing:
    """Begins and ends spans by hand: a `with` around a stream's yields would end it in the wrong context."""

    def __init__(self, provider: TracerProvider, *, sample_ratio: float, rng: Random) -> None:
        self._tracer: Tracer = provider.get_tracer("signalbox.rpc")
        self._propagator = TraceContextTextMapPropagator()
        self._sample_ratio = sample_ratio
        self._rng = rng

    def begin(self, method: str, context: grpc.aio.ServicerContext[Any, Any] | None) -> Span | None:
        """The call's span, or None where its trace is not sampled: as the caller decided, else by the ratio. Without a
        `context` by the ratio alone and in a trace of its own: whoever is not let in decides nothing.

        The decision comes first because nearly all calls end with it: a span that is thrown away costs ten times more.
        """
        metadata = () if context is None else context.invocation_metadata() or ()
        carrier = {str(k): str(v) for k, v in metadata if k in TRACE_KEYS}
        if not self._is_sampled(carrier.get("traceparent", "")):
            return None
        parent = self._propagator.extract(carrier) if carrier else None
        name = method.removeprefix("/")
        span = self._tracer.start_span(
            name,
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": name},
        )
        _CURRENT.set(span)
        return span

    def _is_sampled(self, traceparent: str) -> bool:
        """By the last bit of the flags that end a W3C traceparent; one that makes no sense counts as none."""
        if (well_formed := TRACEPARENT.fullmatch(traceparent)) is not None:
            return bool(int(well_formed[1], 16) & 1)
        return self._rng.random() < self._sample_ratio

    def end(self, span: Span, code: grpc.StatusCode) -> None:
        span.set_attribute("rpc.response.status_code", code.name)
        if code in SERVER_FAULTS:
            span.set_attribute("error.type", code.name)
            span.set_status(Status(StatusCode.ERROR))
        span.end()
