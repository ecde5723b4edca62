"""Why nobody serves a request, as the error that its caller hears.

The order of gates makes this simple: whoever fails at one that passes by waiting has passed all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf

from router_service.core.catalog import Catalog, Target
from router_service.core.decision.rejection import Refusal
from router_service.core.errors import (
    BudgetSpent,
    CredentialsRefused,
    NoTarget,
    ProvidersBlocked,
    ProvidersOverloaded,
    Rejected,
    SignalboxError,
    TargetsSaturated,
    UnknownTarget,
)
from router_service.core.outcome import BlockReason
from router_service.core.plan import Plan, Rejection
from router_service.core.request import Request

MOST_TOLD = 40
"""More would not fit into the details of a status."""
FULL = "every target that may serve this request is full; try again in a moment"
SERVER = "server"
"""Whose rule it is that a request may cost nothing, where it is no tenant's."""
PASSING = frozenset({BlockReason.RATE_LIMITED, BlockReason.OVERLOADED})
"""What a provider gets over by itself, at a time that it has named."""
GATES = {reason: place for place, reason in enumerate(Rejection)}


def nobody(request: Request, found: Plan, among: Iterable[Target] | None = None) -> SignalboxError:
    """Waiting helps where room, a rate limit or a budget is all that keeps somebody out; else only the operator, or
    another request. `among` are the targets that count, all where None.
    """
    if (unknown := unknown_target(request, found.view.catalog)) is not None:
        return unknown
    targets = tuple(found.view.catalog.targets if among is None else among)
    rejected = {t.id: found.rejected[t.id] for t in targets if t.id in found.rejected}
    reasons = set(rejected.values())
    if Rejection.CONCURRENCY in reasons:
        return TargetsSaturated(FULL)
    if reasons & {Rejection.BLOCKED, Rejection.QUOTA}:
        return _blocked(found, [t for t in targets if rejected.get(t.id) in (Rejection.BLOCKED, Rejection.QUOTA)])
    if Rejection.SPEND_LIMIT in reasons and not found.view.budget.free_only:
        return _spent(request, [found.refusal(t) for t, why in rejected.items() if why is Rejection.SPEND_LIMIT])
    counts = Counter(reason.value for reason in rejected.values())
    return NoTarget(_why(found, counts), rejected=counts, first=_first(found, rejected))


def no_room(request: Request, refused: Mapping[str, Refusal]) -> SignalboxError:
    """The same where the decision found room and the attempts did not; by target id, what each lacked."""
    of: dict[Rejection, dict[str, Refusal]] = {}
    for target, refusal in refused.items():
        of.setdefault(refusal.reason, {})[target] = refusal
    if Rejection.CONCURRENCY in of:
        return TargetsSaturated(FULL)
    if full := of.get(Rejection.QUOTA):
        providers = dict.fromkeys(target.partition("/")[0] for target in full)
        return ProvidersBlocked(blocked={}, used_up=tuple(providers), retry_after_s=_soonest(full.values()).retry_in_s)
    if spent := of.get(Rejection.SPEND_LIMIT):
        return _spent(request, spent.values(), said="by now ")
    counts = Counter(refusal.reason.value for refusal in refused.values())
    first = [Rejected(target, refusal.reason.value, refusal.detail) for target, refusal in refused.items()]
    return NoTarget("by now no target of the decision may serve this request", rejected=counts, first=first)


def unknown_target(request: Request, catalog: Catalog) -> UnknownTarget | None:
    """The complaint about a model that nothing stands for."""
    model = request.routing.model
    if not catalog.targets or catalog.named(model):
        return None
    whose = f" that serves {request.tenant}" if request.tenant else ""
    fate, advice = _fate(model, catalog)
    return UnknownTarget(f"no target{whose} answers to the model {model!r}{fate}; {advice}")


def _fate(model: str, catalog: Catalog) -> tuple[str, str]:
    """What became of a model that was retired, with the comma before it, and what to ask for now."""
    advice = "leave it empty to let the router choose"
    for provider in catalog.providers:
        for retired in provider.retired:
            if model in (retired.id, f"{provider.name}/{retired.id}"):
                has_heir = bool(retired.replacement) and bool(catalog.named(retired.replacement))
                fate = f", retired by {provider.name} as of {retired.since}"
                return fate, f"use {retired.replacement}, or {advice}" if has_heir else advice
    return "", advice


def _blocked(found: Plan, targets: Iterable[Target]) -> SignalboxError:
    blocked: dict[str, BlockReason] = {}
    used_up: list[str] = []
    waits: list[float] = []
    for target in targets:
        provider, standing = target.provider.name, found.standing(target)
        if found.rejected[target.id] is Rejection.QUOTA:
            used_up.append(provider)
            wait_s = found.refusal(target.id).retry_in_s
            waits += [] if wait_s is None else [wait_s]
        elif standing.block_reason is not None:
            blocked[provider] = standing.block_reason
            waits += [standing.blocked_for_s] if standing.block_reason in PASSING else []
    if not used_up and set(blocked.values()) == {BlockReason.CREDENTIALS}:
        return CredentialsRefused(blocked=blocked)
    wait_s = min(waits, default=None)
    if not used_up and set(blocked.values()) == {BlockReason.OVERLOADED}:
        return ProvidersOverloaded(blocked=blocked, retry_after_s=wait_s)
    return ProvidersBlocked(blocked=blocked, used_up=tuple(dict.fromkeys(used_up)), retry_after_s=wait_s)


def _spent(request: Request, refusals: Iterable[Refusal], *, said: str = "") -> BudgetSpent:
    """By the bound that gives way first; others wait longer."""
    refusal = _soonest(refusals)
    whose = f"tenant:{request.tenant}" if request.tenant else SERVER
    text = f"{said}{refusal.detail}, and nothing that is free may serve it"
    return BudgetSpent(text, subject=refusal.subject or whose, retry_after_s=refusal.retry_in_s)


def _soonest(refusals: Iterable[Refusal]) -> Refusal:
    return min(refusals, key=lambda refusal: inf if refusal.retry_in_s is None else refusal.retry_in_s)


def _first(found: Plan, rejected: Mapping[str, Rejection]) -> list[Rejected]:
    """Those that came furthest first: the least would have to change for them."""
    furthest = sorted(rejected.items(), key=lambda item: -GATES[item[1]])[:MOST_TOLD]
    return [Rejected(target, reason.value, found.refusal(target).detail) for target, reason in furthest]


def _why(found: Plan, counts: Mapping[str, int]) -> str:
    if not found.view.catalog.targets:
        return "no target is configured; add a provider to the configuration"
    said = ", ".join(f"{n} by {reason}" for reason, n in counts.items())
    return f"no target may serve this request; rejected: {said}"
