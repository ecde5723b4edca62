"""What each vendor's style says of limits: headers, status and body."""

from __future__ import annotations

import json

import pytest

from router_service.core.simulation import Limit, LimitStyle, LimitUnit, WindowLength
from router_service.simulator.limit_answers import (
    LimitRefusal,
    Moment,
    go_duration,
    limit_fields,
    refuse_for_concurrency,
    refuse_for_limit,
)
from router_service.simulator.windows import Cost, Window, take_from_all

NOW = Moment(window_s=100.0, epoch_s=1_800_000_000.0)
COST = Cost(tokens=40, neurons=7)


def windows(*limits: str) -> list[Window]:
    """Return windows from texts such as `30 requests minute`, each with one request counted 15 s ago."""
    made: list[Window] = []
    for text in limits:
        maximum, unit, per = text.split()
        made.append(Window(Limit(unit=LimitUnit(unit), per=WindowLength(per), max=int(maximum))))
    take_from_all(made, COST, NOW.window_s - 15.0)
    return made


def fields_of(lines: bytes) -> dict[str, str]:
    """Return header lines by name."""
    return dict(line.split(": ") for line in lines.decode().split("\r\n") if line)


def refused(style: LimitStyle, *limits: str) -> LimitRefusal:
    """Return the answer to a request that does not fit."""
    made = windows(*limits)
    full = take_from_all(made, COST, NOW.window_s)
    assert full is not None
    return refuse_for_limit(style, made, full, COST, model="m", now=NOW)


@pytest.mark.parametrize(
    ("style", "limits", "expected"),
    [
        (
            "openai",
            ["30 requests minute", "1000 tokens minute"],
            {
                "x-ratelimit-limit-requests": "30",
                "x-ratelimit-remaining-requests": "29",
                "x-ratelimit-reset-requests": "45s",
                "x-ratelimit-limit-tokens": "1000",
                "x-ratelimit-remaining-tokens": "960",
                "x-ratelimit-reset-tokens": "45s",
            },
        ),
        (
            "openai",
            ["3 requests minute", "1000 requests day"],
            {
                "x-ratelimit-limit-requests": "3",
                "x-ratelimit-remaining-requests": "2",
                "x-ratelimit-reset-requests": "45s",
            },
        ),
        (
            "groq",
            ["3 requests minute", "14400 requests day", "6000 tokens minute", "100 tokens hour"],
            {
                "x-ratelimit-limit-requests": "14400",
                "x-ratelimit-remaining-requests": "14399",
                "x-ratelimit-reset-requests": "23h59m45s",
                "x-ratelimit-limit-tokens": "6000",
                "x-ratelimit-remaining-tokens": "5960",
                "x-ratelimit-reset-tokens": "45s",
            },
        ),
        (
            "groq",
            ["3 requests minute"],
            {
                "x-ratelimit-limit-requests": "3",
                "x-ratelimit-remaining-requests": "2",
                "x-ratelimit-reset-requests": "45s",
            },
        ),
        (
            "mistral",
            ["60 requests minute", "500000 tokens minute", "1000000000 tokens month"],
            {
                "x-ratelimit-limit-req-minute": "60",
                "x-ratelimit-remaining-req-minute": "59",
                "x-ratelimit-limit-tokens-minute": "500000",
                "x-ratelimit-remaining-tokens-minute": "499960",
                "x-ratelimit-limit-tokens-month": "1000000000",
                "x-ratelimit-remaining-tokens-month": "999999960",
                "x-ratelimit-tokens-query-cost": "40",
            },
        ),
        (
            "openrouter",
            ["200 requests day"],
            {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "199", "X-RateLimit-Reset": "1800086385000"},
        ),
        ("cloudflare", ["10000 neurons day"], {}),
        ("openai", ["10000 neurons day"], {}),
        ("none", ["30 requests minute"], {}),
    ],
)
def test_answer_tells_what_is_left(style: str, limits: list[str], expected: dict[str, str]) -> None:
    assert fields_of(limit_fields(LimitStyle(style), windows(*limits), COST, NOW)) == expected


@pytest.mark.parametrize("style", ["openai", "groq", "none"])
def test_refusal_in_openais_form(style: str) -> None:
    refusal = refused(LimitStyle(style), "1 requests minute")
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")
    assert "requests per minute (RPM): Limit 1, Used 1, Requested 1. Please try again in 45s." in error["message"]
    fields = fields_of(refusal.fields)
    assert fields.get("retry-after") == (None if style == "none" else "45")
    assert fields.get("retry-after-ms") == ("45000" if style == "openai" else None)
    assert fields.get("x-ratelimit-remaining-requests") == (None if style == "none" else "0")


@pytest.mark.parametrize(("style", "status"), [("openai", 429), ("groq", 413)])
def test_request_that_can_never_fit_is_told_without_a_wait(style: str, status: int) -> None:
    refusal = refused(LimitStyle(style), "39 tokens minute")
    error = json.loads(refusal.body)["error"]
    assert (refusal.status, error["type"]) == (status, "tokens")
    assert "Request too large for model `m` on tokens per minute (TPM): Limit 39, Requested 40." in error["message"]
    assert b"retry-after" not in refusal.fields


def test_refusal_of_mistral() -> None:
    refusal = refused(LimitStyle.MISTRAL, "1 requests minute")
    assert (refusal.status, json.loads(refusal.body)["message"]) == (429, "Requests rate limit exceeded")
    assert fields_of(refusal.fields)["retry-after"] == "45"


def test_refusal_of_openrouter_repeats_its_headers() -> None:
    refusal = refused(LimitStyle.OPENROUTER, "1 requests day")
    error = json.loads(refusal.body)["error"]
    expected = {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800086385000"}
    assert (error["code"], error["metadata"]["headers"]) == (429, expected)
    assert fields_of(refusal.fields) == {**expected, "retry-after": "86385"}


@pytest.mark.parametrize(("limit", "code"), [("7 neurons day", 3036), ("7 neurons hour", 971), ("1 requests day", 971)])
def test_refusal_of_cloudflare_has_its_envelope(limit: str, code: int) -> None:
    refusal = refused(LimitStyle.CLOUDFLARE, limit)
    body = json.loads(refusal.body)
    assert (refusal.status, body["success"], body["errors"][0]["code"]) == (429, False, code)


@pytest.mark.parametrize("style", list(LimitStyle))
def test_refusal_for_concurrency(style: LimitStyle) -> None:
    refusal = refuse_for_concurrency(style, most=50)
    body = json.loads(refusal.body)
    assert refusal.status == 429
    assert (fields_of(refusal.fields).get("retry-after") is None) is (style is LimitStyle.NONE)
    if style is LimitStyle.CLOUDFLARE:
        assert body["errors"][0]["code"] == 3040
    else:
        assert "50" in body["error"]["message"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.12, "120ms"),
        (0.9999, "1s"),
        (2.5, "2.5s"),
        (59.9996, "1m0s"),
        (360.0, "6m0s"),
        (3723.0, "1h2m3s"),
        (86_399.0, "23h59m59s"),
        (86_400.0, "24h0m0s"),
    ],
)
def test_duration_in_the_way_of_go(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
