"""`signalbox providers`: what a running router has, what is missing to use it, and how it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text
from signalbox.v1.health_feed_pb2 import (
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_RECOVERING,
    HEALTH_STATE_UNHEALTHY,
    HealthState,
    QuotaWindow,
    Snapshot,
)
from signalbox_client.endpoint import router_address

from router_service.commands.calling import admin_client, find_prober, prober_client
from router_service.commands.configuration import config_or_simulated, load_settings
from router_service.commands.failure import ExitCode, Failure
from router_service.commands.figures import MISSING, seconds
from router_service.commands.provider_rows import LastProbe, ProviderRow, configured_rows, served_rows
from router_service.commands.streams import say
from router_service.commands.tables import bare_table, console
from router_service.core.catalog import Catalog
from router_service.core.settings import ProberSettings, Settings

SHOWN_MODELS, WIDTH = 3, 160
STATE_STYLES = {
    HEALTH_STATE_HEALTHY: "green",
    HEALTH_STATE_DEGRADED: "yellow",
    HEALTH_STATE_RECOVERING: "yellow",
    HEALTH_STATE_UNHEALTHY: "red",
}


def tell(address: str | None, config: str | None, prober_address: str | None, data_dir: Path, *, as_json: bool) -> None:
    """Write the providers of the running router, or of a configuration, with what the prober knows of them."""
    rows = _rows(address, config, prober_address, data_dir)
    if as_json:
        click.echo(json.dumps({"items": [_item(row) for row in rows]}, ensure_ascii=False))
    else:
        console(plain_width=WIDTH).print(_table(rows))


def _rows(address: str | None, config: str | None, prober_address: str | None, data_dir: Path) -> Sequence[ProviderRow]:
    if config is None:
        try:
            with admin_client(address) as client:
                targets = list(client.list_targets())
        except Failure as failure:
            if failure.ending is not ExitCode.UNREACHABLE:
                raise
            say(f"signalbox: no router at {router_address(address)}: this is what the configuration here says")
        else:
            here = _here()
            configured = ProberSettings().address if here is None else here.prober.address
            known = Catalog(()) if here is None else here.catalog
            return served_rows(targets, known, _snapshot(prober_address, data_dir, configured))
    settings = load_settings(config_or_simulated(config))
    return configured_rows(settings.catalog, _snapshot(prober_address, data_dir, settings.prober.address))


def _here() -> Settings | None:
    """The configuration here, None where it cannot be used: the router goes by its own."""
    try:
        return load_settings(config_or_simulated(None))
    except Failure:
        return None


def _snapshot(flag: str | None, data_dir: Path, configured: str) -> Snapshot:
    """What the prober knows; without a prober nothing is known, which is said and is no failure."""
    address = find_prober(flag, data_dir, configured)
    try:
        with prober_client(address) as client:
            return client.get_snapshot()
    except Failure as failure:
        say(f"signalbox: health is unknown: {failure.message}")
        return Snapshot()


def _item(row: ProviderRow) -> dict[str, object]:
    """The documented shape."""
    return {
        "name": row.name,
        "dialect": row.dialect,
        "tier": row.tier,
        "state": row.state,
        "key_env": list(row.key_env),
        "key_page": row.key_page or None,
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
        shown.add_row(
            row.name,
            Text(row.state.replace("_", " "), style="" if row.state == "ready" else "dim"),
            row.key_from,
            _models_text(row.models),
            Text(state_name(row.health), style=STATE_STYLES.get(row.health, "")),
            *free,
            _probe_text(row.last_probe),
        )
    return shown


def _models_text(models: Sequence[str]) -> str:
    more = len(models) - SHOWN_MODELS
    return ", ".join(models) if more <= 1 else f"{', '.join(models[:SHOWN_MODELS])} and {more} more"


def _window_text(window: QuotaWindow | None) -> str:
    return f"{window.remaining} of {window.limit} {window.unit}" if window else MISSING


def _probe_text(probe: LastProbe | None) -> str:
    if probe is None:
        return MISSING
    return f"ok in {seconds(probe.total_s)}" if probe.is_ok else f"failed: {probe.error or 'no reason is known'}"
