"""Decisions that were told to callers, kept for a while in this process, so that they can be run as they were told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from secrets import token_hex

from router_service.core.errors import UnknownDecision
from router_service.core.inference import Inference
from router_service.core.plan import Plan
from router_service.core.request import Request, Routing

KEPT_S = 300.0
MOST_BYTES = 64 * 1024 * 1024
"""Some forty thousand of the usual size."""
TENANTS_SHARE = 0.5
"""What one tenant may have of that, so that nobody pushes out everybody else's."""
BYTES_EACH = 1_500
"""What a decision takes beside its texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A plan's targets by id in order, and what of its request decided on them; never its prompt."""

    tenant: str
    routing: Routing
    labels: Mapping[str, str]
    inference: Inference | None
    targets: tuple[str, ...]
    until: float

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        routing = self.routing
        names = (routing.allowed_providers, routing.denied_providers)
        wishes = (routing.required_capabilities, routing.preferred_capabilities)
        texts = chain((routing.model, routing.strategy), *names, *wishes, *self.labels.items())
        return BYTES_EACH + sum(map(len, texts)) + 100 * len(self.targets)

    def applied(self, request: Request) -> Request:
        """`request` with what was asked for then wherever it leaves something open."""
        return replace(
            request,
            routing=request.routing.over(self.routing),
            labels={**self.labels, **request.labels},
            inference=self.inference,
        )


class Decisions:
    """The latest of them, of at most `most_bytes`, each for KEPT_S. Times are on the monotonic clock."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[str, Decided] = {}
        self._ids: dict[str, dict[str, None]] = {}
        self._bytes: dict[str, int] = {}
        self._all_bytes = 0

    def keep(self, request: Request, plan: Plan, *, now: float) -> str:
        """The id by which its tenant can run the plan; random, so that nobody can guess another's."""
        decision_id = f"dec-{token_hex(12)}"
        decided = Decided(
            tenant=request.tenant,
            routing=request.routing,
            labels=request.labels,
            inference=request.inference,
            targets=tuple([target.id for target in plan.targets]),
            until=now + KEPT_S,
        )
        self._make_room(decided, now)
        self._kept[decision_id] = decided
        self._ids.setdefault(decided.tenant, {})[decision_id] = None
        self._count(decided.tenant, decided.size_bytes)
        return decision_id

    def find(self, decision_id: str, *, tenant: str, now: float) -> Decided:
        """Raises UnknownDecision, also where it is another tenant's."""
        found = self._kept.get(decision_id)
        if found is None or found.tenant != tenant or found.until <= now:
            why = f"is none that this router made in the last {KEPT_S:g} s, or newer ones have displaced it"
            raise UnknownDecision(f"routing.decision_id: {decision_id!r} {why}; ask Route for a new one")
        return found

    def _make_room(self, decided: Decided, now: float) -> None:
        """What is over its time goes first, then the tenant's own oldest, then those of who has the most."""
        while self._kept and self._kept[oldest := next(iter(self._kept))].until <= now:
            self._drop(oldest)
        size, tenant = decided.size_bytes, decided.tenant
        while self._bytes.get(tenant, 0) and self._bytes[tenant] + size > TENANTS_SHARE * self._most_bytes:
            self._drop(next(iter(self._ids[tenant])))
        while self._kept and self._all_bytes + size > self._most_bytes:
            largest = max(self._bytes, key=self._bytes.__getitem__)
            self._drop(next(iter(self._ids[largest])))

    def _drop(self, decision_id: str) -> None:
        decided = self._kept.pop(decision_id)
        del self._ids[decided.tenant][decision_id]
        self._count(decided.tenant, -decided.size_bytes)
        if not self._ids[decided.tenant]:
            del self._ids[decided.tenant], self._bytes[decided.tenant]

    def _count(self, tenant: str, size_bytes: int) -> None:
        self._bytes[tenant] = self._bytes.get(tenant, 0) + size_bytes
        self._all_bytes += size_bytes
