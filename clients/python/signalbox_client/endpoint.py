"""Where the server is, how a caller proves who it is, and how the connections to it behave."""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import cast

import grpc

ROUTER_ADDRESS = "127.0.0.1:50051"
PROBER_ADDRESS = "127.0.0.1:50052"
CHANNELS = 4
MAX_PORT, MAX_PORT_DIGITS = 65535, 5

Metadata = tuple[tuple[str, str | bytes], ...]
Option = tuple[str, str | int]
Inject = Callable[[dict[str, str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server and the terms on which it is called."""

    address: str
    api_key: str = field(default="", repr=False)
    root_certificates: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    private_key: bytes | None = field(default=None, repr=False)
    is_patient: bool = True
    """Whether a call waits, within its deadline, for a server that cannot be reached yet."""

    def metadata(self) -> Metadata:
        """What every call carries: the key, and the trace that the caller is in."""
        carrier: dict[str, str] = {}
        if inject := _trace_injector():
            inject(carrier)
        if self.api_key:
            carrier["authorization"] = f"Bearer {self.api_key}"
        return tuple(carrier.items())

    def credentials(self) -> grpc.ChannelCredentials | None:
        """TLS where a certificate authority was named, else None."""
        if self.root_certificates is None:
            return None
        return grpc.ssl_channel_credentials(self.root_certificates, self.private_key, self.certificate)

    def options(self, number: int) -> tuple[Option, ...]:
        """The options of the channel with this number.

        Channels with equal options would share one connection, and so one worker of the router and one limit on
        concurrent streams: the number keeps them apart.
        """
        return (
            ("signalbox.channel", number),
            ("grpc.service_config", _service_config(is_patient=self.is_patient)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            # A proxy of the environment is for the web; a router beside its callers is never behind one.
            ("grpc.enable_http_proxy", 0),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        )


def endpoint(
    address: str,
    *,
    api_key: str | None,
    ca: str | Path | None,
    is_patient: bool,
    allow_plaintext_key: bool,
    cert: str | Path | None = None,
    cert_key: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Endpoint:
    """The endpoint at an address; what is None comes from SIGNALBOX_API_KEY, _CA, _CERT and _CERT_KEY.

    A Unix socket is never encrypted. Raises ValueError when the address has no port that there is, a key would cross a
    network in the clear, or a certificate has no TLS to be shown in, and OSError when a file cannot be read.
    """
    checked_address(address)
    key = environ.get("SIGNALBOX_API_KEY", "") if api_key is None else api_key
    ca = ca or environ.get("SIGNALBOX_CA", "")
    if key and not ca and not allow_plaintext_key and not is_local(address):
        raise ValueError(
            f"the API key would go to {address} in the clear; set SIGNALBOX_CA to the file with the certificate "
            "authority of the router (allow_plaintext_key=True says that something else encrypts the connection)"
        )
    cert = cert or environ.get("SIGNALBOX_CERT", "")
    cert_key = cert_key or environ.get("SIGNALBOX_CERT_KEY", "") or cert
    if cert and not ca:
        raise ValueError(
            "a certificate is shown only over TLS; set SIGNALBOX_CA to the file with the certificate authority of the "
            "router"
        )
    if is_socket(address):
        return Endpoint(address=address, api_key=key, is_patient=is_patient)
    return Endpoint(
        address=address,
        api_key=key,
        root_certificates=Path(ca).read_bytes() if ca else None,
        certificate=Path(cert).read_bytes() if cert else None,
        private_key=Path(cert_key).read_bytes() if cert_key and cert else None,
        is_patient=is_patient,
    )


def router_address(address: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The address asked for, else SIGNALBOX_ADDRESS, else the router's default on this machine."""
    return address or environ.get("SIGNALBOX_ADDRESS", "") or ROUTER_ADDRESS


def checked_address(address: str) -> str:
    """The address as given. Raises ValueError where its port is none: gRPC takes a number modulo 65536, and so calls
    another port than was named. Without a port, gRPC's own default holds.
    """
    host, colon, port = _place(address).rpartition(":")
    is_bare_ipv6 = ":" in host and not host.endswith("]")
    if is_socket(address) or not colon or port.endswith("]") or is_bare_ipv6:
        return address
    if not (port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS and 1 <= int(port) <= MAX_PORT):
        raise ValueError(
            f"the address is {address!r}; its port has to be a number from 1 to {MAX_PORT}, as in {ROUTER_ADDRESS}"
        )
    return address


def is_local(address: str) -> bool:
    """Whether what is sent to an address stays on this machine: a Unix socket or a loopback address."""
    if is_socket(address):
        return True
    host = _place(address).rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_socket(address: str) -> bool:
    """Whether an address is that of a Unix socket."""
    return address.startswith(("unix:", "unix-abstract:"))


def bounded(timeout_s: float) -> float:
    """A deadline that is one: above zero and finite, in seconds."""
    if not 0 < timeout_s < float("inf"):
        raise ValueError(f"timeout_s is {timeout_s}; it has to be a number of seconds above zero")
    return timeout_s


def _place(address: str) -> str:
    """The address without gRPC's words for how it is looked up."""
    place = address.rpartition("/")[2]
    return place.removeprefix("ipv4:").removeprefix("ipv6:").removeprefix("dns:")


def _service_config(*, is_patient: bool) -> str:
    """gRPC's own retries: only before a stream's first event, and the server's pushback is obeyed.

    CANCELLED is what a call gets that arrives in the very moment in which a server stops: gRPC drops it unread. The
    router itself never answers so, and a call that its caller cancels is not tried again.
    """
    retry = {
        "maxAttempts": 5,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    }
    return json.dumps({"methodConfig": [{"name": [{}], "waitForReady": is_patient, "retryPolicy": retry}]})


@cache
def _trace_injector() -> Inject | None:
    """OpenTelemetry's propagator where its API is installed; tracing is no dependency of this client."""
    if importlib.util.find_spec("opentelemetry") is None:
        return None
    return cast(Inject, importlib.import_module("opentelemetry.propagate").inject)
