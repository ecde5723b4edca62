"""Which addresses stay on this machine: what listens elsewhere has to be meant, and guarded."""

from __future__ import annotations

from ipaddress import ip_address


def is_local(address: str) -> bool:
    """Whether only this machine reaches a listener at `address` (HOST:PORT or unix:PATH).

    A name other than `localhost` is not looked up: it counts as far.
    """
    return address.startswith("unix:") or _is_loopback(address.rpartition(":")[0].strip("[]"))


def _is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without brackets, is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
