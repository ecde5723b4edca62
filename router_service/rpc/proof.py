"""What a router shows to a prober that it calls by TCP: a certificate authority to trust, and who it is itself."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from router_service.core.settings import ProberAccess
from router_service.rpc.tls import certificate_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a channel is made with: credentials where it is encrypted, and the metadata of each call."""

    credentials: grpc.ChannelCredentials | None = None
    metadata: tuple[tuple[str, str], ...] = ()


def proof_for(access: ProberAccess, address: str) -> Proof:
    """What `access` says to show at `address`: nothing at a Unix socket. Raises BadCertificate."""
    if address.startswith("unix:"):
        return Proof()
    key = access.api_key.reveal()
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    if access.ca is None:
        return Proof(metadata=metadata)
    cert = None if access.cert is None else certificate_file(access.cert, "prober.access.cert")
    key_file = access.cert_key or access.cert
    cert_key = None if key_file is None else certificate_file(key_file, "prober.access.cert_key")
    credentials = grpc.ssl_channel_credentials(certificate_file(access.ca, "prober.access.ca"), cert_key, cert)
    return Proof(credentials=credentials, metadata=metadata)
