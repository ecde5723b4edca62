"""The end of tracing: what is left is sent, and a collector that is none delays no exit."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from router_service.telemetry.tracing import SHUTDOWN_S
from tests.harness.collector import collecting

PATIENCE_S = 20.0
PROGRAM = """
import sys
from router_service.core.settings import TelemetrySettings
from router_service.telemetry import tracing
spans = tracing.setup(TelemetrySettings(otlp_endpoint=sys.argv[1], sample_ratio=1.0), service_name="test")
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
