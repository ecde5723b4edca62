"""`signalbox prober`: a program of its own, which takes this process over."""

from __future__ import annotations

from collections.abc import Sequence

import click

from router_service.commands.modules import become


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Sequence[str]) -> None:
    """Run the prober. All arguments are its own."""
    become("prober", arguments)
