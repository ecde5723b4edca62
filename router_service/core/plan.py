"""The decision: which targets serve a request, in which order, and why the others do not.

The order is plain: those fit to serve before those that are not, then by price. Rules, points and
strategies take this function's place with its signature unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from router_service.core.catalog import Catalog, Target
from router_service.core.health import ProbeSpan, Source, State
from router_service.core.outcome import BlockReason
from router_service.core.request import Request


class Rejection(Enum):
    """Why a target cannot serve a request."""

    DISABLED = "disabled"
    MODEL = "model"
    PROVIDER = "provider"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the decision needs to know of a target's health. `blocked_for_s` counts from the view's making."""

    state: State = State.UNKNOWN
    traffic_share: float = 1.0
    blocked_for_s: float = 0.0
    block_reason: BlockReason | None = None
    time_to_first_token_p95_s: float = 0.0
    answer_p95_s: float = 0.0
    probe_span: ProbeSpan = field(default_factory=ProbeSpan)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """Which picture of health a decision rested on, and how old it was."""

    epoch: int = 0
    sequence: int = 0
    age_s: float = 0.0
    source: Source = Source.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a decision reads, frozen at one moment."""

    catalog: Catalog
    standings: Mapping[str, Standing] = field(default_factory=dict)
    snapshot: SnapshotInfo = field(default_factory=SnapshotInfo)

    def standing(self, target: Target) -> Standing:
        return self.standings.get(target.id, UNKNOWN_STANDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Targets in the order to try them; empty when every one was rejected."""

    targets: tuple[Target, ...]
    rejected: Mapping[str, Rejection]
    view: View

    def standing(self, target: Target) -> Standing:
        return self.view.standing(target)


UNKNOWN_STANDING = Standing()


def plan(request: Request, view: View, rng: Random) -> Plan:
    """Filter, then order: fit before unfit, cheap before dear, and no two neighbours that share a provider's fault."""
    rejected: dict[str, Rejection] = {}
    eligible: list[Target] = []
    for target in view.catalog.targets:
        if reason := _rejection(target, request, view):
            rejected[target.id] = reason
        else:
            eligible.append(target)
    ranked = sorted(eligible, key=lambda t: (_rank(view.standing(t), rng), _price(t)))
    return Plan(targets=_across_providers(ranked, view), rejected=rejected, view=view)


def _rejection(target: Target, request: Request, view: View) -> Rejection | None:
    routing, provider = request.routing, target.provider
    if routing.model not in ("", "auto") and not target.answers_to(routing.model):
        return Rejection.MODEL
    if provider.name in routing.denied_providers:
        return Rejection.PROVIDER
    if routing.allowed_providers and provider.name not in routing.allowed_providers:
        return Rejection.PROVIDER
    if not provider.is_usable:
        return Rejection.DISABLED
    if view.standing(target).block_reason is not None:
        return Rejection.BLOCKED
    return None


def _rank(standing: Standing, rng: Random) -> int:
    """0 serves, 1 stands behind because its share of traffic is used up by others, 2 is the last resort."""
    if standing.state is State.UNHEALTHY:
        return 2
    if standing.traffic_share >= 1.0:
        return 0
    return 0 if rng.random() < standing.traffic_share else 1


def _price(target: Target) -> float:
    """An unknown price ranks as the dearest: it is never taken for free."""
    blended = target.model.prices.blended
    return float("inf") if blended is None else blended


def _across_providers(ranked: list[Target], view: View) -> tuple[Target, ...]:
    """Each provider's best first, then the rest in order; but a last resort never comes before one that is fit."""
    fit = [t for t in ranked if view.standing(t).state is not State.UNHEALTHY]
    unfit = [t for t in ranked if view.standing(t).state is State.UNHEALTHY]
    return (*_one_of_each_first(fit), *_one_of_each_first(unfit))


def _one_of_each_first(ranked: list[Target]) -> list[Target]:
    seen: set[str] = set()
    first: list[Target] = []
    rest: list[Target] = []
    for target in ranked:
        (rest if target.provider.name in seen else first).append(target)
        seen.add(target.provider.name)
    return first + rest
