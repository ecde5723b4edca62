"""When a provider wants to be asked again, in all the forms that vendors write it, sensible or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.providers.retry_after import MAX_S, retry_after_s

DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
EPOCH_S = 1_795_262_400
"""DATE as an epoch time."""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("0", 0.0, id="at-once"),
        pytest.param("2", 2.0, id="seconds"),
        pytest.param("2.5", 2.5, id="fraction"),
        pytest.param(" 7 ", 7.0, id="blanks"),
        pytest.param("300", 300.0, id="limit"),
        pytest.param("301", 300.0, id="over-the-limit"),
        pytest.param("1000000000", 300.0, id="absurd"),
        pytest.param("1e9", 300.0, id="absurd-exponent"),
        pytest.param("1e308", 300.0, id="absurd-epoch"),
        pytest.param("-1", None, id="negative"),
        pytest.param("-1e308", None, id="very-negative"),
        pytest.param("soon", None, id="word"),
        pytest.param("", None, id="empty"),
        pytest.param("nan", None, id="nan"),
        pytest.param("inf", None, id="infinite"),
        pytest.param("1e400", None, id="overflow"),
        pytest.param("Sat, 21 Nov 2026 12:00:42 GMT", 42.0, id="http-date"),
        pytest.param("Sat, 21 Nov 2026 11:59:00 GMT", 0.0, id="http-date-past"),
        pytest.param("Sun, 22 Nov 2026 12:00:00 GMT", 300.0, id="http-date-far"),
        pytest.param("Saturday, 21-Nov-26 12:00:42 GMT", 42.0, id="rfc-850-date"),
        pytest.param("Sat, 21 Nov 99999 12:00:00 GMT", None, id="http-date-of-no-year"),
        pytest.param("Sat, 21 Nov 2026 12:00:00 +9999999999999999999", None, id="http-date-of-no-zone"),
        pytest.param("Sat, 32 Nov 2026 12:00:00 GMT", None, id="http-date-of-no-day"),
        pytest.param("1s", 1.0, id="go-seconds"),
        pytest.param("100ms", 0.1, id="go-millis"),
        pytest.param("2.5s", 2.5, id="go-fraction"),
        pytest.param("1m30s", 90.0, id="go-minutes"),
        pytest.param("6m0s", 300.0, id="go-six-minutes"),
        pytest.param("1h2m3s", 300.0, id="go-hours"),
        pytest.param("10h17m5.7s", 300.0, id="go-long"),
        pytest.param("1d", 300.0, id="go-day"),
        pytest.param("9" * 400 + "s", 300.0, id="go-absurd"),
        pytest.param("1x", None, id="go-of-no-unit"),
        pytest.param("-5s", None, id="go-negative"),
        pytest.param("2026-11-21T12:00:42Z", 42.0, id="rfc-3339"),
        pytest.param("2026-11-21T13:00:42+01:00", 42.0, id="rfc-3339-zone"),
        pytest.param("2026-11-21T12:00:42.5Z", 42.5, id="rfc-3339-fraction"),
        pytest.param("2026-11-21T12:00:42", 42.0, id="rfc-3339-without-zone"),
        pytest.param("0001-01-01T00:00:00+23:59", 0.0, id="rfc-3339-long-past"),
        pytest.param("9999-12-31T23:59:59-23:59", 300.0, id="rfc-3339-far"),
        pytest.param(f"{EPOCH_S + 42}", 42.0, id="epoch-seconds"),
        pytest.param(f"{(EPOCH_S + 42) * 1000}", 42.0, id="epoch-millis"),
        pytest.param(f"{EPOCH_S - 5}", 0.0, id="epoch-past"),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text, "date": DATE}) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="silent"),
        pytest.param({"retry-after-ms": "1500"}, 1.5, id="millis"),
        pytest.param({"retry-after-ms": "250.5", "retry-after": "9"}, 0.2505, id="millis-first"),
        pytest.param({"retry-after-ms": "1e9"}, 300.0, id="absurd-millis"),
        pytest.param({"retry-after-ms": "soon", "retry-after": "9"}, 9.0, id="millis-of-no-sense"),
        pytest.param({"retry-after-ms": "-1", "retry-after": "9"}, 9.0, id="negative-millis"),
        pytest.param({"retry-after-ms": "-1"}, None, id="negative-millis-alone"),
        pytest.param({"retry-after-ms": "nan"}, None, id="no-millis"),
        pytest.param({"x-ratelimit-reset-requests": "1s"}, None, id="a-window-is-no-wish"),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == pytest.approx(seconds)


@pytest.mark.parametrize("date", ["", "never", "Sat, 21 Nov 2026 12:00:00 +9999999999999999999"])
def test_own_clock_where_the_answer_has_no_date(date: str) -> None:
    assert retry_after_s({"retry-after": "Fri, 01 Jan 1999 00:00:00 GMT", "date": date}) == 0.0
    assert retry_after_s({"retry-after": "9990-01-01T00:00:00Z", "date": date}) == MAX_S


PIECES = st.lists(
    st.sampled_from([*"0123456789.-+eE:TZ ,", "ms", "s", "h", "Nov", "GMT", "2026", "21", "Sat,"]), max_size=12
)


@given(st.text(max_size=40) | PIECES.map("".join), st.text(max_size=30), st.text(max_size=40) | PIECES.map("".join))
def test_any_text_gives_a_wait_within_bounds_or_none(text: str, millis: str, date: str) -> None:
    wait = retry_after_s({"retry-after": text, "retry-after-ms": millis, "date": date})
    assert wait is None or 0.0 <= wait <= MAX_S
