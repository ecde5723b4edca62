"""Decisions that were told to callers, kept for a while in this process, so that they can be run as they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from secrets import token_hex

from router_service.core.errors import UnknownDecision
from router_service.core.inference import Inference
from router_service.core.plan import Plan
from router_service.core.request import Request, Routing

KEPT_S = 300.0
MOST_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A plan's targets by id in order, and what of its request decided on them; never its prompt."""

    tenant: str
    routing: Routing
    labels: Mapping[str, str]
    inference: Inference | None
    targets: tuple[str, ...]
    until: float

    def applied(self, request: Request) -> Request:
        """`request` with what was asked for then wherever it leaves something open."""
        return replace(
            request,
            routing=request.routing.over(self.routing),
            labels={**self.labels, **request.labels},
            inference=self.inference,
        )


class Decisions:
    """The latest of them, at most `most`, each for KEPT_S. Times are on the monotonic clock."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: dict[str, Decided] = {}

    def keep(self, request: Request, plan: Plan, *, now: float) -> str:
        """The id by which its tenant can run the plan; random, so that nobody can guess another's."""
        self._forget(now)
        decision_id = f"dec-{token_hex(12)}"
        self._kept[decision_id] = Decided(
            tenant=request.tenant,
            routing=request.routing,
            labels=request.labels,
            inference=request.inference,
            targets=tuple([target.id for target in plan.targets]),
            until=now + KEPT_S,
        )
        return decision_id

    def find(self, decision_id: str, *, tenant: str, now: float) -> Decided:
        """Raises UnknownDecision, also where it is another tenant's."""
        found = self._kept.get(decision_id)
        if found is None or found.tenant != tenant or found.until <= now:
            why = f"is none that this router made in the last {KEPT_S:g} s; ask Route for a new one"
            raise UnknownDecision(f"routing.decision_id: {decision_id!r} {why}")
        return found

    def _forget(self, now: float) -> None:
        """The oldest stand first, and all are kept equally long."""
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest].until > now and len(self._kept) < self._most:
                return
            del self._kept[oldest]
