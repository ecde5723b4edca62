"""What an OpenAI-style failure means: HTTP status, error code and error text to one of our errors.

Nothing of a vendor's body ever goes into an error's text: it may repeat the prompt or the key.
"""

from __future__ import annotations

import msgspec

from router_service.core.errors import (
    BadCredentials,
    BadResponse,
    ContentFiltered,
    ContextTooLong,
    ModelMissing,
    MoneyGone,
    RateLimited,
    Redirected,
    RequestRejected,
    ServerFailed,
    Stage,
    UpstreamError,
)
from router_service.providers.dialect import HttpHead
from router_service.providers.retry_after import retry_after_s

_MONEY = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded"}
    | {"project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached", "3036"}
)
_CONTEXT = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_POLICY = frozenset({"content_filter", "content_policy_violation"})
_MODERATION = frozenset({"reasons", "flagged_input"})
_MODEL = frozenset({"model_not_found", "model_decommissioned", "5007"})
_BUSY = frozenset({"3040"})
_RATE = frozenset({"rate_limit_exceeded", "rate_limit_error", "slow_down", "429"})
_CONTEXT_TEXTS = (
    "maximum context length is",
    "exceed context limit",
    "model's maximum context limit",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    "exceeds the available context size",
    "exceeds the maximum number of tokens allowed",
    "prompt is too long",
)
_CONTEXT_STATUSES = frozenset({400, 413, 422})
_TRANSIENT = frozenset({408, 409, 424, 498})
_MAX_WRAPPINGS = 4


def failure(head: HttpHead, body: bytes) -> UpstreamError:
    """An answer that is no success, by the retry table that all dialects share.

    A status of 200 comes here too where the answer has not the form that was asked for: then the vendor may have
    worked for it, and what the body says of itself counts.
    """
    status, said = head.status, _read(body)
    if 300 <= status < 400:
        return Redirected(
            f"redirected with {status}, which is never followed", stage=Stage.FIRST_BYTE, status_code=status
        )
    is_success = status < 300
    kind = _kind(_said_status(said, status) if is_success else status, said)
    wait = retry_after_s(head.headers) if issubclass(kind, RateLimited | ServerFailed) else None
    return kind(
        _text(kind, status),
        stage=Stage.FIRST_BYTE,
        status_code=status,
        maybe_billed=is_success,
        retry_after_s=wait,
    )


def inside_success(error: object) -> UpstreamError:
    """An error that came inside a 200, in a unary body or as a stream's event; `error` is its JSON, decoded."""
    return _inside_success(_said(error))


def told_inside_success(error: bytes) -> UpstreamError:
    """The same of an error that is not decoded yet, and may be no JSON: what comes as an error is one."""
    return _inside_success(_read(error))


def _said_status(said: _Said, status: int) -> int:
    """What an answer with a status of success says of itself; 0 where that is an error of no status."""
    return said.status or (0 if said.is_error else status)


def _inside_success(said: _Said) -> UpstreamError:
    kind = _kind(said.status, said)
    return kind(
        "the provider reported an error inside its answer", stage=Stage.STREAM, status_code=200, maybe_billed=True
    )


class _Said(msgspec.Struct):
    """What a vendor's error says of itself; all of it optional and of any type, since clones write all sorts."""

    code: str = ""
    type: str = ""
    message: str = ""
    is_error: bool = False
    is_moderated: bool = False

    @property
    def status(self) -> int:
        """The code where it is an HTTP status, else 0."""
        return int(self.code) if len(self.code) == 3 and self.code.isdecimal() else 0

    def is_any(self, names: frozenset[str]) -> bool:
        return self.code in names or self.type in names


def _read(body: bytes) -> _Said:
    try:
        return _said(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Said()


def _said(value: object) -> _Said:
    """Clones wrap an error in lists and in objects, each of them a few deep at most."""
    is_error = isinstance(value, dict) and value.get("object") == "error"
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(value, list) and value:
            value = value[0]
        elif isinstance(value, dict) and isinstance(
            inner := value.get("error") or value.get("errors"), dict | list | str
        ):
            value, is_error = inner, True
    if isinstance(value, str):
        return _Said(message=value, is_error=is_error)
    if not isinstance(value, dict):
        return _Said(is_error=is_error)
    text = value.get("message") or value.get("detail")
    code, kind, metadata = value.get("code"), value.get("type"), value.get("metadata")
    return _Said(
        code=str(code) if isinstance(code, str | int) else "",
        type=kind if isinstance(kind, str) else "",
        message=text if isinstance(text, str) else "",
        is_error=is_error,
        is_moderated=isinstance(metadata, dict) and not _MODERATION.isdisjoint(metadata),
    )


def _kind(status: int, said: _Said) -> type[UpstreamError]:
    """The codes first, since money, policy and context hide behind 400 and 429; then the status."""
    if said.is_any(_MONEY) or status == 402:
        return MoneyGone
    if said.is_any(_CONTEXT) or status == 413 or _says_too_long(status, said):
        return ContextTooLong
    if said.is_any(_POLICY) or said.is_moderated:
        return ContentFiltered
    if said.is_any(_MODEL) or status == 404:
        return ModelMissing
    if said.is_any(_BUSY):
        return ServerFailed
    if status == 429 or said.is_any(_RATE):
        return RateLimited
    if status in (401, 403) or said.is_any(frozenset({"invalid_api_key"})):
        return BadCredentials
    if status in _TRANSIENT or status >= 500 or status == 0:
        return ServerFailed
    return RequestRejected if status >= 400 else BadResponse


def _says_too_long(status: int, said: _Said) -> bool:
    """By its text, which counts where the request was refused for what it is, or where there is no status to go by."""
    if said.code == "string_above_max_length" or (status >= 300 and status not in _CONTEXT_STATUSES):
        return False
    text = said.message.lower()
    return any(phrase in text for phrase in _CONTEXT_TEXTS)


def _text(kind: type[UpstreamError], status: int) -> str:
    texts = {
        MoneyGone: "the provider says that credit or a spending limit is used up",
        ContextTooLong: "the provider says that the prompt is longer than the model's context",
        ContentFiltered: "the provider's content filter refused the request",
        ModelMissing: "the provider does not know the model",
        RateLimited: "the provider's rate limit is reached",
        BadCredentials: "the provider refused our credentials",
        ServerFailed: "the provider failed",
        RequestRejected: "the provider rejected the request",
        BadResponse: "the provider's answer makes no sense",
    }
    return f"{texts[kind]} (HTTP {status})"
