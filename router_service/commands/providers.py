"""`signalbox providers`: what is configured, what is missing to use it, and how it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from signalbox.v1.health_feed_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_UNKNOWN,
    HealthState,
    Snapshot,
    TargetHealth,
)

from router_service.commands import options
from router_service.commands.calling import find_prober, prober_client
from router_service.commands.configuration import config_or_simulated, load_settings
from router_service.commands.failure import Failure
from router_service.commands.figures import MISSING, seconds
from router_service.commands.streams import say
from router_service.core.catalog import Catalog, Provider

WORST_FIRST = (
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNKNOWN,
    HEALTH_STATE_HEALTHY,
)


@click.command
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.config
@options.prober
@options.data_dir
def command(*, as_json: bool, config: str | None, prober_address: str | None, data_dir: Path) -> None:
    """List the configured providers, which keys they want, and what the prober says of them."""
    settings = load_settings(config_or_simulated(config))
    snapshot = _snapshot(prober_address, data_dir, settings.prober.address)
    rows = provider_rows(settings.catalog, snapshot)
    if as_json:
        click.echo(json.dumps({"items": [_item(row) for row in rows]}, ensure_ascii=False))
    else:
        Console(soft_wrap=True).print(_table(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProbe:
    """The newest probe of a provider. `error` is a class and a status, and empty after a good one."""

    time: Timestamp
    is_ok: bool
    total_s: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """A configured provider with what is known of it; `health` is that of its worst target."""

    provider: Provider
    models: Sequence[str]
    health: HealthState.ValueType
    last_probe: LastProbe | None


def provider_rows(catalog: Catalog, snapshot: Snapshot) -> list[ProviderRow]:
    """One row for each provider, in the order of the configuration."""
    by_target = {health.target: health for health in snapshot.targets}
    return [_row(provider, catalog, by_target) for provider in catalog.providers]


def _snapshot(flag: str | None, data_dir: Path, configured: str) -> Snapshot:
    """What the prober knows; without a prober nothing is known, which is said and is no failure."""
    address = find_prober(flag, data_dir, configured)
    try:
        with prober_client(address) as client:
            return client.get_snapshot()
    except Failure as failure:
        say(f"signalbox: health is unknown: {failure.message}")
        return Snapshot()


def _row(provider: Provider, catalog: Catalog, by_target: Mapping[str, TargetHealth]) -> ProviderRow:
    targets = [target for target in catalog.targets if target.provider.name == provider.name]
    known = [by_target[target.id] for target in targets if target.id in by_target]
    states = {health.state for health in known} if provider.is_usable else set()
    return ProviderRow(
        provider=provider,
        models=[target.model.id for target in targets],
        health=next((state for state in WORST_FIRST if state in states), HEALTH_STATE_UNKNOWN),
        last_probe=_last_probe(known),
    )


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


def _item(row: ProviderRow) -> dict[str, object]:
    """The documented shape. Where a key is had and what is left for free no part of Signalbox knows yet: null."""
    return {
        "name": row.provider.name,
        "dialect": row.provider.dialect,
        "tier": row.provider.tier,
        "state": _state(row.provider),
        "key_env": list(row.provider.key_env),
        "key_page": None,
        "models": list(row.models),
        "health": state_name(row.health),
        "free_left": None,
        "last_probe": _probe_item(row.last_probe) if row.last_probe else None,
    }


def _probe_item(probe: LastProbe) -> dict[str, object]:
    return {
        "time": probe.time.ToJsonString(),
        "ok": probe.is_ok,
        "total_ms": round(probe.total_s * 1000, 3),
        "error": probe.error or None,
    }


def _state(provider: Provider) -> str:
    return "ready" if provider.is_usable else "no_key"


def state_name(state: HealthState.ValueType) -> str:
    """`healthy` for HEALTH_STATE_HEALTHY."""
    return HealthState.Name(state).removeprefix("HEALTH_STATE_").lower()


def _table(rows: Iterable[ProviderRow]) -> Table:
    table = Table("provider", "state", "key from", "models", "health", "last probe", box=None, header_style="bold")
    for row in rows:
        names = " or ".join(row.provider.key_env) or row.provider.key_file
        models = ", ".join(row.models)
        table.add_row(
            row.provider.name,
            _state(row.provider),
            names or "needs none",
            models,
            state_name(row.health),
            _probe_text(row.last_probe),
        )
    return table


def _probe_text(probe: LastProbe | None) -> str:
    if probe is None:
        return MISSING
    return f"ok in {seconds(probe.total_s)}" if probe.is_ok else f"failed: {probe.error or 'no reason is known'}"
