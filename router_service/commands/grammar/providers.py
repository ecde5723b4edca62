"""`signalbox providers`: what a running router has, what is missing to use it, and how it is."""

from __future__ import annotations

from pathlib import Path

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading


@click.command
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.router
@click.option(
    "--config", type=click.Path(), metavar="FILE", help="List what this file says instead, and ask no router."
)
@options.prober
@options.data_dir
def command(
    *, as_json: bool, address: str | None, config: str | None, prober_address: str | None, data_dir: Path
) -> None:
    """List the providers of the running router, and what the prober says of them.

    Without a router it is those of the configuration here, which is said.
    """
    with loading():
        from router_service.commands import providers
    providers.tell(address, config, prober_address, data_dir, as_json=as_json)
