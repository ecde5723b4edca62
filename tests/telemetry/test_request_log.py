"""The line of each finished request: what was decided, nothing of what was said."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from opentelemetry.sdk.trace import TracerProvider

from router_service.core.attempt import Attempt
from router_service.core.catalog import Catalog
from router_service.core.chat import FinishReason, Usage
from router_service.core.events import RequestFinished, RouteFinished
from router_service.core.health import Source
from router_service.core.outcome import Outcome
from router_service.core.overhead import Overhead
from router_service.core.plan import Plan, SnapshotInfo, View, plan
from router_service.core.request import Request
from router_service.telemetry.line_writer import LineWriter
from router_service.telemetry.request_log import RequestLog
from tests.core.examples import KEY, prompt, target

CANARY = "CANARY-7f3a"
TARGETS = (target("a/x", key=KEY), target("b/y", key=KEY))
ASKED = Request(request_id="req-1", prompt=prompt(CANARY), deadline=1000.0, labels={"team": CANARY})


def planned() -> Plan:
    snapshot = SnapshotInfo(epoch=1, sequence=2, source=Source.PROBER)
    return plan(ASKED, View(catalog=Catalog(targets=TARGETS), snapshot=snapshot), Random(0))


def finished(
    *, is_planned: bool = True, attempts: tuple[Attempt, ...] = (), outcome: str = "OK", trace: object = None
) -> RequestFinished:
    return RequestFinished(
        request=ASKED,
        is_stream=True,
        plan=planned() if is_planned else None,
        attempts=attempts,
        latency_s=0.0123456,
        delivered_chunks=3,
        outcome=outcome,
        trace=trace,
        time_to_first_token_s=0.0075,
        overhead=Overhead(read_s=0.00025, plan_s=0.0005, call_s=0.001),
    )


def attempts() -> tuple[Attempt, ...]:
    failed = Attempt(
        number=1,
        target=TARGETS[0],
        outcome=Outcome.TIMEOUT,
        error_reason="UPSTREAM_TIMEOUT",
        error=CANARY,
        start_time=0.0,
        latency_s=1.0,
        usage=Usage(input_tokens=2, estimated=True),
        cost_usd_nanos=2_000,
        maybe_billed=True,
    )
    good = Attempt(
        number=2,
        target=TARGETS[1],
        outcome=Outcome.OK,
        start_time=1.0,
        latency_s=1.0,
        usage=Usage(input_tokens=2, output_tokens=5),
        cost_usd_nanos=7_000,
        finish_reason=FinishReason.STOP,
    )
    return failed, good


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="router_service.requests")


def written(*events: RequestFinished | RouteFinished) -> list[dict[str, object]]:
    """The lines of requests and decisions, as they come out of the process."""
    reading, writing = os.pipe()
    writer = LineWriter(writing, lambda lost: b"%d" % lost)
    try:
        log = RequestLog(writer)
        for event in events:
            if isinstance(event, RouteFinished):
                log.route_finished(event)
            else:
                log.request_finished(event)
    finally:
        writer.close()
        os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    assert CANARY not in text
    assert KEY not in text
    return [json.loads(line) for line in text.splitlines()]


def test_request_tells_what_was_decided_and_what_came_of_it() -> None:
    (line,) = written(finished(attempts=attempts()))
    assert {k: v for k, v in line.items() if k not in ("time", "level", "logger", "message")} == {
        "request_id": "req-1",
        "trace_id": "",
        "tenant": "",
        "outcome": "OK",
        "stream": True,
        "target": "b/y",
        "attempts": ["a/x:UPSTREAM_TIMEOUT", "b/y:OK"],
        "finish_reason": "stop",
        "latency_ms": 12.346,
        "first_token_ms": 7.5,
        "overhead_ms": 1.75,
        "cost_usd_nanos": 9_000,
        "maybe_billed": True,
        "input_tokens": 4,
        "output_tokens": 5,
        "usage_estimated": True,
        "delivered_chunks": 3,
        "decision_id": "",
        "strategy": "points",
        "rule": "",
        "task": "",
        "complexity": "",
        "inferred": False,
        "health_source": "prober",
        "health_epoch": 1,
        "health_sequence": 2,
        "rejected": {},
    }
    moment = datetime.fromisoformat(str(line["time"]))
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 5


def test_decision_has_a_line_of_its_own() -> None:
    event = finished()
    assert event.plan is not None
    plan = replace(event.plan, decision_id="dec-1")
    route = RouteFinished(request=event.request, plan=plan, latency_s=0.0012345, outcome="OK", trace=None)
    (line,) = written(route)
    assert {k: v for k, v in line.items() if k not in ("time", "level", "logger")} == {
        "message": "route finished",
        "request_id": "req-1",
        "trace_id": "",
        "tenant": "",
        "outcome": "OK",
        "target": "a/x",
        "latency_ms": 1.234,
        "overhead_ms": 0.0,
        "decision_id": "dec-1",
        "strategy": "points",
        "rule": "",
        "task": "",
        "complexity": "",
        "inferred": False,
        "health_source": "prober",
        "health_epoch": 1,
        "health_sequence": 2,
    }
    (refused,) = written(replace(route, plan=None, outcome="NO_ELIGIBLE_TARGET"))
    assert (refused["outcome"], refused["target"], refused["decision_id"]) == ("NO_ELIGIBLE_TARGET", "", "")


@pytest.mark.parametrize("outcome", ["CREDENTIALS", "ROLE"])
def test_who_was_kept_out_writes_no_line_of_a_request(outcome: str) -> None:
    event = finished(is_planned=False, outcome=outcome)
    route = RouteFinished(request=event.request, plan=None, latency_s=0.0, outcome=outcome, trace=None)
    assert written(event) == written(route) == []


def test_request_that_got_nowhere_has_its_line_too() -> None:
    (line,) = written(finished(is_planned=False, outcome="ROUTER_OVERLOADED"))
    assert (line["outcome"], line["target"], line["attempts"]) == ("ROUTER_OVERLOADED", "", [])
    assert line["health_source"] == "none"


def test_line_of_a_traced_request_names_its_trace() -> None:
    span = TracerProvider().get_tracer("test").start_span("call")
    (line,) = written(finished(trace=span))
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"


def test_nobody_who_is_well_served_is_told_whom_else_there_was() -> None:
    (line,) = written(finished(attempts=attempts()[1:]))
    assert "rejected" not in line


def test_nothing_is_written_where_the_level_is_higher(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="router_service.requests")
    assert written(finished()) == []
