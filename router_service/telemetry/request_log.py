"""One log line for each finished request or decision: what was decided and what came of it, never its content."""

from __future__ import annotations

import logging
import time

import msgspec

from router_service.core.chat import Delta
from router_service.core.events import AttemptFinished, AttemptStarted, RequestFinished, RouteFinished
from router_service.telemetry.line_writer import LineWriter

LOGGER = "router_service.requests"


class RequestLog:
    """Implements Observer. Silent where the log's level is above info."""

    def __init__(self, lines: LineWriter) -> None:
        self._lines = lines
        self._is_on = logging.getLogger(LOGGER).isEnabledFor(logging.INFO)
        self._encode = msgspec.json.Encoder().encode
        self._second = 0
        self._second_text = ""

    def attempt_started(self, call: AttemptStarted) -> None:
        """Nothing to say yet."""

    def attempt_heard(self, call: AttemptStarted, delta: Delta) -> None:
        """Nothing to say yet."""

    def attempt_waits(self, call: AttemptStarted) -> None:
        """Nothing to say yet."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """Said with the request."""

    def request_finished(self, event: RequestFinished) -> None:
        if self._is_on:
            self._lines.put(self._encode(self._line(event)))

    def route_finished(self, event: RouteFinished) -> None:
        if self._is_on:
            self._lines.put(self._encode(self._route_line(event)))

    def _line(self, event: RequestFinished) -> dict[str, object]:
        attempts = event.attempts
        return {
            "time": self._time(),
            "level": "info",
            "logger": LOGGER,
            "message": "request finished",
            "request_id": event.request.request_id,
            "outcome": event.outcome,
            "stream": event.is_stream,
            "target": attempts[-1].target.id if attempts else "",
            "attempts": [f"{a.target.id}:{a.error_reason or a.outcome.name}" for a in attempts],
            "latency_ms": round(event.latency_s * 1000, 3),
            "cost_usd_nanos": sum([a.cost_usd_nanos for a in attempts]),
            "input_tokens": sum([a.usage.input_tokens for a in attempts if a.usage]),
            "output_tokens": sum([a.usage.output_tokens for a in attempts if a.usage]),
            "delivered_chunks": event.delivered_chunks,
            "health_source": event.plan.view.snapshot.source.value if event.plan else "none",
        }

    def _route_line(self, event: RouteFinished) -> dict[str, object]:
        plan = event.plan
        return {
            "time": self._time(),
            "level": "info",
            "logger": LOGGER,
            "message": "route finished",
            "request_id": event.request.request_id,
            "outcome": event.outcome,
            "target": plan.targets[0].id if plan and plan.targets else "",
            "decision_id": plan.decision_id if plan else "",
            "strategy": plan.strategy if plan else "",
            "rule": plan.rule if plan else "",
            "latency_ms": round(event.latency_s * 1000, 3),
            "health_source": plan.view.snapshot.source.value if plan else "none",
        }

    def _time(self) -> str:
        """UTC to the millisecond; the part down to the second is made once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"
