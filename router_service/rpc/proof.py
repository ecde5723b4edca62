"""What a router shows to a prober that it calls by TCP: a certificate authority to trust, and who it is itself."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from router_service.core.addresses import is_local
from router_service.core.settings import ProberAccess
from router_service.rpc.tls import certificate_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a channel is made with: credentials where it is encrypted, and the metadata of each call."""

    credentials: grpc.ChannelCredentials | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class KeyInTheClear(Exception):
    """A key would leave this machine where others can read it; the text says where to and what to do."""


def proof_for(access: ProberAccess, address: str, *, allow_remote: bool) -> Proof:
    """What `access` says to show at `address`: nothing at a Unix socket.

    Raises BadCertificate, and KeyInTheClear where nothing encrypts a key on its way to another machine and
    `allow_remote` does not say that something else does.
    """
    if address.startswith("unix:"):
        return Proof()
    key = access.api_key.reveal()
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    if access.ca is None:
        if key and not allow_remote and not is_local(address):
            raise KeyInTheClear(
                f"the key of prober.access would go to {address} in the clear; set prober.access.ca to the authority "
                "of the prober's certificate, which turns TLS on, or prober.allow_remote to true if something else "
                "encrypts"
            )
        return Proof(metadata=metadata)
    cert = None if access.cert is None else certificate_file(access.cert, "prober.access.cert")
    key_file = access.cert_key or access.cert
    cert_key = None if key_file is None else certificate_file(key_file, "prober.access.cert_key")
    credentials = grpc.ssl_channel_credentials(certificate_file(access.ca, "prober.access.ca"), cert_key, cert)
    return Proof(credentials=credentials, metadata=metadata)
