"""One log line for each finished request or decision: what was decided and what came of it, never its content."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from opentelemetry.trace import Span, format_trace_id

from router_service.core.attempt import telling
from router_service.core.errors import NotAllowed, Unauthenticated
from router_service.core.events import AttemptFinished, RequestFinished, RouteFinished
from router_service.core.health import Source
from router_service.core.plan import Plan
from router_service.telemetry.line_writer import LineWriter

LOGGER = "router_service.requests"
OK = "OK"
KEPT_OUT = frozenset({Unauthenticated.reason, NotAllowed.reason})
"""Told of where it happens, now and then: whoever has no key would else write the log."""


class RequestLog:
    """Implements Observer. Silent where the log's level is above info."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._is_on = logging.getLogger(LOGGER).isEnabledFor(logging.INFO)
        self._encode = msgspec.json.Encoder().encode
        self._second = 0
        self._second_text = ""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """Said with the request."""

    def request_finished(self, event: RequestFinished) -> None:
        if self._is_on and event.outcome not in KEPT_OUT:
            self._lines.put(self._encode(self._line(event)))

    def route_finished(self, event: RouteFinished) -> None:
        if self._is_on and event.outcome not in KEPT_OUT:
            self._lines.put(self._encode(self._route_line(event)))

    def _line(self, event: RequestFinished) -> dict[str, object]:
        attempts = event.attempts
        last = telling(attempts)
        usages = [a.usage for a in attempts if a.usage]
        first_token_s = event.time_to_first_token_s
        return {
            "time": self._time(),
            "level": "info",
            "logger": LOGGER,
            "message": "request finished",
            "request_id": event.request.request_id,
            "trace_id": _trace_id(event.trace),
            "tenant": event.request.tenant,
            "outcome": event.outcome,
            "stream": event.is_stream,
            "target": last.target.id if last else "",
            "attempts": [f"{a.target.id}:{a.error_reason or a.outcome.name}" for a in attempts],
            "finish_reason": last.finish_reason.value if last and last.finish_reason else "",
            "latency_ms": _milliseconds(event.latency_s),
            "first_token_ms": None if first_token_s is None else _milliseconds(first_token_s),
            "overhead_ms": _milliseconds(event.overhead.total_s),
            "cost_usd_nanos": sum([a.cost_usd_nanos for a in attempts]),
            "maybe_billed": any(a.maybe_billed for a in attempts),
            "input_tokens": sum([u.input_tokens for u in usages]),
            "output_tokens": sum([u.output_tokens for u in usages]),
            "usage_estimated": any(u.estimated for u in usages),
            "delivered_chunks": event.delivered_chunks,
            **_decision(event.plan, is_puzzling=event.outcome != OK or len(attempts) > 1),
        }

    def _route_line(self, event: RouteFinished) -> dict[str, object]:
        plan = event.plan
        return {
            "time": self._time(),
            "level": "info",
            "logger": LOGGER,
            "message": "route finished",
            "request_id": event.request.request_id,
            "trace_id": _trace_id(event.trace),
            "tenant": event.request.tenant,
            "outcome": event.outcome,
            "target": plan.targets[0].id if plan and plan.targets else "",
            "latency_ms": _milliseconds(event.latency_s),
            "overhead_ms": _milliseconds(event.overhead.total_s),
            **_decision(plan, is_puzzling=event.outcome != OK),
        }

    def _time(self) -> str:
        """UTC to the millisecond; the part down to the second is made once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"


def _decision(plan: Plan | None, *, is_puzzling: bool) -> Mapping[str, object]:
    """What was decided, and on what grounds. Whom the gates kept out is counted where somebody may want to know."""
    if plan is None:
        return _UNDECIDED
    task, complexity = plan.task_type, plan.complexity
    decision: dict[str, object] = {
        "decision_id": plan.decision_id,
        "strategy": plan.strategy,
        "rule": plan.rule,
        "task": task.value if task else "",
        "complexity": complexity.value if complexity else "",
        "inferred": plan.is_inferred,
        "health_source": plan.view.snapshot.source.value,
        "health_epoch": plan.view.snapshot.epoch,
        "health_sequence": plan.view.snapshot.sequence,
    }
    if is_puzzling:
        decision["rejected"] = {reason.value: count for reason, count in plan.rejected_counts.items()}
    return decision


_UNDECIDED: Mapping[str, object] = MappingProxyType(
    {
        **dict.fromkeys(("decision_id", "strategy", "rule", "task", "complexity"), ""),
        "inferred": False,
        "health_source": Source.NONE.value,
    }
)


def _trace_id(trace: object) -> str:
    """The id by which the request's trace is found; empty where it is not kept."""
    if not isinstance(trace, Span) or not trace.is_recording():
        return ""
    return format_trace_id(trace.get_span_context().trace_id)


def _milliseconds(duration_s: float) -> float:
    return round(duration_s * 1000, 3)
