"""Providers as `signalbox providers` lists them: those of a running router, or of a configuration, and how they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from signalbox.v1.admin_pb2 import (
    AVAILABILITY_DISABLED,
    AVAILABILITY_ENABLED,
    AVAILABILITY_NO_KEY,
    AVAILABILITY_UNSUPPORTED,
    Target,
)
from signalbox.v1.health_feed_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_UNKNOWN,
    HealthState,
    QuotaWindow,
    Snapshot,
    TargetHealth,
)

from router_service.core.catalog import Catalog, Provider

WORST_FIRST = (
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNKNOWN,
    HEALTH_STATE_HEALTHY,
)
BEST_FIRST: Mapping[int, str] = {
    AVAILABILITY_ENABLED: "ready",
    AVAILABILITY_NO_KEY: "no_key",
    AVAILABILITY_UNSUPPORTED: "unsupported",
    AVAILABILITY_DISABLED: "off",
}
"""What a provider is whose best target is so: one that can be called makes it ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProbe:
    """The newest probe of a provider. `error` is a class and a status, and empty after a good one."""

    time: Timestamp
    is_ok: bool
    total_s: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """A provider with what is known of it. `state` is `ready`, `no_key`, `unsupported` or `off`; `health` is that of
    its worst target.

    `key_env` names the variables that may hold its key, and `key_from` says in words what it needs of where it is
    configured. `free_left` is its free window as the prober reports it, None where it has none or nobody reports it.
    """

    name: str
    dialect: str
    tier: str
    state: str
    key_env: Sequence[str]
    key_page: str
    key_from: str
    models: Sequence[str]
    health: HealthState.ValueType
    free_left: QuotaWindow | None
    last_probe: LastProbe | None


def configured_rows(catalog: Catalog, snapshot: Snapshot) -> list[ProviderRow]:
    """One row for each provider of a configuration, in its order."""
    return [_configured(provider, catalog, snapshot) for provider in catalog.providers]


def served_rows(targets: Iterable[Target], known: Catalog, snapshot: Snapshot) -> list[ProviderRow]:
    """One row for each provider of a router's targets, by name. Where its key is had, the router does not tell: that is
    what `known`, the configuration here, has of a provider of that name and dialect.
    """
    by_provider: dict[str, list[Target]] = {}
    for target in targets:
        by_provider.setdefault(target.provider, []).append(target)
    here = {(provider.name, provider.dialect): provider for provider in known.providers}
    ordered = sorted(by_provider.items())
    return [_served(name, found, here.get((name, found[0].dialect)), snapshot) for name, found in ordered]


def _configured(provider: Provider, catalog: Catalog, snapshot: Snapshot) -> ProviderRow:
    targets = [target for target in catalog.targets if target.provider.name == provider.name]
    probed = _probed(snapshot, {target.id for target in targets})
    return ProviderRow(
        name=provider.name,
        dialect=provider.dialect,
        tier=provider.tier,
        state=_state(provider),
        key_env=provider.key_env,
        key_page=provider.key_page,
        key_from=_needs(provider),
        models=[target.model.id for target in targets],
        health=_worst({health.state for health in probed} if provider.is_usable else set()),
        free_left=_free_left(provider.name, snapshot),
        last_probe=_last_probe(probed),
    )


def _served(name: str, targets: Sequence[Target], here: Provider | None, snapshot: Snapshot) -> ProviderRow:
    availabilities = {target.availability for target in targets}
    best = next((each for each in BEST_FIRST if each in availabilities), AVAILABILITY_DISABLED)
    lacking = next((t.availability_detail for t in targets if t.availability == AVAILABILITY_NO_KEY), "")
    page = here.key_page if here is not None else ""
    return ProviderRow(
        name=name,
        dialect=targets[0].dialect,
        tier=targets[0].tier,
        state=BEST_FIRST[best],
        key_env=() if here is None else here.key_env,
        key_page=page,
        key_from=f"{lacking} ({page})" if lacking and page else lacking or _needs_of(here),
        models=[target.model for target in targets],
        health=_worst({t.health.state for t in targets if t.availability == AVAILABILITY_ENABLED}),
        free_left=_free_left(name, snapshot),
        last_probe=_last_probe(_probed(snapshot, {target.id for target in targets})),
    )


def _state(provider: Provider) -> str:
    if not provider.is_enabled:
        return "off"
    if not provider.is_usable:
        return "no_key"
    return "ready" if provider.is_callable else "unsupported"


def _needs(provider: Provider) -> str:
    """Where its key and the rest of its address come from; where one gets a key, as long as there is none."""
    names = " or ".join(provider.key_env) or provider.key_file
    needed = " and ".join([*provider.missing_variables, *([names] if names else [])])
    if not provider.is_usable and provider.key_page:
        return f"{needed} ({provider.key_page})"
    return needed or "needs none"


def _needs_of(here: Provider | None) -> str:
    """The same of a provider that a router has, as far as it is known here."""
    return "the router's own" if here is None else _needs(here)


def _worst(states: Iterable[int]) -> HealthState.ValueType:
    found = set(states)
    return next((state for state in WORST_FIRST if state in found), HEALTH_STATE_UNKNOWN)


def _probed(snapshot: Snapshot, ids: set[str]) -> list[TargetHealth]:
    return [health for health in snapshot.targets if health.target in ids]


def _free_left(provider: str, snapshot: Snapshot) -> QuotaWindow | None:
    windows = [window for health in snapshot.providers if health.provider == provider for window in health.windows]
    return next((window for window in windows if window.free), None)


def _last_probe(known: Iterable[TargetHealth]) -> LastProbe | None:
    probed = [health for health in known if health.HasField("last_probe_time")]
    if not probed:
        return None
    newest = max(probed, key=lambda health: health.last_probe_time.ToNanoseconds())
    return LastProbe(
        time=newest.last_probe_time,
        is_ok=newest.last_probe.ok,
        total_s=newest.last_probe.total.ToNanoseconds() / 1e9,
        error="" if newest.last_probe.ok else newest.last_error,
    )
