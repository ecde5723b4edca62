"""How the time that a caller gave is divided. Pure arithmetic on monotonic seconds."""

from __future__ import annotations

MARGIN_SHARE, MARGIN_MIN_S, MARGIN_MAX_S = 0.02, 0.010, 0.250


def finish_by(*, now: float, remaining_s: float) -> float:
    """When we must be done: a little before the caller's deadline, since an error sent at it loses its details."""
    margin = min(MARGIN_MAX_S, max(MARGIN_MIN_S, MARGIN_SHARE * remaining_s))
    return now + remaining_s - margin


UNMEASURED_FIRST_TOKEN_S, UNMEASURED_ANSWER_S = 2.0, 5.0
"""What is taken for usual where nothing was measured yet: a premium model's first token, and a short whole answer."""

OUT_OF_THE_USUAL = 2.0
"""A silence of so many times what was measured is the target's fault, also where only a share of the time was left."""


def first_answer_timer_s(*, timer_s: float, left_s: float, attempts_left: int, p95_s: float) -> float:
    """How long an attempt may stay silent: its fair share of what is left, but no less than what is usual for it.

    `timer_s` is the target's own limit (first byte of a stream, or a whole unary answer); `attempts_left` counts
    this one. The last attempt has all that is left.
    """
    if attempts_left <= 1:
        return min(timer_s, left_s)
    return min(timer_s, left_s, max(p95_s, left_s / attempts_left))
