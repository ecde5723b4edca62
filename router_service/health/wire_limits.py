"""What a number on the health channel may be: whoever sends another has a fault, and nothing it says is believed."""

from __future__ import annotations

import math
import re

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

LONGEST_LATENCY_S = 1e6
LONGEST_AGE_S = 10 * 366 * 86_400.0
LONGEST_BLOCK_S = 300.0
LAST_TIME_S = 253_402_300_799.0  # the end of the year 9999, as Timestamp has it
MOST_CALLS = 1e9
REPORTER_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MAX_ERROR_CHARACTERS = 128


class Corrupt(ValueError):
    """A message that cannot be believed. `field` is the path of what is wrong with it, `reason` says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def number(value: float, field: str, *, least: float = 0.0, most: float) -> float:
    if not math.isfinite(value):
        raise Corrupt(field, "is not a finite number")
    if not least <= value <= most:
        raise Corrupt(field, f"is not between {least:g} and {most:g}")
    return value


def seconds(duration: Duration, field: str, *, most: float = LONGEST_LATENCY_S) -> float:
    """A duration in seconds, not negative and at most `most`."""
    return number(duration.seconds + duration.nanos / 1e9, field, most=most)


def unix_time(timestamp: Timestamp, field: str) -> float:
    """A point in time as seconds since 1970; 0 where there is none."""
    return number(timestamp.seconds + timestamp.nanos / 1e9, field, most=LAST_TIME_S)


def reporter_id(value: str, field: str) -> str:
    if not REPORTER_ID.fullmatch(value):
        raise Corrupt(field, "is not 8 to 64 characters out of letters, digits and '-'")
    return value


def error_text(value: str, field: str) -> str:
    """The class and status of a failure: short and printable, so that it is fit for a log."""
    if len(value) > MAX_ERROR_CHARACTERS:
        raise Corrupt(field, f"is longer than {MAX_ERROR_CHARACTERS} characters")
    if not value.isprintable():
        raise Corrupt(field, "holds characters that cannot be printed")
    return value
