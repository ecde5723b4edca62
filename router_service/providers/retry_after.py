"""When a provider wants to be asked again, in whichever of the many forms vendors write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_S = 300.0
_GO_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_GO_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, clamped to 0..300; None where the answer does not say, or says nothing that makes sense.

    A wall clock is read only for the forms that name a time of day (the answer's own `date` where it has one).
    """
    millis = _number(headers.get("retry-after-ms", ""))
    if millis is not None and millis >= 0:
        return _clamp(millis / 1000)
    text = headers.get("retry-after", "").strip()
    return _clamp(seconds) if text and (seconds := _seconds(text, headers)) is not None else None


def _seconds(text: str, headers: Mapping[str, str]) -> float | None:
    if (number := _number(text)) is not None:
        return _relative(number, headers)
    if _GO_WHOLE.fullmatch(text):
        return sum(float(value) * _UNITS_S[unit] for value, unit in _GO_PART.findall(text))
    moment = _moment(text)
    return None if moment is None else (moment - _now(headers)).total_seconds()


def _relative(number: float, headers: Mapping[str, str]) -> float | None:
    """A number is seconds, unless it is so large that it can only be an epoch time in seconds or milliseconds."""
    if number < 0:
        return None
    if number > 1e12:
        return number / 1000 - _now(headers).timestamp()
    return number - _now(headers).timestamp() if number > 1e9 else number


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _now(headers: Mapping[str, str]) -> datetime:
    return (_moment(headers["date"]) if "date" in headers else None) or datetime.now(UTC)


def _clamp(seconds: float) -> float:
    return min(MAX_S, max(0.0, seconds))
