"""The view that a decision reads: what is configured, and how everything stands at this moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from router_service.core.catalog import Catalog
from router_service.core.decision.policy import Policy
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.strategies import Strategy
from router_service.core.decision.turns import Turns
from router_service.core.plan import View
from router_service.core.tenant import Tenant
from router_service.health.board import HealthBoard
from router_service.service.rooms import Rooms
from router_service.store.ports import QuotaStandings


@dataclass(frozen=True, slots=True)
class Present:
    """One configuration with what decisions share over it; replaced as a whole."""

    running: Prepared
    planning: Prepared
    running_turns: Turns
    planning_turns: Turns
    planned_only: frozenset[str]
    of_tenants: Mapping[str, Present] = field(default_factory=dict)
    """For the tenants that only some of the targets serve."""

    def of(self, tenant: str) -> Present:
        return self.of_tenants.get(tenant, self)


class Views:
    """Makes a view for each decision. `turn` is where this process begins with strategies that take turns.

    Turns of what is run here and of what is only told are counted apart: callers who ask for both would else skip every
    other target.

    Plans may name targets that this router cannot call, since a caller can: those whose `dialects` it does not speak.
    What is to be run here is decided without them.
    """

    def __init__(
        self,
        *,
        dialects: Collection[str],
        strategies: Mapping[str, Strategy],
        board: HealthBoard,
        statistics: Callable[[], Mapping[str, TargetStatistics]],
        quotas: QuotaStandings,
        rooms: Rooms,
        turn: int,
    ) -> None:
        self._dialects = frozenset(dialects)
        self._strategies = strategies
        self._board = board
        self._statistics = statistics
        self._quotas = quotas
        self._rooms = rooms
        self._turn = turn
        self.adopt(self.present_for(Catalog(()), Policy()))

    def adopt(self, present: Present) -> None:
        """Decide by what `present_for` gave from now on. A decision that is under way ends by what it began with."""
        self._present = present

    def present_for(self, catalog: Catalog, policy: Policy, tenants: Iterable[Tenant] = ()) -> Present:
        """What decisions over another catalogue share, to be adopted. It may be called beside the event loop.

        To a tenant that may not use them, targets do not exist: neither is it told of them nor do they serve it.
        """
        of_sets: dict[tuple[str, ...], Present] = {}
        of_tenants: dict[str, Present] = {}
        for tenant in tenants:
            if not tenant.only or tenant.is_log_only:
                continue
            if tenant.only not in of_sets:
                allowed = replace(catalog, targets=tuple(t for t in catalog.targets if tenant.may_use(t)))
                of_sets[tenant.only] = self._presented(allowed, policy, {})
            of_tenants[tenant.name] = of_sets[tenant.only]
        return self._presented(catalog, policy, of_tenants)

    def to_run(self, tenant: str) -> View:
        present = self._present.of(tenant)
        return self._view(present.running, present.running_turns, frozenset(), tenant)

    def to_plan(self, tenant: str) -> View:
        present = self._present.of(tenant)
        return self._view(present.planning, present.planning_turns, present.planned_only, tenant)

    def _presented(self, catalog: Catalog, policy: Policy, of_tenants: Mapping[str, Present]) -> Present:
        planning = self._prepared(catalog, policy)
        spoken = catalog.spoken(self._dialects)
        return Present(
            running=planning if spoken is catalog else self._prepared(spoken, policy),
            planning=planning,
            running_turns=Turns(self._turn),
            planning_turns=Turns(self._turn),
            planned_only=frozenset(provider.name for provider in spoken.providers if not provider.is_spoken),
            of_tenants=of_tenants,
        )

    def _prepared(self, catalog: Catalog, policy: Policy) -> Prepared:
        """With what health and statistics let expect by now, so that the first decision need not work it out."""
        prepared = Prepared(catalog, policy, self._strategies)
        prepared.outlooks(self._board.standings(), self._statistics())
        return prepared

    def _view(self, prepared: Prepared, turns: Turns, planned_only: frozenset[str], tenant: str) -> View:
        return View(
            catalog=prepared.catalog,
            standings=self._board.standings(),
            snapshot=self._board.snapshot_info(),
            statistics=self._statistics(),
            quotas=self._quotas.standings(),
            budget=self._quotas.budget(tenant),
            in_flight=self._rooms.slots.in_flight,
            policy=prepared.policy,
            turns=turns,
            planned_only=planned_only,
            prepared=prepared,
        )
