"""`signalbox providers`: what is configured, what is missing to use it, and how it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text
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

from router_service.commands import options
from router_service.commands.calling import find_prober, prober_client
from router_service.commands.configuration import config_or_simulated, load_settings
from router_service.commands.failure import Failure
from router_service.commands.figures import MISSING, seconds
from router_service.commands.streams import say
from router_service.commands.tables import bare_table, console
from router_service.core.catalog import Catalog, Provider

WORST_FIRST = (
    HEALTH_STATE_UNHEALTHY,
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNKNOWN,
    HEALTH_STATE_HEALTHY,
)

SHOWN_MODELS, WIDTH = 3, 160
STATE_STYLES = {
    HEALTH_STATE_HEALTHY: "green",
    HEALTH_STATE_DEGRADED: "yellow",
    HEALTH_STATE_RECOVERING: "yellow",
    HEALTH_STATE_UNHEALTHY: "red",
}


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
        console(plain_width=WIDTH).print(_table(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class LastProbe:
    """The newest probe of a provider. `error` is a class and a status, and empty after a good one."""

    time: Timestamp
    is_ok: bool
    total_s: float
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """A configured provider with what is known of it; `health` is that of its worst target.

    `free_left` is its free window as the prober reports it, None where it has none or nobody reports it.
    """

    provider: Provider
    models: Sequence[str]
    health: HealthState.ValueType
    free_left: QuotaWindow | None
    last_probe: LastProbe | None


def provider_rows(catalog: Catalog, snapshot: Snapshot) -> list[ProviderRow]:
    """One row for each provider, in the order of the configuration."""
    by_target = {health.target: health for health in snapshot.targets}
    windows = {health.provider: health.windows for health in snapshot.providers}
    return [_row(p, catalog, by_target, windows.get(p.name, ())) for p in catalog.providers]


def _snapshot(flag: str | None, data_dir: Path, configured: str) -> Snapshot:
    """What the prober knows; without a prober nothing is known, which is said and is no failure."""
    address = find_prober(flag, data_dir, configured)
    try:
        with prober_client(address) as client:
            return client.get_snapshot()
    except Failure as failure:
        say(f"signalbox: health is unknown: {failure.message}")
        return Snapshot()


def _row(
    provider: Provider, catalog: Catalog, by_target: Mapping[str, TargetHealth], windows: Iterable[QuotaWindow]
) -> ProviderRow:
    targets = [target for target in catalog.targets if target.provider.name == provider.name]
    known = [by_target[target.id] for target in targets if target.id in by_target]
    states = {health.state for health in known} if provider.is_usable else set()
    return ProviderRow(
        provider=provider,
        models=[target.model.id for target in targets],
        health=next((state for state in WORST_FIRST if state in states), HEALTH_STATE_UNKNOWN),
        free_left=next((window for window in windows if window.free), None),
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
    """The documented shape."""
    return {
        "name": row.provider.name,
        "dialect": row.provider.dialect,
        "tier": row.provider.tier,
        "state": _state(row.provider),
        "key_env": list(row.provider.key_env),
        "key_page": row.provider.key_page or None,
        "models": list(row.models),
        "health": state_name(row.health),
        "free_left": _window_item(row.free_left) if row.free_left else None,
        "last_probe": _probe_item(row.last_probe) if row.last_probe else None,
    }


def _probe_item(probe: LastProbe) -> dict[str, object]:
    return {
        "time": probe.time.ToJsonString(),
        "ok": probe.is_ok,
        "total_ms": round(probe.total_s * 1000, 3),
        "error": probe.error or None,
    }


def _window_item(window: QuotaWindow) -> dict[str, object]:
    return {"unit": window.unit, "remaining": window.remaining, "limit": window.limit}


def _state(provider: Provider) -> str:
    if not provider.is_enabled:
        return "off"
    if not provider.is_usable:
        return "no_key"
    return "ready" if provider.is_callable else "unsupported"


def state_name(state: HealthState.ValueType) -> str:
    """`healthy` for HEALTH_STATE_HEALTHY."""
    return HealthState.Name(state).removeprefix("HEALTH_STATE_").lower()


def _table(rows: Sequence[ProviderRow]) -> Table:
    """One row for each provider. What is left of free windows has a column where anybody reports it."""
    has_windows = any(row.free_left for row in rows)
    shown = bare_table()
    for heading in ("provider", "state"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("key from", "models"):
        shown.add_column(heading, overflow="fold")
    shown.add_column("health", no_wrap=True)
    if has_windows:
        shown.add_column("free left", no_wrap=True)
    shown.add_column("last probe", overflow="fold")
    for row in rows:
        free = [_window_text(row.free_left)] if has_windows else []
        state = _state(row.provider)
        shown.add_row(
            row.provider.name,
            Text(state.replace("_", " "), style="" if state == "ready" else "dim"),
            _needs(row.provider),
            _models_text(row.models),
            Text(state_name(row.health), style=STATE_STYLES.get(row.health, "")),
            *free,
            _probe_text(row.last_probe),
        )
    return shown


def _needs(provider: Provider) -> str:
    """Where its key and the rest of its address come from; where one gets a key, as long as there is none."""
    names = " or ".join(provider.key_env) or provider.key_file
    needed = " and ".join([*provider.missing_variables, *([names] if names else [])])
    if not provider.is_usable and provider.key_page:
        return f"{needed} ({provider.key_page})"
    return needed or "needs none"


def _models_text(models: Sequence[str]) -> str:
    more = len(models) - SHOWN_MODELS
    return ", ".join(models) if more <= 1 else f"{', '.join(models[:SHOWN_MODELS])} and {more} more"


def _window_text(window: QuotaWindow | None) -> str:
    return f"{window.remaining} of {window.limit} {window.unit}" if window else MISSING


def _probe_text(probe: LastProbe | None) -> str:
    if probe is None:
        return MISSING
    return f"ok in {seconds(probe.total_s)}" if probe.is_ok else f"failed: {probe.error or 'no reason is known'}"
