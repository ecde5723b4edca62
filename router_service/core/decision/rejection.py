"""Why a target may not serve a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Rejection(Enum):
    """The gates, by the names of the wire contract's reasons, in the order in which they are asked.

    What only another request would cure comes first, what a bound of this request excludes follows, and what waiting
    cures comes last: so that nobody waits for a target that could not serve him anyway.
    """

    MODEL_NOT_ALLOWED = "model_not_allowed"
    PROVIDER_NOT_ALLOWED = "provider_not_allowed"
    DISABLED = "disabled"
    CAPABILITY = "capability"
    REGION = "region"
    COMPLIANCE = "compliance"
    SLA = "sla"
    SELF_HOSTING = "self_hosting"
    RULE = "rule"
    BUDGET_TIER = "budget_tier"
    QUALITY = "quality"
    CONTEXT_WINDOW = "context_window"
    COST_PER_REQUEST = "cost_per_request"
    LATENCY = "latency"
    DEADLINE = "deadline"
    SPEND_LIMIT = "spend_limit"
    QUOTA = "quota"
    BLOCKED = "blocked"
    CONCURRENCY = "concurrency"
    HEALTH = "health"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first gate that a target failed, with the bound and the value that broke it, in words.

    `retry_in_s` is when a quota or a budget may have room, None where no waiting helps. `subject` is whose budget it
    is: `server`, `provider:NAME` or `tenant:NAME`; empty where it is none.
    """

    reason: Rejection
    detail: str
    retry_in_s: float | None = None
    subject: str = ""
