"""The terms of every provider in a catalogue, as the book of quotas wants them."""

from __future__ import annotations

from collections.abc import Iterable

from router_service.core.catalog import Catalog, Model, Provider
from router_service.core.quota import QuotaRules


def terms_of(catalog: Catalog) -> tuple[QuotaRules, ...]:
    """One provider's rules each. Their days, weeks and months begin at midnight UTC: the zone of the operator's own
    budgets says nothing about how a provider counts.
    """
    models: dict[str, list[Model]] = {}
    for target in catalog.targets:
        models.setdefault(target.provider.name, []).append(target.model)
    return tuple(_rules(provider, models[provider.name]) for provider in catalog.providers)


def _rules(provider: Provider, models: Iterable[Model]) -> QuotaRules:
    return QuotaRules(
        provider=provider.name,
        limits=provider.limits,
        free=provider.free,
        overflow=provider.overflow,
        is_unpriced=provider.is_unpriced or provider.is_self_hosted,
        free_models=frozenset(model.id for model in models if model.prices.blended == 0),
    )
