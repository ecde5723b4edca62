"""Admission: whether a request that nothing else keeps from an answer fits into its provider's limits."""

from __future__ import annotations

from dataclasses import dataclass

from .cast import Role
from .limit_answers import LimitRefusal, Moment, limit_fields, refuse_for_concurrency, refuse_for_limit
from .windows import Cost, take_from_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the answer says of the limits, or why there is none."""

    fields: bytes = b""
    """Header lines of the answer."""
    refusal: LimitRefusal | None = None


def admit(role: Role, cost: Cost, *, model: str, now: Moment) -> Admission:
    """Count a request against its provider's limits, unless it is refused: what is refused is not counted."""
    style = role.account.limit_style
    if role.slots is not None and role.slots.is_full:
        return Admission(refusal=refuse_for_concurrency(style, most=role.slots.most or 0))
    full = take_from_all(role.windows, cost, now.window_s)
    if full is not None:
        return Admission(refusal=refuse_for_limit(style, role.windows, full, cost, model=model, now=now))
    return Admission(fields=limit_fields(style, role.windows, cost, now))
