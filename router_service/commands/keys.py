"""`signalbox keys`: make a key for a tenant's callers; the configuration holds its hash, and nobody holds a copy."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

import click

from router_service.commands.streams import say
from router_service.core.tenant import Role

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""What the configuration takes as a name."""
PREFIX = "sb-"
"""Tells people and scanners of leaked secrets what they have found."""
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key, and what the configuration says of it."""

    key: str
    hash: str
    tenant: str
    role: str
    expires: str

    def entry(self) -> str:
        """The line for the tenant's `keys`."""
        expires = f", expires: {self.expires}" if self.expires else ""
        return f'{{hash: "{self.hash}", role: {self.role}{expires}}}'


def _checked_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not NAME.fullmatch(value):
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
    made = new_key(tenant, role, expires.date().isoformat() if expires else "")
    if as_json:
        click.echo(json.dumps(asdict(made)))
        return
    click.echo(made.key)
    say("The key is above, and will not be shown again. For the configuration:")
    say(f"tenants:\n  - name: {made.tenant}\n    keys:\n      - {made.entry()}")


def new_key(tenant: str, role: str, expires: str = "") -> NewKey:
    """A key that nobody can guess."""
    key = f"{PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return NewKey(key=key, hash=f"sha256:{digest}", tenant=tenant, role=role, expires=expires)
