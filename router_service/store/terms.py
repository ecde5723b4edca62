"""The terms of every provider in a catalogue, as the book of quotas wants them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo

from router_service.core.catalog import Catalog, Model, Provider
from router_service.core.quota import QuotaRules


def terms_of(catalog: Catalog, *, zone: tzinfo = UTC) -> tuple[QuotaRules, ...]:
    """One provider's rules each. Days, weeks and months of their windows begin at midnight of `zone`, which is UTC
    unless a provider is known to count otherwise: the zone of the operator's own budgets says nothing about it.
    """
    models: dict[str, list[Model]] = {}
    for target in catalog.targets:
        models.setdefault(target.provider.name, []).append(target.model)
    return tuple(_rules(provider, models[provider.name], zone) for provider in catalog.providers)


def _rules(provider: Provider, models: Iterable[Model], zone: tzinfo) -> QuotaRules:
    return QuotaRules(
        provider=provider.name,
        limits=provider.limits,
        free=provider.free,
        overflow=provider.overflow,
        is_unpriced=provider.is_unpriced or provider.is_self_hosted,
        free_models=frozenset(model.id for model in models if model.prices.blended == 0),
        zone=zone,
    )
