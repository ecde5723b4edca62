"""Windows of time in which something is counted: where each begins, how long it lasts, and what it is called.

Two clocks tell which window it is. Seconds, minutes and hours are cut from a clock that never jumps, so that setting
the machine's time neither empties nor refills them. Days, weeks and months begin at midnight of a time zone and follow
the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import Enum
from math import inf

GUARD_S = 1.0
"""A provider's clock and ours differ: this close to an edge, what is spent counts in the windows on both sides."""
_LATEST_S = 200_000_000_000.0
"""Some year 8300: a wall clock that shows more than a calendar holds is read as this."""


class Per(Enum):
    """How long a window lasts. EVER has no end: a prepaid balance."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    EVER = "ever"

    @property
    def length_s(self) -> float:
        """Its usual length; a day with a change of clocks and most months differ a little."""
        return _LENGTHS_S[self]

    @property
    def is_calendar(self) -> bool:
        return self in _CALENDAR

    @property
    def guard_s(self) -> float:
        """How close to an edge both sides count: a second, and less in windows that are short themselves."""
        return min(GUARD_S, self.length_s / 20)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now by both clocks, in seconds. `steady_s` reads like an epoch time too, but never jumps and never goes back."""

    wall_s: float
    steady_s: float

    def on(self, per: Per) -> float:
        """What the clock shows that the windows of `per` are cut from."""
        return self.wall_s if per.is_calendar else self.steady_s


class Clock:
    """Makes moments of a wall clock and a monotonic one, which are compared once, here, and never again."""

    def __init__(self, *, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._origin_s = wall() - monotonic()

    def __call__(self) -> Moment:
        return Moment(self._wall(), self._monotonic() + self._origin_s)


@dataclass(frozen=True, slots=True)
class WindowKey:
    """A window's name in a store: what is counted there, and when, for example `2026-11` or `minute 29384756`."""

    scope: str
    window: str


@dataclass(frozen=True, slots=True)
class Span:
    """One window: its name, and where it begins and ends on the clock of its kind. The end belongs to the next."""

    name: str
    begins_s: float
    ends_s: float

    def left_share(self, time_s: float) -> float:
        """The share of its time that is still to come, 0 to 1; 0 where there is no end to wait for."""
        if self.ends_s == inf:
            return 0.0
        return min(1.0, max(0.0, (self.ends_s - time_s) / (self.ends_s - self.begins_s)))


def span_at(per: Per, time_s: float, zone: tzinfo) -> Span:
    """The window that `time_s`, on the clock of `per`, falls in. A zone moves only days, weeks and months."""
    match per:
        case Per.EVER:
            return Span("ever", -inf, inf)
        case Per.SECOND | Per.MINUTE | Per.HOUR:
            number = int(time_s // per.length_s)
            return Span(f"{per.value} {number}", number * per.length_s, (number + 1) * per.length_s)
        case Per.DAY | Per.WEEK | Per.MONTH:
            today = datetime.fromtimestamp(min(_LATEST_S, max(0.0, time_s)), zone).date()
            name, first, after = _calendar(per, today)
            return Span(name, _midnight_s(first, zone), _midnight_s(after, zone))


def _calendar(per: Per, today: date) -> tuple[str, date, date]:
    """A window's name, its first day, and the first day after it."""
    if per is Per.DAY:
        return today.isoformat(), today, today + timedelta(days=1)
    if per is Per.WEEK:
        year, week, weekday = today.isocalendar()
        monday = today - timedelta(days=weekday - 1)
        return f"{year}-W{week:02}", monday, monday + timedelta(days=7)
    first = today.replace(day=1)
    return f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1)


def _midnight_s(day: date, zone: tzinfo) -> float:
    """A day's first moment; where clocks skip midnight, the moment of the skip."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


_LENGTHS_S = {
    Per.SECOND: 1.0,
    Per.MINUTE: 60.0,
    Per.HOUR: 3_600.0,
    Per.DAY: 86_400.0,
    Per.WEEK: 604_800.0,
    Per.MONTH: 2_629_800.0,
    Per.EVER: inf,
}
_CALENDAR = frozenset({Per.DAY, Per.WEEK, Per.MONTH})
