"""`signalbox keys`: make keys for a tenant's callers."""

from __future__ import annotations

from datetime import datetime

import click

from router_service.commands import keys
from router_service.core.tenant import Role


def _checked_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not keys.NAME.fullmatch(value):
        raise click.BadParameter("a tenant's name has small letters, digits, - and _, and at most 63 of them")
    return value


@click.group("keys")
def command() -> None:
    """Make keys for those who call the router."""


@command.command("new")
@click.option(
    "--tenant", metavar="NAME", callback=_checked_name, default="web", show_default=True, help="Whose key it is to be."
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.CALLER.value,
    show_default=True,
    help="What it allows.",
)
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The first day, in UTC, on which it counts no more; without, it counts for ever.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def new_command(*, tenant: str, role: str, expires: datetime | None, as_json: bool) -> None:
    """Make a key and print it, this once, with the lines that let it in.

    The key goes to stdout and belongs to the caller, for example in SIGNALBOX_API_KEY. The lines go to stderr and
    belong into the configuration, which a running router reads anew by itself. They hold the key's SHA-256: from it
    nobody gets back to the key, which is 256 bits of chance.
    """
    keys.tell(keys.new_key(tenant, role, expires.date().isoformat() if expires else ""), as_json=as_json)
