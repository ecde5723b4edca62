"""A target as the decision sees it: what of it changes only with the catalogue, worked out once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router_service.core.catalog import Catalog, Prices, Target

DEAREST_USD = 60.0
"""USD per million tokens: what an unknown price ranks as where its provider has no known one either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`slot` is its provider's number. `rank_prices` are its own, or its provider's dearest where those are unknown.

    `is_always_free` holds whatever any window says: a local target, or one whose prices are zero.
    """

    index: int
    slot: int
    id: str
    is_local: bool
    target: Target
    capabilities: frozenset[str]
    is_price_known: bool
    rank_prices: Prices
    is_always_free: bool
    max_in_flight: int | None

    def is_free(self, windows: Mapping[str, bool]) -> bool:
        """Whether it costs nothing right now. `windows` says so of what is counted, by provider or target id; a free
        window that nobody counts is open.
        """
        if self.is_always_free:
            return True
        provider = self.target.provider
        counted = windows.get(self.id, windows.get(provider.name))
        if counted is not None:
            return counted
        return provider.free is not None and provider.free.covers(self.target.model.id)


def offers_of(catalog: Catalog) -> tuple[Offer, ...]:
    slots = {provider.name: slot for slot, provider in enumerate(catalog.providers)}
    dearest = _dearest(catalog)
    return tuple(
        _offer(index, target, slots[target.provider.name], dearest.get(target.provider.name))
        for index, target in enumerate(catalog.targets)
    )


def _offer(index: int, target: Target, slot: int, dearest: Prices | None) -> Offer:
    prices, provider = target.model.prices, target.provider
    return Offer(
        index=index,
        slot=slot,
        id=target.id,
        is_local=provider.is_self_hosted,
        target=target,
        capabilities=target.capabilities,
        is_price_known=prices.blended is not None,
        rank_prices=prices if prices.blended is not None else dearest or Prices(input=DEAREST_USD, output=DEAREST_USD),
        is_always_free=provider.is_self_hosted or provider.is_unpriced or prices.blended == 0,
        max_in_flight=provider.max_concurrency,
    )


def _dearest(catalog: Catalog) -> Mapping[str, Prices]:
    """By provider, the prices of its dearest model among those that have any."""
    found: dict[str, tuple[float, Prices]] = {}
    for target in catalog.targets:
        blended = target.model.prices.blended
        if blended is not None and blended >= found.get(target.provider.name, (0.0,))[0]:
            found[target.provider.name] = (blended, target.model.prices)
    return {name: prices for name, (_, prices) in found.items()}
