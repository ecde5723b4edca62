"""What a tenant's `only` would have refused or kept from serving, told of where that is only logged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from router_service.core.catalog import Catalog, Target
from router_service.core.errors import InvalidRequest, UnknownTarget
from router_service.core.plan import Plan
from router_service.core.request import Request
from router_service.core.tenant import Tenant
from router_service.service.names import check_names
from router_service.service.refusals import unknown_target

TOLD_ALREADY = frozenset({InvalidRequest.reason, UnknownTarget.reason})
"""Outcomes by which a request was refused for its names as it is."""


def served_on_trial(tenants: Iterable[Tenant], catalog: Catalog) -> Mapping[str, Catalog]:
    """By name, what of `catalog` would serve each tenant that is not held to its `only` but logged.

    Takes milliseconds where targets are many; to be called beside the calls under way.
    """
    return {
        tenant.name: replace(catalog, targets=tuple(t for t in catalog.targets if tenant.may_use(t)))
        for tenant in tenants
        if tenant.only and tenant.is_log_only
    }


def objections(
    tenant: Tenant, served: Catalog, request: Request, plan: Plan | None, asked: Iterable[Target]
) -> Iterator[tuple[str, str]]:
    """What was wrong by kind, and in words. `served` are the tenant's targets alone, `asked` those that were called."""
    try:
        check_names(request.routing, served)
    except InvalidRequest as error:
        yield "names", str(error)
    if (unknown := unknown_target(request, served)) is not None:
        yield "model", str(unknown)
    first = () if plan is None else plan.targets[:1]
    for target in (*first, *asked):
        if not tenant.may_use(target):
            yield "target", f"{target.id} is none that may serve it"
            return
