"""Logs as JSON lines on stderr: whatever a module has to say. Requests have lines of their own (request_log.py)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from router_service.telemetry.line_writer import LineWriter

STDERR = 2
GRPC = "grpc._cython.cygrpc"
LEVELS = ("debug", "info", "warning", "error")


def setup(level: str) -> LineWriter:
    """Send this process's log to stderr from `level` upwards; one of debug, info, warning, error.

    Returns the writer of its lines, for those who write lines of their own. It is closed when the process exits.
    """
    formatter = JsonFormatter()
    writer = LineWriter(STDERR, _lost_line(formatter))
    handler = LineHandler(writer)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("asyncio", "opentelemetry", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger(GRPC).addFilter(_is_no_lost_caller)
    return writer


def _is_no_lost_caller(record: logging.LogRecord) -> bool:
    """gRPC takes it for an error, with a traceback, that a status could not be sent to a caller who has just left."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")


class LineHandler(logging.Handler):
    """Hands each record over as a line. `logging` itself closes it at exit, and with it the writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.put(self.format(record).encode("utf-8", "backslashreplace"))
        except Exception:  # noqa: BLE001 - as every handler of logging: what cannot be said stops nobody
            self.handleError(record)

    def close(self) -> None:
        self._writer.close()
        super().close()


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


def _lost_line(formatter: logging.Formatter) -> Callable[[int], bytes]:
    def line(lost: int) -> bytes:
        text = "%d log lines were lost here: they were written faster than they were read"
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (lost,), None)
        return formatter.format(record).encode()

    return line
