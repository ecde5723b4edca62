"""From a request to its plan: over the targets that can be run, or for Route over all that are known."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from router_service.core.decision.decide import foresee
from router_service.core.decision.failure import Failure
from router_service.core.errors import CallerDeadline, Stage
from router_service.core.plan import Plan, View, plan, replan
from router_service.core.request import Request
from router_service.service.decisions import Decisions
from router_service.service.names import check_names
from router_service.service.preparation import prepared
from router_service.service.refusals import nobody, unknown_target

logger = logging.getLogger(__name__)

MANY_TARGETS = 500
"""Among fewer, no decision takes more than a few milliseconds."""


class Planning:
    """`view`, by the tenant's name, has the targets that can be run, `route_view` besides them those that can only be
    decided on.
    """

    def __init__(self, *, view: Callable[[str], View], route_view: Callable[[str], View], rng: Random) -> None:
        self._view = view
        self._route_view = route_view
        self._rng = rng
        self._decisions = Decisions()
        self._failed: set[str] = set()

    async def foreseen(self, request: Request, *, is_told: bool) -> Request:
        """The request as it was read, once what its plan shares with others is worked out, for `to_tell` where it
        `is_told`, else for `to_run`. Among many targets that takes tens of milliseconds for the first of a kind; others
        have the turn meanwhile.
        """
        view = self._route_view(request.tenant) if is_told else self._view(request.tenant)
        if len(view.catalog.targets) < MANY_TARGETS or request.routing.decision_id:
            return request
        request = prepared(request, infers=request.keeps_plan or view.ready().marks.infers)
        for _ in foresee(request, view):
            await asyncio.sleep(0)
        return request

    def to_run(self, request: Request) -> tuple[Request, Plan]:
        """The request as it was read, and its plan. Raises where nobody may serve it; where all who may are full, the
        plan is of those, to be waited for.
        """
        view = self._view(request.tenant)
        if request.keeps_plan:
            # It is explained when the answer is there, and what is in flight is counted in place.
            view = replace(view, in_flight=dict(view.in_flight))
        return self._planned(request, view, may_wait=True)

    def to_tell(self, request: Request, *, may_be_empty: bool) -> tuple[Request, Plan]:
        """The same over all targets; with `may_be_empty` a plan without any target is a plan as well, which can say of
        each why it may not serve.
        """
        return self._planned(request, self._route_view(request.tenant), may_be_empty=may_be_empty)

    def _planned(
        self, request: Request, view: View, *, may_be_empty: bool = False, may_wait: bool = False
    ) -> tuple[Request, Plan]:
        if time.monotonic() >= request.deadline:
            raise CallerDeadline(Stage.ADMISSION)
        check_names(request.routing, view.catalog)
        order: Sequence[str] | None = None
        if request.routing.decision_id:
            decided = self._decisions.find(request.routing.decision_id, tenant=request.tenant, now=time.monotonic())
            request = prepared(decided.applied(request), infers=False)
            order = decided.targets
        else:
            request = prepared(request, infers=request.keeps_plan or view.ready().marks.infers)
        found = self._found(order, request, view)
        if found.targets:
            return request, self._kept(request, found)
        if may_wait and (roomy := self._found(order, request, replace(view, in_flight={}))).targets:
            return request, self._kept(request, roomy)
        if not may_be_empty:
            among = None if order is None else [t for t in view.catalog.targets if t.id in order]
            raise nobody(request, found, among)
        if (unknown := unknown_target(request, view.catalog)) is not None:
            raise unknown
        return request, found

    def _found(self, order: Sequence[str] | None, request: Request, view: View) -> Plan:
        if order is not None:
            found = replan(order, request, view, self._rng)
        else:
            found = plan(request, view, self._rng)
            found.take_turn()
        if found.failure is not None:
            self._tell(found.failure)
        return found

    def _tell(self, failure: Failure) -> None:
        """Once for each strategy: one that fails will fail for every request."""
        if failure.strategy not in self._failed:
            self._failed.add(failure.strategy)
            logger.warning("%s; points decide in its place", failure)

    def _kept(self, request: Request, found: Plan) -> Plan:
        if not request.keeps_plan:
            return found
        return replace(found, decision_id=self._decisions.keep(request, found, now=time.monotonic()))
