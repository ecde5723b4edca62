"""What guards a port: its certificate and who may call, for the router's and the prober's alike."""

from __future__ import annotations

from dataclasses import replace

import grpc

from router_service.core.addresses import is_local, unguarded
from router_service.core.settings import ServerSettings, Settings
from router_service.rpc.access import Access, Leniency
from router_service.rpc.server import listen
from router_service.rpc.tls import Certificates


class Guard:
    """Made of the settings that a process starts with. Raises BadCertificate.

    `leniency` is what callers may do without a key where the port is one of this machine, or guarded otherwise. Where
    it is neither, no tenants means that nobody comes in: so a file that lost its tenants does not open a port to all.
    """

    def __init__(self, settings: Settings, address: str, *, allow_remote: bool, leniency: Leniency) -> None:
        tls = settings.server.tls
        self._address = address
        self._allow_remote = allow_remote
        self._lacking = unguarded(
            address,
            has_tls=tls is not None,
            has_client_ca=tls is not None and tls.client_ca is not None,
            has_keys=any(tenant.keys for tenant in settings.tenants),
        )
        is_guarded = allow_remote or is_local(address) or (tls is not None and tls.client_ca is not None)
        self.access = Access(leniency if is_guarded else replace(leniency, unknown=frozenset()))
        self.access.adopt(settings.tenants)
        self.certificates = None if tls is None else Certificates(tls)

    def listen(self, server: grpc.aio.Server) -> str:
        """As `server.listen`, by what the settings allow."""
        credentials = None if self.certificates is None else self.certificates.credentials()
        return listen(
            server, self._address, allow_remote=self._allow_remote, credentials=credentials, lacking=self._lacking
        )

    async def run(self) -> None:
        """Keep the certificate current until cancelled; at once at an end where there is none."""
        if self.certificates is not None:
            await self.certificates.run()


def has_reflection(settings: ServerSettings, address: str) -> bool:
    """Whether a server at `address` tells of its services: as it was said, else where only this machine asks."""
    return is_local(address) if settings.reflection is None else settings.reflection
