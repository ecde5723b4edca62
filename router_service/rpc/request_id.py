"""The id by which a caller, the log and the traces name one request."""

from __future__ import annotations

from contextvars import ContextVar
from secrets import token_hex

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that this task serves, for the statuses that are made where only the frame is left."""


def new_request_id() -> str:
    """Random, so that nobody can guess another's."""
    return f"req-{token_hex(12)}"
