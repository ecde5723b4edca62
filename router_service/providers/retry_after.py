"""When a provider wants to be asked again, in whichever of the many forms vendors write it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from router_service.core.stated_times import number, seconds_until

MAX_S = 300.0


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, clamped to 0..300; None where the answer does not say, or says nothing that makes sense.

    A wall clock counts only for the forms that name a time of day, in answers without a `date` of their own. A moment
    that has passed means at once; a negative number means nothing.
    """
    millis = number(headers.get("retry-after-ms", ""))
    if millis is not None and millis >= 0:
        return _clamp(millis / 1000)
    text = headers.get("retry-after", "").strip()
    if (number(text) or 0.0) < 0:
        return None
    seconds = seconds_until(text, date=headers.get("date", ""), wall_s=time.time())
    return None if seconds is None else _clamp(seconds)


def _clamp(seconds: float) -> float:
    return min(MAX_S, max(0.0, seconds))
