"""Seconds as the wire has them."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

NANOS = 1_000_000_000
MAX_SECONDS = 315_576_000_000
"""Ten thousand years, where a Duration ends."""


def duration(seconds: float) -> Duration:
    """A time that nobody lives to see, infinity among them, is said to be the longest that there is."""
    if not seconds < MAX_SECONDS:
        return Duration(seconds=MAX_SECONDS)
    whole, nanos = divmod(round(seconds * NANOS), NANOS)
    return Duration(seconds=whole, nanos=nanos)
