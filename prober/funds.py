"""What a deep probe may take: room in the provider's limits, money in the budgets, and the day's own cap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prober.cap import DailyCap, Taking
from prober.recipes import LEAST_INPUT_TOKENS, MOST_INPUT_TOKENS, Recipe
from router_service.core.catalog import Target
from router_service.core.chat import Usage
from router_service.core.health import QuotaWindow
from router_service.core.prices import cost_usd_nanos
from router_service.core.quota import Amounts, Refused, Reservation, amounts_of
from router_service.store.quota import QuotaBook

LEAST_LEFT = 0.1
"""Probes leave the last tenth of a provider's tightest window to callers."""

LONGEST_REFUSAL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaffordable:
    """There is no room for a probe. Ask again in `retry_in_s`."""

    retry_in_s: float


class Funds:
    """Counts in `quotas` like any request, and holds the worst case under `cap`, where the call has a price."""

    def __init__(self, quotas: QuotaBook, cap: DailyCap) -> None:
        self._quotas = quotas
        self._cap = cap

    async def reserve(self, target: Target, recipe: Recipe) -> Expense | Unaffordable:
        """Take what one probe may cost at most, before anything is sent."""
        worst_usd_nanos = cost_usd_nanos(worst_usage(recipe), target.model.prices)
        reservation = self._reserve(target, recipe, worst_usd_nanos)
        if isinstance(reservation, Unaffordable):
            return reservation
        if reservation.is_free or not worst_usd_nanos:
            return Expense(self, target, reservation, None)
        taking: Taking | None = None
        try:
            taking = await self._cap.take(target.provider.name, worst_usd_nanos)
        finally:
            if taking is None:
                self._quotas.settle(reservation, Amounts())
        if taking is None:
            return Unaffordable(retry_in_s=min(LONGEST_REFUSAL_S, self._cap.resets_in_s()))
        return Expense(self, target, reservation, taking)

    def observe(self, target: Target, headers: Mapping[str, str]) -> tuple[QuotaWindow, ...]:
        """An answer's head arrived: what it states of limits corrects the count. Returns what is left of them now."""
        provider = target.provider.name
        self._quotas.observe_headers(provider, headers, model=target.model.id)
        return tuple(reading.shown() for reading in self._quotas.readings(provider))

    def settle(self, reservation: Reservation, spent: Amounts) -> None:
        """As Quotas.settle."""
        self._quotas.settle(reservation, spent)

    def _reserve(self, target: Target, recipe: Recipe, worst_usd_nanos: int) -> Reservation | Unaffordable:
        provider, model = target.provider.name, target.model.id
        standings = self._quotas.standings()
        standing = standings.get(target.id) or standings.get(provider)
        if standing is not None and standing.remaining_share is not None and standing.remaining_share < LEAST_LEFT:
            return _refused(standing.resets_in_s)
        amounts = amounts_of(LEAST_INPUT_TOKENS + recipe.max_output_tokens, worst_usd_nanos)
        reserved = self._quotas.reserve(provider, model, amounts, worst_usd_nanos=worst_usd_nanos)
        return _refused(reserved.retry_in_s) if isinstance(reserved, Refused) else reserved


class Expense:
    """What one probe holds. To be settled once, however it ended."""

    __slots__ = ("_funds", "_reservation", "_taking", "_target")

    def __init__(self, funds: Funds, target: Target, reservation: Reservation, taking: Taking | None) -> None:
        self._funds = funds
        self._target = target
        self._reservation = reservation
        self._taking = taking

    async def settle(self, usage: Usage | None) -> None:
        """The tokens that the provider billed; None where nothing was sent."""
        cost = 0 if usage is None else cost_usd_nanos(usage, self._target.model.prices)
        tokens = 0 if usage is None else usage.input_tokens + usage.output_tokens
        self._funds.settle(self._reservation, Amounts() if usage is None else amounts_of(tokens, cost))
        if self._taking is not None:
            await self._taking.settle(cost)


def worst_usage(recipe: Recipe) -> Usage:
    """What a provider may bill for a probe whose answer does not say."""
    return Usage(input_tokens=MOST_INPUT_TOKENS, output_tokens=recipe.max_output_tokens)


def _refused(retry_in_s: float | None) -> Unaffordable:
    return Unaffordable(retry_in_s=LONGEST_REFUSAL_S if retry_in_s is None else min(LONGEST_REFUSAL_S, retry_in_s))
