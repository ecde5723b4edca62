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


GUESS_SHARE = 0.6
"""Of the time that is left, so much at most is spent on what is only guessed to be usual."""


def first_answer_timer_s(
    *, timer_s: float, left_s: float, attempts_left: int, p95_s: float, guess_s: float = 0.0
) -> float:
    """How long an attempt may stay silent: its fair share of what is left, but no less than what is usual for it.

    `timer_s` is the target's own limit (first byte of a stream, or a whole unary answer); `attempts_left` counts
    this one. The last attempt has all that is left. Where nothing was measured, so that `p95_s` is 0, `guess_s` stands
    in for it as far as that leaves the others a chance: else a target that hangs would have all of a short deadline.
    """
    if attempts_left <= 1:
        return min(timer_s, left_s)
    usual_s = p95_s or min(guess_s, GUESS_SHARE * left_s)
    return min(timer_s, left_s, max(usual_s, left_s / attempts_left))
