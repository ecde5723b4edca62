"""`signalbox prober` and `signalbox simulate`: programs of their own, which take this process over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

_ALL_ARGUMENTS = {"ignore_unknown_options": True, "help_option_names": []}


@click.command(context_settings=_ALL_ARGUMENTS)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def prober(arguments: Sequence[str]) -> None:
    """Run the prober. All arguments are its own."""
    become("prober", arguments)


@click.command(context_settings=_ALL_ARGUMENTS)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: Sequence[str]) -> None:
    """Run the simulated providers. All arguments are their own."""
    become("router_service.simulator", arguments)


def become(module: str, arguments: Sequence[str]) -> None:
    """Replace this process by `python -m module`; it keeps the process id, the terminal and the signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, module_command(module, arguments))


def module_command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command line for a module of ours. -P keeps a directory of the same name where it is typed out of the way."""
    return [sys.executable, "-P", "-m", module, *arguments]
