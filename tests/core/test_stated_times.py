"""Times as providers state them, by both that read them: the wait that they ask for, and the reset of a limit.

Both read the same forms. They differ in their bounds, and in a negative number: as a wait it means nothing, as a reset
it means now.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.ratelimit_headers import MAX_RESET_S, announced_limits
from router_service.core.stated_times import seconds_until
from router_service.providers.retry_after import MAX_S, retry_after_s

DATE = "Wed, 18 Nov 2026 11:06:40 GMT"
NOW_S = 1_795_000_000.0
"""DATE as an epoch time."""
LIMIT = {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "1"}


def wait_s(text: str, date: str = DATE) -> float | None:
    return retry_after_s({"retry-after": text, "date": date})


def reset_s(text: str, date: str = DATE) -> float | None:
    (only,) = announced_limits({**LIMIT, "x-ratelimit-reset-requests": text, "date": date}, wall_s=NOW_S)
    return only.resets_in_s


@pytest.mark.parametrize(
    ("text", "wait", "reset"),
    [
        pytest.param("0", 0.0, 0.0, id="now"),
        pytest.param("2.5", 2.5, 2.5, id="seconds"),
        pytest.param(" 7 ", 7.0, 7.0, id="blanks"),
        pytest.param("-5", None, 0.0, id="negative"),
        pytest.param("301", MAX_S, 301.0, id="over-the-longest-wait"),
        pytest.param("1e9", MAX_S, MAX_RESET_S, id="the-largest-number-of-seconds"),
        pytest.param("1795000060", 60.0, 60.0, id="epoch"),
        pytest.param("1795000060000", 60.0, 60.0, id="epoch-millis"),
        pytest.param("1794999995", 0.0, 0.0, id="epoch-past"),
        pytest.param("1e308", MAX_S, MAX_RESET_S, id="absurd"),
        pytest.param("100ms", 0.1, 0.1, id="go-millis"),
        pytest.param("1m30.5s", 90.5, 90.5, id="go-fraction"),
        pytest.param("1d2h3m4s5ms", MAX_S, 93_784.005, id="go-every-unit"),
        pytest.param("1m1m1m1m1s1s", 242.0, 242.0, id="go-many-parts"),
        pytest.param("1.1234567891s", 1.1234567891, 1.1234567891, id="go-many-decimals"),
        pytest.param("9" * 400 + "s", MAX_S, MAX_RESET_S, id="go-absurd"),
        pytest.param("-5s", None, None, id="go-negative"),
        pytest.param("1x", None, None, id="go-of-no-unit"),
        pytest.param("1 s", None, None, id="go-with-a-blank"),
        pytest.param("2026-11-18T11:07:40Z", 60.0, 60.0, id="rfc-3339"),
        pytest.param("2026-11-18T12:07:40.5+01:00", 60.5, 60.5, id="rfc-3339-zone"),
        pytest.param("2026-11-18T11:07:40", 60.0, 60.0, id="rfc-3339-without-zone"),
        pytest.param("0001-01-01T00:00:00+23:59", 0.0, 0.0, id="rfc-3339-long-past"),
        pytest.param("9999-12-31T23:59:59-23:59", MAX_S, MAX_RESET_S, id="rfc-3339-far"),
        pytest.param("Wed, 18 Nov 2026 11:07:40 GMT", 60.0, 60.0, id="http-date"),
        pytest.param("Wednesday, 18-Nov-26 11:07:40 GMT", 60.0, 60.0, id="rfc-850-date"),
        pytest.param("Thu, 19 Nov 2026 11:06:40 GMT", MAX_S, 86_400.0, id="http-date-tomorrow"),
        pytest.param("Wed, 18 Nov 2026 11:06:00 GMT", 0.0, 0.0, id="http-date-past"),
        pytest.param("Wed, 32 Nov 2026 12:00:00 GMT", None, None, id="http-date-of-no-day"),
        pytest.param("soon", None, None, id="word"),
        pytest.param("nan", None, None, id="nan"),
        pytest.param("inf", None, None, id="infinite"),
        pytest.param("", None, None, id="empty"),
    ],
)
def test_a_wait_and_a_reset_are_read_alike(text: str, wait: float | None, reset: float | None) -> None:
    assert wait_s(text) == (wait if wait is None else pytest.approx(wait, abs=1e-4))
    assert reset_s(text) == (reset if reset is None else pytest.approx(reset, abs=1e-4))


@pytest.mark.parametrize("date", ["", "never", "1795000000", "Sat, 21 Nov 2026 12:00:00 +9999999999999999999"])
def test_without_a_date_the_wall_clock_counts(date: str) -> None:
    assert seconds_until("2026-11-18T11:07:40Z", date=date, wall_s=NOW_S) == 60.0


def test_a_date_counts_even_where_it_is_the_epoch() -> None:
    assert seconds_until("1970-01-01T00:01:00Z", date="Thu, 01 Jan 1970 00:00:00 GMT", wall_s=NOW_S) == 60.0


PIECES = st.lists(
    st.sampled_from([*"0123456789.-+eE:TZ ,", "ms", "s", "h", "Nov", "GMT", "2026", "21", "Sat,"]), max_size=12
)


@given(st.text(max_size=40) | PIECES.map("".join), st.text(max_size=40) | PIECES.map("".join))
def test_any_text_is_a_number_of_seconds_or_none(text: str, date: str) -> None:
    seconds = seconds_until(text, date=date, wall_s=NOW_S)
    assert seconds is None or seconds == seconds
