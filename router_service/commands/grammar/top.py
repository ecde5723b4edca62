"""`signalbox top`: the health of all targets, as it changes."""

from __future__ import annotations

from pathlib import Path

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading


@click.command
@click.option("--json", "as_json", is_flag=True, help="Snapshots as JSON, one a line.")
@click.option("--once", "is_once", is_flag=True, help="Show the current snapshot and end.")
@options.prober
@click.option(
    "--metrics-address",
    callback=options.called,
    metavar="HOST:PORT",
    help="The router's page of metrics, for its requests and what they cost; 127.0.0.1:9464 by default.",
)
@options.data_dir
def command(
    *, as_json: bool, is_once: bool, prober_address: str | None, metrics_address: str | None, data_dir: Path
) -> None:
    """Watch the health of all targets, the worst first, and what the router does. Who goes away is waited for.

    Requests, latency and money are those of the last seconds at the router; the rest is what the prober says."""
    with loading():
        from router_service.commands import top
    top.watch(prober_address, metrics_address, data_dir, as_json=as_json, is_once=is_once)
