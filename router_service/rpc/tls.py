"""A port's certificate: checked before it is served, and read anew when its files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

import grpc

from router_service.core.settings import TlsSettings
from router_service.files import Stamp, read_file, stamp

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the files are looked at."""


class BadCertificate(Exception):
    """The files cannot be served; the text names the one that is to blame, and why."""


class Certificates:
    """What `settings` name, as credentials for ports. Raises BadCertificate where that is nothing to serve.

    gRPC asks at every handshake whether there is something new, from a thread of its own. It is handed what `run` has
    read and checked before; a bad file leaves the old certificate in force.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = self._stamps()
        self._files = _read(settings)
        self._ports: list[_Port] = []

    def credentials(self) -> grpc.ServerCredentials:
        """For one port. TLS 1.2 at least, which is gRPC's own bound."""
        port = _Port()
        self._ports.append(port)
        return grpc.dynamic_ssl_server_credentials(
            self._files.configuration(),
            port.take,  # type: ignore[arg-type]  # None, which stands for nothing new, is missing in the stubs
            require_client_authentication=self._settings.client_ca is not None,
        )

    async def run(self) -> None:
        """Look once a second until cancelled. Files that have changed are read when they have stood still from one look
        to the next, since a certificate and its key are rarely replaced in one step.
        """
        settling = self._seen
        while True:
            await asyncio.sleep(LOOK_S)
            stamps = await asyncio.to_thread(self._stamps)
            if stamps == settling and stamps != self._seen:
                self._seen = stamps
                await self._reload()
            settling = stamps

    async def _reload(self) -> None:
        try:
            self._files = await asyncio.to_thread(_read, self._settings)
        except BadCertificate as e:
            logger.warning("the certificate was not read anew, the old one stays in force: %s", e)
            return
        for port in self._ports:
            port.put(self._files.configuration())
        logger.info("read the certificate anew from %s", self._settings.cert)

    def _stamps(self) -> tuple[Stamp, ...]:
        settings = self._settings
        return tuple(stamp(path) for path in (settings.cert, settings.key, settings.client_ca) if path is not None)


class _Port:
    """Holds what one port is to be told at its next handshake: gRPC takes a configuration over, and only once."""

    def __init__(self) -> None:
        self._fresh: list[grpc.ServerCertificateConfiguration] = []

    def put(self, configuration: grpc.ServerCertificateConfiguration) -> None:
        self._fresh = [configuration]

    def take(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC's threads, several at once; taking from a list is one step."""
        try:
            return self._fresh.pop()
        except IndexError:
            return None


class _Files:
    """The bytes of a certificate that was checked."""

    def __init__(self, cert: bytes, key: bytes, client_ca: bytes | None) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self._key, self._cert)], self._client_ca)


def _read(settings: TlsSettings) -> _Files:
    """Raises BadCertificate."""
    files = _Files(
        certificate_file(settings.cert, "server.tls.cert"),
        certificate_file(settings.key, "server.tls.key"),
        None if settings.client_ca is None else certificate_file(settings.client_ca, "server.tls.client_ca"),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password of ours OpenSSL would ask for one at the terminal.
        context.load_cert_chain(settings.cert, settings.key, password="")
    except (OSError, ValueError) as e:
        raise BadCertificate(
            f"server.tls: {settings.cert} and {settings.key} are no certificate and its private key: PEM, without a "
            "password, and belonging together"
        ) from e
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except (OSError, ValueError) as e:
            raise BadCertificate(f"server.tls.client_ca: {settings.client_ca} holds no certificate in PEM") from e
    return files


def certificate_file(path: Path, name: str) -> bytes:
    """The content of the file that the setting `name` names. Raises BadCertificate."""
    try:
        return read_file(path)
    except OSError as e:
        raise BadCertificate(f"{name}: {path} cannot be read: {e.strerror}") from e
