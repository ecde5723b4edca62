"""Tenants with keys for the configurations of tests."""

from __future__ import annotations

import hashlib


def key(name: str) -> str:
    """The key that the tenant of that name has in tests."""
    return f"sb-key-of-{name}"


def hashed(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def tenant(name: str, *, role: str = "caller", **bounds: object) -> dict[str, object]:
    """An entry for the configuration, with one key."""
    return {"name": name, "keys": [{"hash": hashed(key(name)), "role": role}], **bounds}


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call of that tenant's."""
    return (("authorization", f"Bearer {key(name)}"),)
