"""What each vendor's failures mean: status, code and text to the class that decides what happens next."""

from __future__ import annotations

import json

import pytest

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
from router_service.providers.openai import OpenAIDialect

CANARY = "CANARY-7f3a"


def failure(status: int, body: object, **headers: str) -> UpstreamError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return OpenAIDialect().failure(HttpHead(status=status, headers=names), raw)


def openai(code: object = None, kind: str | None = None, message: str = CANARY) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def cloudflare(code: int) -> dict[str, object]:
    return {"success": False, "errors": [{"code": code, "message": CANARY}], "result": None}


def openrouter(code: int, **metadata: object) -> dict[str, object]:
    return {"error": {"code": code, "message": CANARY, "metadata": metadata}, "user_id": CANARY}


TABLE: list[tuple[str, int, object, type[UpstreamError]]] = [
    # The retry table that all dialects share: by status alone.
    ("generic", 400, b"", RequestRejected),
    ("generic", 401, b"", BadCredentials),
    ("generic", 402, b"", MoneyGone),
    ("generic", 403, b"", BadCredentials),
    ("generic", 404, b"", ModelMissing),
    ("generic", 405, b"", RequestRejected),
    ("generic", 408, b"", ServerFailed),
    ("generic", 409, b"", ServerFailed),
    ("generic", 413, b"", ContextTooLong),
    ("generic", 422, b"", RequestRejected),
    ("generic", 424, b"", ServerFailed),
    ("generic", 429, b"", RateLimited),
    ("generic", 498, b"", ServerFailed),
    *(("generic", status, b"", ServerFailed) for status in (500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 599)),
    ("openai", 400, openai("context_length_exceeded", "invalid_request_error"), ContextTooLong),
    ("openai", 400, openai("content_policy_violation"), ContentFiltered),
    ("azure", 400, openai("content_filter"), ContentFiltered),
    *(
        ("openai", 400, openai(code, "invalid_request_error"), RequestRejected)
        for code in ("unsupported_parameter", "unsupported_value", "invalid_value", "invalid_type", None)
    ),
    ("openai", 400, openai("string_above_max_length", message="prompt is too long"), RequestRejected),
    ("openai", 401, openai("invalid_api_key"), BadCredentials),
    ("openai", 403, openai("unsupported_country_region_territory"), BadCredentials),
    ("openai", 404, openai("model_not_found"), ModelMissing),
    ("openai", 429, openai("rate_limit_exceeded", "requests"), RateLimited),
    ("openai", 429, openai("rate_limit_exceeded", "tokens"), RateLimited),
    ("openai", 429, openai("slow_down"), RateLimited),
    ("openai", 503, openai("slow_down"), RateLimited),
    ("openai", 429, openai(None, "insufficient_quota"), MoneyGone),
    *(
        ("openai", 429, openai(code, kind), MoneyGone)
        for code in (
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
        )
        for kind in ("insufficient_quota", None)
    ),
    ("openai", 500, openai(None, "server_error"), ServerFailed),
    ("openai", 503, openai("overloaded"), ServerFailed),
    ("groq", 400, openai("tool_use_failed", "invalid_request_error"), RequestRejected),
    ("groq", 400, openai("model_decommissioned"), ModelMissing),
    ("groq", 401, openai("invalid_api_key"), BadCredentials),
    ("groq", 403, openai(), BadCredentials),
    ("groq", 404, openai("model_not_found"), ModelMissing),
    ("groq", 413, openai("rate_limit_exceeded", "tokens"), ContextTooLong),
    ("groq", 422, openai(), RequestRejected),
    ("groq", 429, openai("rate_limit_exceeded", "tokens"), RateLimited),
    ("groq", 498, openai("capacity_exceeded"), ServerFailed),
    ("groq", 503, openai(), ServerFailed),
    ("deepseek", 400, openai("invalid_request_error", "invalid_request_error"), RequestRejected),
    ("deepseek", 401, openai("invalid_request_error", "authentication_error"), BadCredentials),
    ("deepseek", 402, openai("invalid_request_error", "unknown_error"), MoneyGone),
    ("deepseek", 422, openai("invalid_request_error"), RequestRejected),
    ("deepseek", 429, openai(), RateLimited),
    ("deepseek", 500, openai(), ServerFailed),
    ("deepseek", 503, openai(), ServerFailed),
    ("openrouter", 400, openrouter(400), RequestRejected),
    ("openrouter", 401, openrouter(401), BadCredentials),
    ("openrouter", 402, openrouter(402), MoneyGone),
    ("openrouter", 403, openrouter(403), BadCredentials),
    ("openrouter", 403, openrouter(403, reasons=[CANARY], flagged_input=CANARY), ContentFiltered),
    ("openrouter", 403, openrouter(403, flagged_input=CANARY), ContentFiltered),
    ("openrouter", 408, openrouter(408), ServerFailed),
    ("openrouter", 429, openrouter(429, raw=CANARY), RateLimited),
    ("openrouter", 502, openrouter(502, provider_name=CANARY), ServerFailed),
    ("openrouter", 503, openrouter(503), ServerFailed),
    ("cloudflare", 400, cloudflare(5007), ModelMissing),
    *(("cloudflare", 400, cloudflare(code), RequestRejected) for code in (5004, 3003, 3039)),
    *(("cloudflare", 403, cloudflare(code), BadCredentials) for code in (5016, 5018, 3023, 3041)),
    ("cloudflare", 404, cloudflare(3042), ModelMissing),
    *(("cloudflare", 405, cloudflare(code), RequestRejected) for code in (5005, 5019)),
    *(("cloudflare", 408, cloudflare(code), ServerFailed) for code in (3007, 3008)),
    ("cloudflare", 413, cloudflare(3006), ContextTooLong),
    ("cloudflare", 429, cloudflare(3036), MoneyGone),
    ("cloudflare", 429, cloudflare(3040), ServerFailed),
    ("llama.cpp", 400, openai(400, "exceed_context_size_error"), ContextTooLong),
    ("llama.cpp", 503, openai(503, "unavailable_error"), ServerFailed),
    ("vllm", 400, openai(400, "BadRequestError"), RequestRejected),
    ("clone", 400, {"error": CANARY}, RequestRejected),
    ("clone", 400, {"error": "This model's maximum context length is 8 tokens"}, ContextTooLong),
    ("clone", 429, {"message": CANARY, "code": 429}, RateLimited),
    ("clone", 422, {"detail": [{"loc": ["body"], "msg": CANARY}]}, RequestRejected),
    ("clone", 400, {"detail": "prompt is too long: 9 tokens"}, ContextTooLong),
    ("clone", 400, [{"error": {"code": "context_length_exceeded", "message": CANARY}}], ContextTooLong),
    ("clone", 400, {"error": {"error": {"code": "context_length_exceeded"}}}, ContextTooLong),
    ("clone", 429, {"error": {"code": {CANARY: 1}, "type": [CANARY], "message": 7}}, RateLimited),
    ("proxy", 502, f"<html>{CANARY}</html>".encode(), ServerFailed),
    ("proxy", 403, f"<html>{CANARY}</html>".encode(), BadCredentials),
    ("proxy", 400, b"\xff\xfe" + CANARY.encode(), RequestRejected),
    ("proxy", 400, b'{"error":' * 5_000, RequestRejected),
    ("proxy", 400, b'{"error":' * 900 + b"{}" + b"}" * 900, RequestRejected),
    # A success in a form that was not asked for.
    ("wrong form", 200, f"<html>{CANARY}</html>".encode(), BadResponse),
    ("wrong form", 200, {"choices": [{"message": {"content": CANARY}}]}, BadResponse),
    ("wrong form", 200, {"error": CANARY}, ServerFailed),
    ("wrong form", 200, [{"error": {"message": CANARY}}], ServerFailed),
    ("wrong form", 200, {"object": "error", "message": CANARY}, ServerFailed),
    ("wrong form", 200, {"error": None, "choices": []}, BadResponse),
    ("wrong form", 200, {"error": {"code": 503, "message": CANARY}}, ServerFailed),
    ("wrong form", 200, {"error": {"code": "insufficient_quota", "message": CANARY}}, MoneyGone),
    ("wrong form", 202, b"", BadResponse),
    ("wrong form", 204, b"", BadResponse),
]


@pytest.mark.parametrize(("status", "body", "kind"), [pytest.param(*row[1:], id=f"{row[0]}-{row[1]}") for row in TABLE])
def test_failure(status: int, body: object, kind: type[UpstreamError]) -> None:
    error = failure(status, body)
    assert type(error) is kind
    assert (error.stage, error.status_code) == (Stage.FIRST_BYTE, status)
    assert error.maybe_billed is (status < 300)
    assert str(status) in str(error)
    assert CANARY not in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_none_of_the_others(status: int) -> None:
    error = failure(status, openai("insufficient_quota"), location=f"http://{CANARY}/")
    assert type(error) is Redirected
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens",
        "input length and `max_tokens` exceed context limit: 9 + 9 > 8",
        "The input exceeds the model's maximum context limit",
        "the prompt is longer than the model's context length",
        "Input tokens exceed the configured limit of 9 tokens",
        "the request exceeds the available context size",
        "The input token count exceeds the maximum number of tokens allowed",
        "prompt is too long: 9 tokens > 8 maximum",
    ],
)
def test_context_overflow_is_read_from_the_text_where_no_code_says_it(text: str) -> None:
    assert type(failure(400, openai(None, "invalid_request_error", text))) is ContextTooLong


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ContextTooLong),
        (413, ContextTooLong),
        (422, ContextTooLong),
        (401, BadCredentials),
        (403, BadCredentials),
        (404, ModelMissing),
        (429, RateLimited),
        (500, ServerFailed),
        (503, ServerFailed),
        (200, ContextTooLong),
    ],
)
def test_text_counts_only_where_the_request_was_refused_for_what_it_is(status: int, kind: type[UpstreamError]) -> None:
    assert type(failure(status, openai(message="prompt is too long: 9 tokens > 8 maximum"))) is kind


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [
        (429, {"retry_after": "7"}, 7.0),
        (429, {"retry_after_ms": "1500"}, 1.5),
        (429, {"retry_after": "soon"}, None),
        (429, {}, None),
        (503, {"retry_after": "2"}, 2.0),
        (400, {"retry_after": "2"}, None),
        (401, {"retry_after": "2"}, None),
    ],
)
def test_wait_is_told_where_waiting_helps(status: int, headers: dict[str, str], wait_s: float | None) -> None:
    assert failure(status, openai(), **headers).retry_after_s == wait_s
