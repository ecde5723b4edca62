"""The picture of a trace, from a real run's spans: who is in it, its scale, and that it comes out the same."""

from __future__ import annotations

import re

import pytest

from benchmarks.trace_picture import BARS_FROM, BARS_TO, picture
from benchmarks.traced import Trace, is_failed, traced_failover

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trace() -> Trace:
    return traced_failover()


def test_a_failover_is_traced_from_the_caller_to_the_probe(trace: Trace) -> None:
    assert trace.served.span.parent_span_id == trace.caller.span.span_id
    assert [a.span.parent_span_id for a in trace.attempts] == [trace.served.span.span_id] * 2
    assert [is_failed(a) for a in trace.attempts] == [True, False]
    assert trace.probe.span.trace_id != trace.served.span.trace_id
    assert [received.service for received in (trace.caller, trace.served, trace.probe)] == [
        "caller",
        "signalbox-router",
        "signalbox-prober",
    ]


def test_the_picture_names_all_and_is_the_same_each_time(trace: Trace) -> None:
    drawn = picture(trace)
    said = re.findall(r">([^<]+)</text>", drawn)
    for words in ("caller", "signalbox.v1.Router/Complete", "link", "HTTP 503", "attempt 1, alder", "attempt 2, birch"):
        assert any(words in text for text in said), words
    assert trace.probe.span.name in said
    assert picture(trace) == drawn


def test_the_picture_is_to_scale(trace: Trace) -> None:
    boxes = re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="22"', picture(trace))
    (caller_x, caller_width), (served_x, served_width) = [(float(x), float(width)) for x, width in boxes[:2]]
    assert (caller_x, caller_width) == (BARS_FROM, BARS_TO - BARS_FROM)
    caller, served = trace.caller.span, trace.served.span
    share = (served.end_time_unix_nano - served.start_time_unix_nano) / (
        caller.end_time_unix_nano - caller.start_time_unix_nano
    )
    assert served_width / caller_width == pytest.approx(share, abs=0.001)
    assert served_x >= caller_x
