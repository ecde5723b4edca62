"""Where to listen and whom to call: reads addresses and URLs, and tells which of them stay on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from router_service.config.problem import Refusal
from router_service.core.addresses import is_local, is_metadata

SIMULATOR_SCHEME = "simulator:"
MAX_UNIX_PATH_BYTES = 107
"""What the kernel's socket address holds, without its closing NUL."""


def checked_tcp_address(address: str) -> str:
    """`HOST:PORT` or `[IPV6]:PORT`, as given. Raises Refusal."""
    host, colon, port = address.rpartition(":")
    is_host = bool(_BRACKETED.fullmatch(host) or _HOST.fullmatch(host))
    if not (colon and is_host and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise Refusal("is not an address", "HOST:PORT, for example 127.0.0.1:50051; port 0 takes a free one")
    return address


def checked_called_address(address: str) -> str:
    """The same for whom to call, where port 0 is nobody's. Raises Refusal."""
    if not int(checked_tcp_address(address).rpartition(":")[2]):
        raise Refusal("is nobody's address", "HOST:PORT, with a port from 1 to 65535")
    return address


def checked_listen_address(address: str) -> str:
    """`HOST:PORT` or `unix:PATH`, as given. Raises Refusal."""
    if not address.startswith("unix:"):
        return checked_tcp_address(address)
    path = address.removeprefix("unix:")
    if not path.strip("/") or len(path.encode()) > MAX_UNIX_PATH_BYTES:
        raise Refusal("is not the path of a socket", f"unix:PATH, with a path of 1 to {MAX_UNIX_PATH_BYTES} bytes")
    return address


def is_far_address(address: str) -> bool:
    """Whether other machines reach a listener at `address`; False too where that is no address at all."""
    try:
        return not is_local(checked_listen_address(address))
    except Refusal:
        return False


def checked_base_url(url: str) -> str:
    """`https://HOST/PATH`, `http://…` or `simulator:/NAME/PATH`, without its closing slash. Raises Refusal.

    Parts of it may be variables, `${NAME}` or `${NAME:-default}`; one at its beginning may hold scheme and host.
    """
    checked_plain_url(_filled(url, lambda found: found["default"] or ("https://host" if found.start() == 0 else "x")))
    return url.rstrip("/")


def expanded(url: str, environ: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The URL with its variables' values, and the names of those that are neither set nor have a default.

    Raises Refusal where a value fits no address.
    """
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        # A slash at the value's end would stand twice.
        given = environ.get(found["name"], "").strip().rstrip("/") or found["default"]
        if not given:
            missing.append(found["name"])
            return ""
        if found.start() and not _PART.fullmatch(given):
            raise Refusal(f"has characters of {found['name']} that no address has there", "")
        return given

    return _filled(url, value), tuple(missing)


def variables_in(url: str) -> tuple[str, ...]:
    return tuple(found["name"] for found in _VARIABLE.finditer(url))


def checked_plain_url(url: str) -> str:
    """A base URL without variables, without its closing slash. Raises Refusal."""
    if url.startswith(SIMULATOR_SCHEME):
        if not _SIMULATOR_PATH.fullmatch(url.removeprefix(SIMULATOR_SCHEME)):
            raise Refusal("is not a path at the simulator", "for example simulator:/alder/v1")
        return url.rstrip("/")
    checked_url(url)
    if is_metadata(urlsplit(url).hostname or ""):
        raise Refusal("leads to where clouds keep a machine's own credentials", "name the provider's own host")
    return url.rstrip("/")


def checked_url(url: str) -> str:
    """An http or https URL of a host, a port and a path, as given. Raises Refusal."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not _URL_CHARACTERS.fullmatch(url):
        raise Refusal("is not an http or https URL", _URL_HINT)
    if "@" in parts.netloc:
        raise Refusal("holds a user name or a password", "name the variable that holds the key in key_env instead")
    if "?" in url or "#" in url:
        raise Refusal("holds a query or a fragment", "end the URL with its path")
    if not (_HOST.fullmatch(parts.hostname or "") or _BRACKETED.fullmatch(f"[{parts.hostname}]")):
        raise Refusal("names no host", _URL_HINT)
    return url


def is_plain_http_to_far(base_url: str) -> bool:
    """Whether what is sent to `base_url` crosses networks that others may read: http to a host that is not private."""
    parts = _split(base_url)
    return parts is not None and parts.scheme == "http" and not _is_private(parts.hostname or "")


_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})(:-(?P<default>[A-Za-z0-9._:/-]+))?\}")
_PART = re.compile(r"[A-Za-z0-9._-]+")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\]")
_SIMULATOR_PATH = re.compile(r"/[A-Za-z0-9._-]+(/[A-Za-z0-9._/-]*)?")
_URL_CHARACTERS = re.compile(r"[!-~]+")
_URL_HINT = "for example https://api.example.com/v1"
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal")


def _filled(url: str, value: Callable[[re.Match[str]], str]) -> str:
    return _VARIABLE.sub(value, url)


def _split(url: str) -> SplitResult | None:
    """The URL's parts, or None where it has none that make sense."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # Reading the port is what checks it.
    except ValueError:
        return None
    return parts


def _is_private(host: str) -> bool:
    """Loopback, a private network's address, or a name that no public resolver knows, such as a container's."""
    address = _ip(host)
    if address is None:
        return "." not in host or host.lower().endswith(_PRIVATE_SUFFIXES)
    return address.is_loopback or (address.is_private and not address.is_link_local and not address.is_unspecified)


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
