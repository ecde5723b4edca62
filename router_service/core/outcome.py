"""How an attempt ended, and what that says about its target."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """One word for each way an upstream call can end."""

    OK = "ok"
    CALLER_ERROR = "caller_error"
    CONTEXT_TOO_LONG = "context_too_long"
    CONTENT_FILTERED = "content_filtered"
    CREDENTIALS = "credentials"
    MONEY = "money"
    MODEL_MISSING = "model_missing"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    BAD_RESPONSE = "bad_response"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


FAILURES = frozenset(
    {Outcome.SERVER_ERROR, Outcome.TIMEOUT, Outcome.CONNECT, Outcome.BAD_RESPONSE, Outcome.INTERRUPTED}
    | {Outcome.MODEL_MISSING, Outcome.CREDENTIALS}
)
"""Outcomes that count against a target. Money and rate limits block its provider instead; a caller's own error,
a filter's no and a call that was cut short by its caller say nothing about the target."""


class BlockReason(Enum):
    """Why a provider is not called for a while although it may be well."""

    RATE_LIMITED = "rate_limited"
    MONEY = "money"
    CREDENTIALS = "credentials"
    OVERLOADED = "overloaded"
    """It failed, and said when it wants to be called again."""


BLOCKS = {
    Outcome.RATE_LIMITED: BlockReason.RATE_LIMITED,
    Outcome.MONEY: BlockReason.MONEY,
    Outcome.CREDENTIALS: BlockReason.CREDENTIALS,
}
