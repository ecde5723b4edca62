"""Windows: where they begin and end by the calendar and by the clock, and what a jump of the clock does to them."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.windows import Clock, Moment, Per, Span, span_at

LONDON, NEW_YORK, BEIRUT = ZoneInfo("Europe/London"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Beirut")


def at(text: str, zone: tzinfo = UTC) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("per", "moment", "zone", "name", "hours"),
    [
        (Per.DAY, "2026-11-21T00:00:00", UTC, "2026-11-21", 24),
        (Per.DAY, "2026-11-21T23:59:59", UTC, "2026-11-21", 24),
        (Per.DAY, "2028-02-29T12:00:00", UTC, "2028-02-29", 24),
        (Per.DAY, "2026-12-31T23:59:59", UTC, "2026-12-31", 24),
        (Per.DAY, "2026-03-29T12:00:00", LONDON, "2026-03-29", 23),
        (Per.DAY, "2026-10-25T12:00:00", LONDON, "2026-10-25", 25),
        (Per.DAY, "2026-10-25T12:00:00", NEW_YORK, "2026-10-25", 24),
        (Per.DAY, "2026-03-29T12:00:00", BEIRUT, "2026-03-29", 23),
        (Per.WEEK, "2026-11-21T12:00:00", UTC, "2026-W47", 7 * 24),
        (Per.WEEK, "2027-01-01T12:00:00", UTC, "2026-W53", 7 * 24),
        (Per.WEEK, "2026-10-25T12:00:00", LONDON, "2026-W43", 7 * 24 + 1),
        (Per.MONTH, "2026-02-10T00:00:00", UTC, "2026-02", 28 * 24),
        (Per.MONTH, "2028-02-10T00:00:00", UTC, "2028-02", 29 * 24),
        (Per.MONTH, "2026-12-31T23:59:59", UTC, "2026-12", 31 * 24),
        (Per.MONTH, "2026-03-10T12:00:00", LONDON, "2026-03", 31 * 24 - 1),
    ],
)
def test_calendar_windows(per: Per, moment: str, zone: tzinfo, name: str, hours: int) -> None:
    span = span_at(per, at(moment, zone), zone)
    assert span.name == name
    assert (span.ends_s - span.begins_s) / 3600 == hours
    assert span.begins_s <= at(moment, zone) < span.ends_s


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    noon = at("2026-07-01T03:30:00")
    assert span_at(Per.DAY, noon, UTC).name == "2026-07-01"
    assert span_at(Per.DAY, noon, NEW_YORK).name == "2026-06-30"


def test_a_day_whose_midnight_is_skipped_begins_with_the_skip() -> None:
    span = span_at(Per.DAY, at("2026-03-29T12:00:00", BEIRUT), BEIRUT)
    assert datetime.fromtimestamp(span.begins_s, BEIRUT).hour == 1
    assert span_at(Per.DAY, span.begins_s - 1, BEIRUT).name == "2026-03-28"


@pytest.mark.parametrize(
    ("per", "begins", "ends"), [(Per.SECOND, 125, 126), (Per.MINUTE, 120, 180), (Per.HOUR, 0, 3600)]
)
def test_short_windows_are_aligned(per: Per, begins: float, ends: float) -> None:
    span = span_at(per, 125.25, LONDON)
    assert (span.begins_s, span.ends_s) == (begins, ends)


def test_a_balance_has_no_end() -> None:
    assert span_at(Per.EVER, 5.0, UTC) == Span("ever", -inf, inf)
    assert span_at(Per.EVER, 5.0, UTC).left_share(5.0) == 0.0


@given(
    per=st.sampled_from(list(Per)),
    time_s=st.floats(min_value=0, max_value=4e9),
    zone=st.sampled_from([UTC, LONDON, NEW_YORK, BEIRUT, ZoneInfo("Pacific/Apia"), ZoneInfo("Australia/Lord_Howe")]),
)
def test_windows_follow_one_another_without_gap(per: Per, time_s: float, zone: tzinfo) -> None:
    span = span_at(per, time_s, zone)
    assert span.begins_s <= time_s < span.ends_s
    assert 0 <= span.left_share(time_s) <= 1
    if per is not Per.EVER:
        following = span_at(per, span.ends_s, zone)
        assert following.begins_s == span.ends_s
        assert following.name != span.name


@pytest.mark.parametrize("time_s", [-1e18, -1.0, 0.0, 1e12, 1e300])
@pytest.mark.parametrize("per", [Per.DAY, Per.WEEK, Per.MONTH])
def test_a_mad_wall_clock_has_a_window_too(per: Per, time_s: float) -> None:
    assert span_at(per, time_s, UTC).name


@pytest.mark.parametrize(
    ("per", "guard_s"), [(Per.SECOND, 0.05), (Per.MINUTE, 1.0), (Per.HOUR, 1.0), (Per.DAY, 1.0), (Per.MONTH, 1.0)]
)
def test_the_guard_is_a_second_at_most(per: Per, guard_s: float) -> None:
    assert per.guard_s == guard_s


def test_steady_time_reads_like_the_wall_at_the_start_and_never_follows_its_jumps() -> None:
    times = {"wall": 1_000_000.0, "monotonic": 50.0}
    clock = Clock(wall=lambda: times["wall"], monotonic=lambda: times["monotonic"])
    assert clock() == Moment(1_000_000.0, 1_000_000.0)
    times.update(wall=0.0, monotonic=60.0)
    now = clock()
    assert (now.wall_s, now.steady_s) == (0.0, 1_000_010.0)
    assert (now.on(Per.DAY), now.on(Per.MINUTE)) == (0.0, 1_000_010.0)
