"""`signalbox config`: check a configuration, show what it comes to, write it out, or begin with another program's."""

from __future__ import annotations

from pathlib import Path

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading

FOREIGN = click.Choice(["litellm"])
FORMS = click.Choice(["yaml", "json"])
_form = click.option("--format", "form", type=FORMS, default="yaml", show_default=True)


@click.group("config")
def command() -> None:
    """Check, show, export and import configurations. None of it needs a running router."""


@command.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.config
def check_command(*, as_json: bool, config: str | None) -> int:
    """Name every mistake in a configuration, what of it is in vain, and the targets that each task gets.

    The table has a line for each chain: the targets in the order to try them for a typical request of that task and
    those budget tiers, as if all of them were healthy. Exit code 2 says that there are mistakes.
    """
    with loading():
        from router_service.commands import config as work
    return work.check(config, as_json=as_json)


@command.command("show")
@_form
@options.config
def show_command(*, form: str, config: str | None) -> None:
    """Write the configuration in force, every default spelt out. Keys are never part of it, only where they lie."""
    with loading():
        from router_service.commands import config as work
    work.show(config, form)


@command.command("schema")
def schema_command() -> None:
    """Write the JSON schema of the file, for editors that complete and check while one types."""
    with loading():
        from router_service.commands import config as work
    work.schema()


@command.command("export")
@_form
@options.config
def export_command(*, form: str, config: str | None) -> None:
    """Write the configuration as one file that stands alone: what it extends is in it, defaults are left out."""
    with loading():
        from router_service.commands import config as work
    work.export(config, form)


@command.command("import")
@click.option("--from", "origin", type=FOREIGN, required=True, help="Whose configuration it is.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def import_command(*, origin: str, file: Path) -> None:
    """Turn another program's configuration FILE into one of ours, on stdout; what has no place in it is named."""
    with loading():
        from router_service.commands import config as work
    work.carry_over(file, origin=origin)
