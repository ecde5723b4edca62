"""Logs as JSON lines on stderr: whatever a module has to say. Requests have lines of their own (request_log.py)."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")


def setup(level: str) -> None:
    """Send this process's log to stderr from `level` upwards; one of debug, info, warning, error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("asyncio", "opentelemetry", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, and the class of an error. No traceback: its text may tell."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _said(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def _said(record: logging.LogRecord) -> str:
    """asyncio reports a lost exception with its repr from the second line on, which may hold a prompt or a key."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message
