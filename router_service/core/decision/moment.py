"""What a decision reads that changes from request to request: windows, money and what is in flight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from router_service.core.budget import BudgetStanding
from router_service.core.catalog import Provider
from router_service.core.decision.estimates import NANO_DUST
from router_service.core.decision.offer import Offer
from router_service.core.decision.points import FULL_QUOTA, quota_points
from router_service.core.quota import QuotaStanding

State = tuple[float, float]
"""Points for the quota, without a weight, and the most that a request may cost there, in billionths of a dollar."""

OPEN: State = (FULL_QUOTA, math.inf)
CLOSED = -1.0
"""A bound that nothing passes, not even what is free."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`windows` tell by provider or target id whether what is counted there is free now. `states` are by slot, and a
    slot without one is open. `may_spend` is false where only what is free may be called.
    """

    quotas: Mapping[str, QuotaStanding]
    budget: BudgetStanding
    windows: Mapping[str, bool]
    states: Mapping[int, State]
    key: tuple[object, ...]
    """Equal for moments in which the same targets are free and the same may be paid for."""

    @property
    def may_spend(self) -> bool:
        return not (self.budget.is_over or self.budget.free_only)

    def quota(self, offer: Offer) -> QuotaStanding | None:
        """The standing of the target's own window, else of its provider's; None where nothing is counted."""
        return self.quotas.get(offer.id) or self.quotas.get(offer.target.provider.name)

    def may_be_paid(self, provider: str) -> bool:
        return self.may_spend and provider not in self.budget.over_providers


@dataclass(frozen=True, slots=True)
class Window:
    """A standing with what it comes to. `number` is None for a name that the catalogue does not know."""

    standing: QuotaStanding
    number: int | None
    provider: str
    points: float


class Slots:
    """Numbers for whatever has a window: first the providers, then, by their index, targets with one of their own."""

    __slots__ = ("_numbers", "_providers", "_targets", "_windows")

    def __init__(self, offers: tuple[Offer, ...], providers: tuple[Provider, ...]) -> None:
        self._providers = providers
        self._targets = {offer.id: offer for offer in offers}
        self._numbers = {provider.name: number for number, provider in enumerate(providers)}
        self._windows: dict[str, Window] = {}

    def of(self, offer: Offer, quotas: Mapping[str, QuotaStanding]) -> int:
        return len(self._providers) + offer.index if offer.id in quotas else offer.slot

    def moment(self, quotas: Mapping[str, QuotaStanding], budget: BudgetStanding) -> Moment:
        """Cheap where most standings are the same objects as the last time."""
        bounds = {name: bound + NANO_DUST for name, bound in budget.request_limits.items()}
        states = {self._numbers[name]: (FULL_QUOTA, bound) for name, bound in bounds.items() if name in self._numbers}
        windows = self._windows
        for name, standing in quotas.items():
            window = windows.get(name)
            if window is None or window.standing is not standing:
                window = windows[name] = self._window(name, standing)
            if window.number is not None:
                bound = bounds.get(window.provider, math.inf) if standing.has_room else CLOSED
                states[window.number] = (window.points, bound)
        free = tuple([(name, standing.is_free) for name, standing in quotas.items()])
        key = (free, budget.is_over or budget.free_only, budget.over_providers, tuple(bounds))
        return Moment(quotas, budget, dict(free), states, key)

    def _window(self, name: str, standing: QuotaStanding) -> Window:
        """`name` is a provider's or a target's id."""
        number = self._numbers.get(name)
        if number is None:
            offer = self._targets.get(name)
            if offer is None:
                return Window(standing, None, "", 0.0)
            number, provider = len(self._providers) + offer.index, offer.target.provider
        else:
            provider = self._providers[number]
        return Window(standing, number, provider.name, quota_points(standing, has_pacing=provider.pacing))
