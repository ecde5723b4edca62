"""The log: JSON lines that tell what was decided, and nothing of what was said."""

from __future__ import annotations

import json
import logging
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from router_service.telemetry.logs import JsonFormatter

CANARY = "CANARY-7f3a"
PATIENCE_S = 10.0


def written(message: str, *arguments: object, level: int = logging.INFO, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("router_service.x", level, __file__, 1, message, arguments, exc_info)
    return JsonFormatter().format(record)


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


def test_process_logs_to_stderr_from_its_level_upwards() -> None:
    program = """
import logging
from router_service.telemetry import logs
logs.setup("warning")
logging.getLogger("router_service.x").info("quiet")
logging.getLogger("router_service.x").warning("loud %s", "and clear")
grpc = logging.getLogger("grpc._cython.cygrpc")
grpc.error("ExecuteBatchError raised in core by servicer method [/x]")
grpc.error("something else")
try:
    raise RuntimeError("CANARY-7f3a")
except RuntimeError:
    logging.getLogger("router_service.x").exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ["loud and clear", "something else", "failed"]
    assert done.stdout == ""
    assert CANARY not in done.stderr


@contextmanager
def logging_unread(lines: int) -> Iterator[subprocess.Popen[str]]:
    """A process that has written so many lines of a thousand characters, none of which was read so far."""
    program = f"""
import logging
from router_service.telemetry import logs
logs.setup("info")
for _ in range({lines}):
    logging.getLogger("router_service.x").info("x" * 1000)
print("done", flush=True)
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            assert select.select([running.stdout], [], [], PATIENCE_S)[0], "it hangs in its log"
            assert running.stdout.readline() == "done\n"
            yield running
        finally:
            running.kill()


def test_process_whose_log_nobody_reads_goes_on_and_ends() -> None:
    with logging_unread(1000) as running:
        assert running.wait(PATIENCE_S) == 0


def test_lost_lines_are_told_of() -> None:
    with logging_unread(20_000) as running:
        assert running.stderr is not None
        lines = [json.loads(line) for line in running.stderr]
    told = [line for line in lines if line["logger"] == "router_service.telemetry.logs"]
    assert told
    assert {line["level"] for line in told} == {"warning"}
    assert all("were lost here: they were written faster than they were read" in line["message"] for line in told)
    assert sum(int(line["message"].split()[0]) for line in told) == 20_000 - (len(lines) - len(told))
