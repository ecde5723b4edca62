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
from router_service.core.quota import QuotaStanding, Unit, WindowReading

State = tuple[float, float, float]
"""Points for the quota, without a weight; the most that a request may cost there, in billionths of a dollar, and the
most tokens that it may have."""

OPEN: State = (FULL_QUOTA, math.inf, math.inf)
CLOSED = -1.0
"""A bound that nothing passes, not even what is free."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`windows` tell by provider or target id whether what is counted there is free now. `states` are by slot, and a
    slot without one is open. `sized` are the slots with a window for which a request may be too large in another way
    than a state tells. `may_spend` is false where only what is free may be called.
    """

    quotas: Mapping[str, QuotaStanding]
    budget: BudgetStanding
    windows: Mapping[str, bool]
    states: Mapping[int, State]
    sized: frozenset[int]
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
    most_nanos: float
    most_tokens: float
    is_sized: bool


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
        bounds = _bounds(budget)
        numbers, windows, sized = self._numbers, self._windows, list[int]()
        states = {numbers[name]: (FULL_QUOTA, bound, math.inf) for name, bound in bounds.items() if name in numbers}
        for name, standing in quotas.items():
            window = windows.get(name)
            if window is None or window.standing is not standing:
                window = windows[name] = self._window(name, standing)
            if window.number is not None:
                bound = min(bounds.get(window.provider, math.inf), window.most_nanos)
                states[window.number] = (window.points, bound, window.most_tokens)
                if window.is_sized:
                    sized.append(window.number)
        free = tuple([(name, standing.is_free) for name, standing in quotas.items()])
        key = (free, budget.is_over or budget.free_only, budget.over_providers, tuple(budget.request_limits))
        return Moment(quotas, budget, dict(free), states, frozenset(sized), key)

    def _window(self, name: str, standing: QuotaStanding) -> Window:
        """`name` is a provider's or a target's id."""
        number = self._numbers.get(name)
        if number is None:
            offer = self._targets.get(name)
            if offer is None:
                return Window(standing, None, "", 0.0, math.inf, math.inf, is_sized=False)
            number, provider = len(self._providers) + offer.index, offer.target.provider
        else:
            provider = self._providers[number]
        money, tokens = standing.least_left(Unit.USD_NANOS), standing.least_left(Unit.TOKENS)
        most_nanos = math.inf if money is None else money + NANO_DUST
        return Window(
            standing,
            number,
            provider.name,
            quota_points(standing, has_pacing=provider.pacing),
            most_nanos=most_nanos if standing.has_room else CLOSED,
            most_tokens=math.inf if tokens is None else tokens,
            is_sized=standing.free_window is not None or any(_is_slow(window) for window in standing.windows),
        )


def _bounds(budget: BudgetStanding) -> dict[str, float]:
    """By provider, the most that its own bounds leave a request."""
    bounds = {name: bound + NANO_DUST for name, bound in budget.request_limits.items()}
    for name, left in budget.provider_left.items():
        bounds[name] = min(bounds.get(name, math.inf), left + NANO_DUST)
    return bounds


def _is_slow(window: WindowReading) -> bool:
    """Whether list prices tell what a request takes of it, which nobody has at hand for what is free."""
    return window.is_free or window.unit is Unit.NEURONS
