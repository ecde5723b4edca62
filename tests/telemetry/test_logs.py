"""The log: JSON lines that tell what was decided, and nothing of what was said."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime
from random import Random

import pytest

from router_service.core.attempt import Attempt
from router_service.core.catalog import Catalog
from router_service.core.chat import Usage
from router_service.core.events import RequestFinished
from router_service.core.health import Source
from router_service.core.outcome import Outcome
from router_service.core.plan import Plan, SnapshotInfo, View, plan
from router_service.core.request import Request
from router_service.telemetry.logs import JsonFormatter, RequestLog
from tests.core.examples import KEY, prompt, target

CANARY = "CANARY-7f3a"
TARGETS = (target("a/x", key=KEY), target("b/y", key=KEY))
ASKED = Request(request_id="req-1", prompt=prompt(CANARY), deadline=1000.0, labels={"team": CANARY})


def written(message: str, *arguments: object, level: int = logging.INFO, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("router_service.x", level, __file__, 1, message, arguments, exc_info)
    return JsonFormatter().format(record)


def planned() -> Plan:
    snapshot = SnapshotInfo(epoch=1, sequence=2, source=Source.PROBER)
    return plan(ASKED, View(catalog=Catalog(targets=TARGETS), snapshot=snapshot), Random(0))


def finished(*, is_planned: bool = True, attempts: tuple[Attempt, ...] = (), outcome: str = "OK") -> RequestFinished:
    return RequestFinished(
        request=ASKED,
        is_stream=True,
        plan=planned() if is_planned else None,
        attempts=attempts,
        latency_s=0.0123456,
        delivered_chunks=3,
        outcome=outcome,
        trace=None,
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
    )
    good = Attempt(
        number=2,
        target=TARGETS[1],
        outcome=Outcome.OK,
        start_time=1.0,
        latency_s=1.0,
        usage=Usage(input_tokens=2, output_tokens=5),
        cost_usd_nanos=7_000,
    )
    return failed, good


def logged(caplog: pytest.LogCaptureFixture, event: RequestFinished) -> dict[str, object]:
    """The line of a request, as it is written."""
    with caplog.at_level(logging.INFO, logger="router_service.requests"):
        RequestLog().request_finished(event)
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    for secret in (CANARY, KEY):
        assert secret not in line
    decoded = json.loads(line)
    assert isinstance(decoded, dict)
    return decoded


def test_line_is_one_json_object() -> None:
    text = written("two\nlines, %s and \u2028 %d%%", "żółć", 5, level=logging.WARNING)
    assert "\n" not in text
    line = json.loads(text)
    assert list(line) == ["time", "level", "logger", "message"]
    assert (line["level"], line["logger"]) == ("warning", "router_service.x")
    assert line["message"] == "two\nlines, żółć and \u2028 5%"


def test_time_is_utc_to_the_millisecond() -> None:
    before = datetime.now(UTC)
    text = json.loads(written("now"))["time"]
    assert text.endswith("Z")
    assert abs((datetime.fromisoformat(text) - before).total_seconds()) < 5
    assert len(text) == len("2026-11-21T12:00:00.000Z")


def test_exception_is_named_and_its_text_kept_back() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(CANARY)
    text = written("failed", error=caught.value)
    assert json.loads(text)["error"] == "RuntimeError"
    assert CANARY not in text
    assert "Traceback" not in text


def test_values_that_are_no_json_are_written_as_text() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "m", (), None)
    record.fields = {"source": Source.PROBER, "number": 7}
    line = json.loads(JsonFormatter().format(record))
    assert (line["source"], line["number"]) == ("Source.PROBER", 7)


def test_request_tells_what_was_decided_and_what_came_of_it(caplog: pytest.LogCaptureFixture) -> None:
    line = logged(caplog, finished(attempts=attempts()))
    assert {k: v for k, v in line.items() if k not in ("time", "level", "logger", "message")} == {
        "request_id": "req-1",
        "outcome": "OK",
        "stream": True,
        "target": "b/y",
        "attempts": ["a/x:UPSTREAM_TIMEOUT", "b/y:OK"],
        "latency_ms": 12.346,
        "cost_usd_nanos": 9_000,
        "input_tokens": 4,
        "output_tokens": 5,
        "delivered_chunks": 3,
        "health_source": "prober",
    }


def test_request_that_got_nowhere_has_its_line_too(caplog: pytest.LogCaptureFixture) -> None:
    line = logged(caplog, finished(is_planned=False, outcome="ROUTER_OVERLOADED"))
    assert (line["outcome"], line["target"], line["attempts"]) == ("ROUTER_OVERLOADED", "", [])
    assert line["health_source"] == "none"


def test_request_costs_nothing_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="router_service.requests"):
        RequestLog().request_finished(finished())
    assert caplog.records == []


def test_process_logs_to_stderr_from_its_level_upwards() -> None:
    program = """
import logging
from router_service.telemetry import logs
logs.setup("warning")
logging.getLogger("router_service.x").info("quiet")
logging.getLogger("router_service.x").warning("loud %s", "and clear")
try:
    raise RuntimeError("CANARY-7f3a")
except RuntimeError:
    logging.getLogger("router_service.x").exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["loud and clear", "failed"]
    assert done.stdout == ""
    assert CANARY not in done.stderr
