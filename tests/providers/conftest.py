"""The transports under test, the loops they run on, and places where nobody answers."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.transport import Transport
from tests.harness import hosts

IMPLEMENTATIONS: list[Callable[[], Transport]] = [AiohttpTransport]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loops differ in how they end a connection, so the contract holds for both."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=IMPLEMENTATIONS)
async def transport(
    request: pytest.FixtureRequest, anyio_backend: tuple[str, dict[str, bool]]
) -> AsyncIterator[Transport]:
    uses_uvloop = type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    assert uses_uvloop is anyio_backend[1]["use_uvloop"]
    made: Transport = request.param()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context whose certificate nobody has reason to trust."""
    directory = tmp_path_factory.mktemp("certificate")
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate), "-days", "2"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port that neither accepts nor refuses: its backlog is full."""
    with hosts.full_port() as (port, _):
        yield port


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with hosts.closed_port() as port:
        yield port
