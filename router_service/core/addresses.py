"""Which addresses stay on this machine, what listening elsewhere takes, what is never called; the prober's socket."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
METADATA_ADDRESSES = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
"""Where clouds tell a machine its own credentials, besides the link-local addresses."""
_NUMBER = re.compile(r"0x[0-9a-f]+|0|[1-9][0-9]*")
"""Resolvers take an address of IPv4 as one number, too."""


def is_local(address: str) -> bool:
    """Whether only this machine reaches a listener at `address` (HOST:PORT or unix:PATH).

    A name other than `localhost` is not looked up: it counts as far.
    """
    return address.startswith("unix:") or _is_loopback(address.rpartition(":")[0].strip("[]"))


def unguarded(address: str, *, has_tls: bool, has_client_ca: bool, has_keys: bool) -> str:
    """What a listener at `address` lacks to be one that other machines reach: half a sentence, empty where nothing."""
    if is_local(address):
        return ""
    if not has_tls:
        return "keys and prompts would cross the network in the clear" if has_keys else "callers are not authenticated"
    return "" if has_keys or has_client_ca else "callers are not authenticated, only encrypted"


def is_metadata(host: str) -> bool:
    """Whether `host`, a name or an address without brackets, is where a cloud tells a machine its own credentials, or
    link-local as such places are. A name is not looked up.
    """
    name = host.lower().rstrip(".")
    return name in METADATA_NAMES or _is_metadata_address(name)


def _is_metadata_address(host: str) -> bool:
    address = _address(host.partition("%")[0])
    return address is not None and (address.is_link_local or address in METADATA_ADDRESSES)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` is, in the plain form where IPv6 wraps an address of IPv4."""
    try:
        address = ip_address(int(host, 0)) if _NUMBER.fullmatch(host) else ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address without brackets, is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def prober_socket(data_dir: Path) -> Path:
    """Where a prober with this data directory listens beside its port: in a directory that only its user may enter."""
    return data_dir.resolve() / "sockets" / "prober.sock"
