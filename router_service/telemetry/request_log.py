"""One log line for each finished request: what was decided and what came of it, never its content."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress

import msgspec

from router_service.core.events import AttemptFinished, RequestFinished

LOGGER = "router_service.requests"
FLUSH_S = 0.05
MAX_HELD_LINES = 1_000


class LineSink:
    """Gathers lines and writes many at once: a write for each would be a tenth of a request's cost.

    A process that is killed takes the lines of its last FLUSH_S seconds along.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: list[bytes] = []

    def put(self, line: bytes) -> None:
        self._held.append(line)
        if len(self._held) == 1:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        elif len(self._held) >= MAX_HELD_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is held. Lines that nobody takes any more are lost: a log must stop no request."""
        if not self._held:
            return
        data = memoryview(b"\n".join(self._held) + b"\n")
        self._held = []
        with suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]


class RequestLog:
    """Implements Observer. Silent where the log's level is above info."""

    def __init__(self, sink: LineSink) -> None:
        self._sink = sink
        self._is_on = logging.getLogger(LOGGER).isEnabledFor(logging.INFO)
        self._encode = msgspec.json.Encoder().encode
        self._second = 0
        self._second_text = ""

    def attempt_started(self, target: str) -> None:
        """Nothing to say yet."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """Said with the request."""

    def request_finished(self, event: RequestFinished) -> None:
        if self._is_on:
            self._sink.put(self._encode(self._line(event)))

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

    def _time(self) -> str:
        """UTC to the millisecond; the part down to the second is made once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int((now - second) * 1000):03d}Z"
