"""Sampling and length from the wire."""

from __future__ import annotations

import math
import re
from typing import TypeVar

from signalbox.v1 import chat_pb2

from router_service.core.chat import Generation
from router_service.edge.complaints import Complaints

MAX_STOPS = 16
MAX_STOP = 256
EFFORT = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_Number = TypeVar("_Number", int, float)


def generation(pb: chat_pb2.Generation, complaints: Complaints) -> Generation:
    def number(name: str, low: _Number, high: _Number) -> _Number | None:
        if not pb.HasField(name):  # type: ignore[arg-type]
            return None
        value: _Number = getattr(pb, name)
        if not math.isfinite(value) or not low <= value <= high:
            complaints.add(f"generation.{name}", f"is {value}; must be {low} to {high}, or unset")
        return value

    stop = tuple(pb.stop[: MAX_STOPS + 1])
    if len(stop) > MAX_STOPS or not all(1 <= len(text) <= MAX_STOP for text in stop):
        complaints.add("generation.stop", f"must hold at most {MAX_STOPS} texts, each of 1 to {MAX_STOP} characters")
    if (top_p := number("top_p", 0.0, 1.0)) == 0:
        complaints.add("generation.top_p", f"is {top_p}; must be above 0.0, up to 1.0, or unset")
    return Generation(
        max_output_tokens=number("max_output_tokens", 1, 2**31 - 1),
        temperature=number("temperature", 0.0, 2.0),
        top_p=top_p,
        seed=pb.seed if pb.HasField("seed") else None,
        stop=stop,
        frequency_penalty=number("frequency_penalty", -2.0, 2.0),
        presence_penalty=number("presence_penalty", -2.0, 2.0),
        reasoning_effort=_effort(pb, complaints),
    )


def _effort(pb: chat_pb2.Generation, complaints: Complaints) -> str:
    if pb.reasoning_effort and not EFFORT.fullmatch(pb.reasoning_effort):
        complaints.add("generation.reasoning_effort", "must be a word such as low, medium or high, or unset")
    return pb.reasoning_effort
