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
@options.data_dir
def command(*, as_json: bool, is_once: bool, prober_address: str | None, data_dir: Path) -> None:
    """Watch the health of all targets. A prober that goes away is waited for."""
    with loading():
        from router_service.commands import top
    top.watch(prober_address, data_dir, as_json=as_json, is_once=is_once)
