"""Logs as JSON lines on stderr: one for each finished request, and whatever a module has to say."""

from __future__ import annotations

import json
import logging
import sys
import time

from router_service.core.events import AttemptFinished, RequestFinished

LEVELS = ("debug", "info", "warning", "error")
requests = logging.getLogger("router_service.requests")


def setup(level: str) -> None:
    """Send this process's log to stderr from `level` upwards; one of debug, info, warning, error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("asyncio", "opentelemetry", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, then the fields of the record's `fields`. No traceback: its text may tell."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _said(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= fields
        return json.dumps(line, ensure_ascii=False, default=str)


def _said(record: logging.LogRecord) -> str:
    """asyncio reports a lost exception with its repr from the second line on, which may hold a prompt or a key."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


class RequestLog:
    """Implements Observer: one line for each request, with what was decided and what came of it; never its content."""

    def attempt_started(self, target: str) -> None:
        """Nothing to say yet."""

    def attempt_finished(self, event: AttemptFinished) -> None:
        """Said with the request."""

    def request_finished(self, event: RequestFinished) -> None:
        if not requests.isEnabledFor(logging.INFO):
            return
        fields = {
            "request_id": event.request.request_id,
            "outcome": event.outcome,
            "stream": event.is_stream,
            "target": event.attempts[-1].target.id if event.attempts else "",
            "attempts": [f"{a.target.id}:{a.error_reason or a.outcome.name}" for a in event.attempts],
            "latency_ms": round(event.latency_s * 1000, 3),
            "cost_usd_nanos": sum(a.cost_usd_nanos for a in event.attempts),
            "input_tokens": sum(a.usage.input_tokens for a in event.attempts if a.usage),
            "output_tokens": sum(a.usage.output_tokens for a in event.attempts if a.usage),
            "delivered_chunks": event.delivered_chunks,
            "health_source": event.plan.view.snapshot.source.value if event.plan else "none",
        }
        requests.info("request finished", extra={"fields": fields})
