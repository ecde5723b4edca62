"""How far off a moment is that a provider states: in seconds, as a duration, or as a time of day."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_until(text: str, *, date: str, wall_s: float) -> float | None:
    """Seconds from now, by the forms below; None for what is none of them. The caller bounds it.

    `7` or `0.25`           a number of seconds, which may be negative
    `1795000060`            more than 10^9: an epoch time, in milliseconds from 10^12 on
    `6m0.5s`, `100ms`       a duration as Go writes it
    `2026-11-18T11:07:40Z`  RFC 3339; without a zone it is UTC
    `Wed, 18 Nov 2026 …`    a date of HTTP

    A time of day is measured against the answer's own `date`, or where that says nothing against `wall_s`, the epoch
    time now. One in the past is negative.
    """
    value = number(text)
    if value is None and _DURATION.fullmatch(text):
        return sum(float(part) * _UNITS_S[unit] for part, unit in _DURATION_PART.findall(text))
    if value is not None and value <= EPOCH_FROM:
        return value
    moment_s = _epoch_s(text) if value is None else value / 1_000 if value > EPOCH_MILLIS_FROM else value
    if moment_s is None:
        return None
    now_s = _epoch_s(date)
    return moment_s - (wall_s if now_s is None else now_s)


def number(text: str) -> float | None:
    """A finite decimal number; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


EPOCH_FROM, EPOCH_MILLIS_FROM = 1e9, 1e12
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def _epoch_s(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
