"""The record of one upstream call, and of one whole request: what the bill, the traces and the logs are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router_service.core.catalog import Target
from router_service.core.chat import FinishReason, Message, Usage
from router_service.core.outcome import Outcome
from router_service.core.overhead import NO_OVERHEAD, Overhead
from router_service.core.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One upstream call that has ended. Times in seconds; `start_time` is wall time, for people and traces."""

    number: int
    target: Target
    outcome: Outcome
    error_reason: str = ""
    error: str = ""
    status_code: int = 0
    start_time: float
    latency_s: float
    time_to_first_token_s: float | None = None
    usage: Usage | None = None
    cost_usd_nanos: int = 0
    maybe_billed: bool = False
    is_hedged: bool = False
    """Whether it was begun while another was under way."""
    retry_after_s: float | None = None
    finish_reason: FinishReason | None = None
    response_model: str = ""
    dropped_fields: tuple[str, ...] = ()
    """The fields of the request's `Generation` that it would have refused: it was not told of them, or of less."""


def telling(attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that says who served a request: the good one, else the last; None where there was none."""
    good = [attempt for attempt in attempts if attempt.outcome is Outcome.OK]
    return (good or attempts)[-1] if attempts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request came to. For a stream the message is empty: its text has been delivered already."""

    request_id: str
    message: Message
    finish_reason: FinishReason
    usage: Usage
    target: Target
    attempts: tuple[Attempt, ...]
    latency_s: float
    time_to_first_token_s: float | None = None
    plan: Plan | None = None
    overhead: Overhead = NO_OVERHEAD

    @property
    def cost_usd_nanos(self) -> int:
        return sum(a.cost_usd_nanos for a in self.attempts)
