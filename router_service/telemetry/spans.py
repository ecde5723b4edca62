"""A request's spans, by the GenAI conventions: one for each attempt, and what was decided on the call's own span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TracerProvider
from opentelemetry.trace import set_span_in_context as in_context

from router_service.core.attempt import Attempt
from router_service.core.chat import Delta, Generation, Usage
from router_service.core.events import AttemptFinished, AttemptStarted, RequestFinished, RouteFinished
from router_service.core.health import ProbeSpan
from router_service.core.outcome import Outcome
from router_service.core.plan import Plan
from router_service.telemetry.calls import current_span
from router_service.telemetry.content import Heard, answer, question

NANOS = 1_000_000_000
Attributes: TypeAlias = Mapping[str, str | int | float | tuple[str, ...]]


class SpanObserver:
    """Implements Observer and Listener. Attempts become spans after they ended, with the times that their record holds.

    With `shows_content` they carry what was asked and answered; streams that are traced are kept for that as they come.
    """

    def __init__(self, provider: TracerProvider, *, shows_content: bool = False) -> None:
        self._tracer = provider.get_tracer("signalbox.router")
        self._shows_content = shows_content
        self._heard: dict[AttemptStarted, Heard] = {}

    def attempt_started(self, call: AttemptStarted) -> None:
        if self._shows_content and current_span().is_recording():
            self._heard[call] = Heard()

    def attempt_heard(self, call: AttemptStarted, delta: Delta) -> None:
        if (heard := self._heard.get(call)) is not None:
            heard.add(delta)

    def attempt_waits(self, call: AttemptStarted) -> None:
        """Nothing to do: a span is made at an attempt's end."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        parent, heard = event.trace, self._heard.pop(event.started, None)
        if not isinstance(parent, Span) or not parent.is_recording():
            return
        attempt = event.attempt
        start_ns = round(attempt.start_time * NANOS)
        span = self._tracer.start_span(
            f"chat {attempt.target.model.id}",
            context=in_context(parent),
            kind=SpanKind.CLIENT,
            start_time=start_ns,
            attributes=_attributes(event, attempt),
        )
        if self._shows_content:
            finish = "error" if attempt.finish_reason is None else attempt.finish_reason.value
            span.set_attributes({**question(event.request.prompt), **answer(event.answer, heard, finish)})
        if attempt.time_to_first_token_s is not None:
            span.add_event("first_token", timestamp=start_ns + round(attempt.time_to_first_token_s * NANOS))
        if attempt.outcome is not Outcome.OK:
            span.set_attribute("error.type", attempt.error_reason or attempt.outcome.name)
            span.set_status(Status(StatusCode.ERROR, attempt.error))
        span.end(start_ns + round(attempt.latency_s * NANOS))

    def request_finished(self, event: RequestFinished) -> None:
        span = event.trace
        if not isinstance(span, Span) or not span.is_recording():
            return
        _set_request(span, event)
        span.set_attribute("signalbox.attempts", len(event.attempts))
        span.set_attribute("signalbox.cost_usd_nanos", sum(a.cost_usd_nanos for a in event.attempts))
        span.set_attribute("signalbox.overhead_s", event.overhead.total_s)
        if event.plan is None:
            return
        _set_snapshot(span, event.plan)
        for attempt in event.attempts:
            span.set_attribute("signalbox.target", attempt.target.id)
            if probe := event.plan.standing(attempt.target).probe_span:
                link = _link(probe, attempt.target.id)
                span.add_link(link.context, link.attributes)

    def route_finished(self, event: RouteFinished) -> None:
        span = event.trace
        if not isinstance(span, Span) or not span.is_recording():
            return
        _set_request(span, event)
        if event.plan is None or not event.plan.targets:
            return
        _set_snapshot(span, event.plan)
        first = event.plan.targets[0]
        span.set_attribute("signalbox.target", first.id)
        if probe := event.plan.standing(first).probe_span:
            link = _link(probe, first.id)
            span.add_link(link.context, link.attributes)


def _set_request(span: Span, event: RequestFinished | RouteFinished) -> None:
    """Whose request it was, and how it ended."""
    span.set_attribute("signalbox.request_id", event.request.request_id)
    if event.request.tenant:
        span.set_attribute("signalbox.tenant", event.request.tenant)
    span.set_attribute("signalbox.outcome", event.outcome)


def _set_snapshot(span: Span, plan: Plan) -> None:
    """Which picture of health the decision rested on."""
    snapshot = plan.view.snapshot
    span.set_attribute("signalbox.snapshot.source", snapshot.source.value)
    span.set_attribute("signalbox.snapshot.epoch", snapshot.epoch)
    span.set_attribute("signalbox.snapshot.sequence", snapshot.sequence)


def _attributes(event: AttemptFinished, attempt: Attempt) -> Attributes:
    attributes: dict[str, str | int | float | tuple[str, ...]] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": attempt.target.vendor,
        "gen_ai.request.model": attempt.target.model.id,
        "signalbox.provider": attempt.target.provider.name,
        "signalbox.attempt": attempt.number,
        "signalbox.outcome": attempt.outcome.value,
        "signalbox.cost_usd_nanos": attempt.cost_usd_nanos,
        "signalbox.maybe_billed": attempt.maybe_billed,
        **_asked(event.request.prompt.generation),
    }
    if event.request.tenant:
        attributes["signalbox.tenant"] = event.request.tenant
    if event.started.is_stream:
        attributes["gen_ai.request.stream"] = True
    if attempt.status_code:
        attributes["http.response.status_code"] = attempt.status_code
    if attempt.time_to_first_token_s is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = attempt.time_to_first_token_s
    if attempt.usage is not None:
        attributes.update(_used(attempt.usage))
    if attempt.finish_reason is not None:
        attributes["gen_ai.response.finish_reasons"] = (attempt.finish_reason.value,)
    if attempt.response_model:
        attributes["gen_ai.response.model"] = attempt.response_model
    return attributes


def _asked(generation: Generation) -> Attributes:
    """What the caller set of sampling and length; the rest is the provider's."""
    given: dict[str, str | int | float | tuple[str, ...] | None] = {
        "gen_ai.request.max_tokens": generation.max_output_tokens,
        "gen_ai.request.temperature": generation.temperature,
        "gen_ai.request.top_p": generation.top_p,
        "gen_ai.request.seed": generation.seed,
        "gen_ai.request.frequency_penalty": generation.frequency_penalty,
        "gen_ai.request.presence_penalty": generation.presence_penalty,
    }
    return {name: value for name, value in given.items() if value is not None}


def _used(usage: Usage) -> Attributes:
    attributes: dict[str, str | int | float | tuple[str, ...]] = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "signalbox.usage.estimated": usage.estimated,
    }
    if usage.cached_input_tokens:
        attributes["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input_tokens
    if usage.cache_write_tokens:
        attributes["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        attributes["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    return attributes


def _link(probe: ProbeSpan, target: str) -> Link:
    context = SpanContext(
        trace_id=int.from_bytes(probe.trace_id),
        span_id=int.from_bytes(probe.span_id),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return Link(context, {"signalbox.link": "probe", "signalbox.target": target})
