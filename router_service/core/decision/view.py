"""Everything that a decision reads, frozen at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from router_service.core.budget import BudgetStanding
from router_service.core.catalog import Catalog, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.standing import UNKNOWN_STANDING, SnapshotInfo, Standing
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.turns import Turns
from router_service.core.quota import QuotaStanding

Value = TypeVar("Value")

NOTHING: Mapping[str, object] = MappingProxyType({})
NO_BUDGET = BudgetStanding()
PLAIN_POLICY = Policy(exploration=0.0)
"""Whoever has no policy at all has not asked for experiments."""


def _nothing() -> Mapping[str, Value]:
    """Always the same mapping, because an unchanged one is known by its identity."""
    return NOTHING  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Mappings are by target id, but `quotas` by provider or target id. They are replaced and never changed.

    `planned_only` are the providers, by name, that this router can plan with and not call.

    `turns` say who is next, for strategies that take turns; a decision reads them and changes nothing. `prepared`
    spares the work that is the same for all views of one catalogue and policy; without it every decision does that
    anew.
    """

    catalog: Catalog
    standings: Mapping[str, Standing] = field(default_factory=_nothing)
    snapshot: SnapshotInfo = field(default_factory=SnapshotInfo)
    statistics: Mapping[str, TargetStatistics] = field(default_factory=_nothing)
    quotas: Mapping[str, QuotaStanding] = field(default_factory=_nothing)
    budget: BudgetStanding = NO_BUDGET
    in_flight: Mapping[str, int] = field(default_factory=_nothing)
    policy: Policy = PLAIN_POLICY
    turns: Turns = field(default_factory=Turns)
    planned_only: frozenset[str] = frozenset()
    prepared: Prepared | None = None

    def standing(self, target: Target) -> Standing:
        return self.standings.get(target.id, UNKNOWN_STANDING)

    def quota(self, target: Target) -> QuotaStanding | None:
        """The standing of the target's own window, else of its provider's; None where nothing is counted."""
        return self.quotas.get(target.id) or self.quotas.get(target.provider.name)

    def ready(self) -> Prepared:
        """What was prepared for this catalogue and policy, else made now."""
        found = self.prepared
        if found is not None and found.catalog is self.catalog and found.policy is self.policy:
            return found
        return Prepared(self.catalog, self.policy)
