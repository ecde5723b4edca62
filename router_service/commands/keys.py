"""`signalbox keys`: make a key for a tenant's callers; the configuration holds its hash, and nobody holds a copy."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import asdict, dataclass

import click

from router_service.commands.streams import say

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


def tell(made: NewKey, *, as_json: bool) -> None:
    """Write the key to stdout, this once, and the lines that let it in to stderr; or all of it as one document."""
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
