"""Rate-limit headers as vendors send them, and as they do not mean to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.quota import Unit
from router_service.core.ratelimit_headers import MAX_RESET_S, AnnouncedLimit, announced_limits
from router_service.core.windows import Per

NOW_S = 1_795_000_000.0  # 2026-11-18T11:06:40Z


def found(headers: dict[str, str]) -> set[AnnouncedLimit]:
    return set(announced_limits(headers, wall_s=NOW_S))


def stated(
    unit: Unit, per: Per | None, limit: int | None, remaining: int | None, resets_in_s: float | None = None
) -> AnnouncedLimit:
    return AnnouncedLimit(unit=unit, per=per, limit=limit, remaining=remaining, resets_in_s=resets_in_s)


REQUESTS, TOKENS = Unit.REQUESTS, Unit.TOKENS
VENDORS = {
    "openai": (
        {
            "x-ratelimit-limit-requests": "5000",
            "x-ratelimit-remaining-requests": "4999",
            "x-ratelimit-reset-requests": "12ms",
            "x-ratelimit-limit-tokens": "800000",
            "x-ratelimit-remaining-tokens": "799000",
            "x-ratelimit-reset-tokens": "6m0.5s",
        },
        {stated(REQUESTS, None, 5000, 4999, 0.012), stated(TOKENS, None, 800_000, 799_000, 360.5)},
    ),
    "groq": (
        {"x-ratelimit-limit-requests": "14400", "x-ratelimit-remaining-requests": "14370", "retry-after": "2"},
        {stated(REQUESTS, None, 14_400, 14_370)},
    ),
    "azure": (
        {
            "x-ratelimit-limit-requests": "-1",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-remaining-tokens": "119000",
            "x-ratelimit-limit-tokens": "120000",
            "x-ratelimit-reset-tokens": "30",
        },
        {stated(TOKENS, None, 120_000, 119_000, 30.0)},
    ),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-11-18T11:06:41Z",
            "anthropic-ratelimit-tokens-limit": "48000",
            "anthropic-ratelimit-tokens-remaining": "40000",
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "1000",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-18T11:07:40+00:00",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
        },
        {stated(REQUESTS, Per.MINUTE, 50, 49, 1.0), stated(TOKENS, Per.MINUTE, 40_000, 1_000, 60.0)},
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-minute": "60",
            "x-ratelimit-remaining-req-minute": "59",
            "x-ratelimit-limit-tokens-minute": "500000",
            "x-ratelimit-remaining-tokens-minute": "499000",
            "x-ratelimit-tokens-query-cost": "1000",
        },
        {stated(REQUESTS, Per.MINUTE, 60, 59), stated(TOKENS, Per.MINUTE, 500_000, 499_000)},
    ),
    "cerebras": (
        {
            "x-ratelimit-limit-requests-day": "1000",
            "x-ratelimit-remaining-requests-day": "0",
            "x-ratelimit-reset-requests-day": "33011.38",
        },
        {stated(REQUESTS, Per.DAY, 1000, 0, 33011.38)},
    ),
    "cohere, trial": (
        {
            "x-trial-endpoint-call-limit": "20",
            "x-trial-endpoint-call-remaining": "19",
            "x-endpoint-monthly-call-limit": "1000",
        },
        {stated(REQUESTS, Per.MINUTE, 20, 19), stated(REQUESTS, Per.MONTH, 1000, None)},
    ),
    "together": (
        {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "9",
            "x-ratelimit-reset": "1",
            "x-tokenlimit-limit": "3000",
            "x-tokenlimit-remaining": "2500",
            "x-tokenlimit-reset": "1",
        },
        {stated(REQUESTS, Per.SECOND, 10, 9, 1.0), stated(TOKENS, Per.SECOND, 3000, 2500, 1.0)},
    ),
    "openrouter": (
        {"x-ratelimit-limit": "200", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795003600000"},
        {stated(REQUESTS, None, 200, 0, 3600.0)},
    ),
    "fireworks, served over the limit": (
        {
            "x-ratelimit-limit-requests": "600",
            "x-ratelimit-remaining-requests": "580",
            "x-ratelimit-limit-tokens-prompt": "60000",
            "x-ratelimit-remaining-tokens-prompt": "0",
            "x-ratelimit-limit-tokens-generated": "6000",
            "x-ratelimit-remaining-tokens-generated": "5000",
            "x-ratelimit-over-limit": "yes",
        },
        {stated(REQUESTS, None, 600, 12), stated(TOKENS, None, 60_000, 0)},
    ),
    "deepseek, and most of the rest": ({"content-type": "application/json", "x-request-id": "1"}, set()),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_vendors_send_is_understood(vendor: str) -> None:
    headers, expected = VENDORS[vendor]
    assert found(headers) == expected


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("100ms", 0.1),
        ("1h2m3s", 3723.0),
        ("2.5s", 2.5),
        ("1d", 86_400.0),
        ("7", 7.0),
        ("0.25", 0.25),
        ("-5", 0.0),
        ("1795000060", 60.0),
        ("1795000060000", 60.0),
        ("2026-11-18T11:07:40Z", 60.0),
        ("2026-11-18T11:07:40", 60.0),
        ("Wed, 18 Nov 2026 11:07:40 GMT", 60.0),
        ("2026-11-18T11:06:00Z", 0.0),
        ("1e30", MAX_RESET_S),
        ("99999999d", MAX_RESET_S),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("1x", None),
    ],
)
def test_resets_come_in_many_forms(reset: str, seconds: float | None) -> None:
    headers = {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "1"}
    (only,) = announced_limits({**headers, "x-ratelimit-reset-requests": reset}, wall_s=NOW_S)
    assert only.resets_in_s == (seconds if seconds is None else pytest.approx(seconds, abs=1e-6))


def test_a_time_of_day_is_measured_by_the_answers_own_date() -> None:
    headers = {
        "date": "Wed, 18 Nov 2026 10:00:00 GMT",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-reset": "2026-11-18T10:00:30Z",
    }
    assert found(headers) == {stated(REQUESTS, Per.MINUTE, 50, None, 30.0)}


@pytest.mark.parametrize("nonsense", ["-1", "", "many", "nan", "1e400", "0x10"])
def test_counts_that_make_no_sense_are_left_out(nonsense: str) -> None:
    assert found({"x-ratelimit-remaining-requests": nonsense, "x-ratelimit-limit-requests": nonsense}) == set()


NAMES = st.sampled_from(sorted({name for headers, _ in VENDORS.values() for name in headers} | {"date"}))


@given(headers=st.dictionaries(NAMES, st.text(max_size=30) | st.floats().map(str) | st.dates().map(str)))
def test_no_headers_are_an_error(headers: dict[str, str]) -> None:
    for each in announced_limits(headers, wall_s=NOW_S):
        assert each.limit is None or each.limit > 0
        assert each.remaining is None or each.remaining >= 0
        assert each.resets_in_s is None or 0 <= each.resets_in_s <= MAX_RESET_S
