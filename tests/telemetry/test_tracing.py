"""Spans on their way out: those left at the end are sent, too many are dropped and counted, and nobody waits."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from router_service.telemetry.tracing import SHUTDOWN_S, BoundedSpans, Losses
from tests.harness.collector import collecting
from tests.harness.processes import wait_until

PATIENCE_S = 20.0
PROGRAM = """
import sys
from router_service.telemetry import otlp, tracing
to = otlp.Collector(sys.argv[1])
spans = tracing.setup(to, otlp.resource("test"), tracing.Losses(), has_content=False)
spans.get_tracer("test").start_span("last").end()
tracing.shutdown(spans, within_s=float(sys.argv[2]))
"""


@pytest.fixture(params=["silent", "closed"])
def no_collector(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address where connections are taken and nothing is said, or one where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        if request.param == "silent":
            bound.listen()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def ended_after_s(endpoint: str, within_s: float) -> float:
    """How long a process lives that makes one span, with so much time for its end."""
    began = time.monotonic()
    command = [sys.executable, "-c", PROGRAM, endpoint, str(within_s)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    return time.monotonic() - began


def test_the_last_span_is_sent_at_the_end() -> None:
    with collecting() as (collector, endpoint):
        ended_after_s(endpoint, SHUTDOWN_S)
        assert [s.span.name for s in collector.spans] == ["last"]


def test_a_collector_that_is_none_delays_the_end_no_longer_than_it_may(no_collector: str) -> None:
    assert ended_after_s(no_collector, 0.3) < 2.5


def test_the_bound_is_the_one_that_was_promised() -> None:
    assert SHUTDOWN_S < 5


class Gate(SpanExporter):
    """Takes spans once it is open."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.is_open = threading.Event()
        self.taken: list[str] = []
        self._result = result

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.is_open.wait(PATIENCE_S)
        self.taken += [span.name for span in spans]
        return self._result


def ended(gate: Gate, losses: Losses, *, spans: int, most: int) -> TracerProvider:
    """So many spans, named by their numbers, through a queue with room for `most`."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BoundedSpans(gate, losses, most=most))
    for number in range(spans):
        provider.get_tracer("test").start_span(str(number)).end()
    return provider


def test_what_is_too_much_is_dropped_and_counted_to_the_last() -> None:
    gate, losses = Gate(), Losses()
    provider = ended(gate, losses, spans=1000, most=100)
    gate.is_open.set()
    provider.shutdown()
    assert losses.spans["queue"] == 1000 - len(gate.taken)
    assert 100 <= len(gate.taken) <= 200, "as many as may wait, and those that were on their way"
    numbers = [int(name) for name in gate.taken]
    assert numbers[:100] == list(range(100)), "the first are kept, the new ones dropped"
    assert numbers == sorted(numbers)


def test_what_was_not_taken_is_counted_too() -> None:
    gate, losses = Gate(SpanExportResult.FAILURE), Losses()
    gate.is_open.set()
    provider = ended(gate, losses, spans=10, most=100)
    wait_until(lambda: losses.spans["export"] == 10, within_s=PATIENCE_S, what="the loss is counted")
    assert losses.link.is_lost
    provider.shutdown()
