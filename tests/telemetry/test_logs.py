"""The log: JSON lines that tell what was decided, and nothing of what was said."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from router_service.telemetry.logs import JsonFormatter

CANARY = "CANARY-7f3a"


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
