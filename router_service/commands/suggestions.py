"""What a shell offers to complete: names that stand in the configuration, whether or not a router runs."""

from __future__ import annotations

from collections.abc import Iterable

from router_service.commands.configuration import config_or_simulated, load_settings
from router_service.commands.failure import Failure
from router_service.core.catalog import Catalog

NOTHING = Catalog(targets=())


def models(incomplete: str) -> list[str]:
    """The aliases, and the ids of the targets that may be called, that begin so."""
    targets = [target for target in _catalog().targets if target.provider.is_usable]
    names = [alias for target in targets for alias in target.model.aliases]
    return _beginning([*names, *[target.id for target in targets]], incomplete)


def providers(incomplete: str) -> list[str]:
    """The providers whose names begin so."""
    return _beginning([provider.name for provider in _catalog().providers], incomplete)


def _catalog() -> Catalog:
    """The configuration's; nothing where there is none that can be used, since nobody asked to hear of it."""
    try:
        return load_settings(config_or_simulated(None)).catalog
    except Failure:
        return NOTHING


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
