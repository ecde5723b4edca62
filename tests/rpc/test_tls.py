"""A port's certificate: what is served, what is refused at the start, and what a change of the files does."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import router_pb2_grpc

from router_service.core.settings import TlsSettings
from router_service.rpc.call import CallFrame
from router_service.rpc.server import listen, new_server
from router_service.rpc.tls import BadCertificate, Certificates
from tests.harness.certificates import Authority, Certificate
from tests.rpc.playing import PATIENCE_S, PlayingRouter, asked

pytestmark = pytest.mark.anyio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(served: Certificate, client_ca: Path | None = None) -> TlsSettings:
    return TlsSettings(cert=served.cert, key=served.key, client_ca=client_ca)


@asynccontextmanager
async def encrypted(certificates: Certificates) -> AsyncIterator[int]:
    """The port of a server behind the certificate."""
    server = new_server(CallFrame(None), max_message_mib=1)
    router_pb2_grpc.add_RouterServicer_to_server(PlayingRouter(), server)
    address = listen(server, "127.0.0.1:0", allow_remote=False, credentials=certificates.credentials())
    await server.start()
    try:
        yield int(address.rpartition(":")[2])
    finally:
        await server.stop(0)


def proof(ca: Path, own: Certificate | None) -> grpc.ChannelCredentials:
    pair = (own.key.read_bytes(), own.cert.read_bytes()) if own else (None, None)
    return grpc.ssl_channel_credentials(ca.read_bytes(), *pair)


async def complete(port: int, ca: Path, own: Certificate | None = None) -> str:
    async with grpc.aio.secure_channel(f"localhost:{port}", proof(ca, own)) as channel:
        answer = await router_pb2_grpc.RouterStub(channel).Complete(asked(), timeout=PATIENCE_S)
    return answer.request_id


async def shown(port: int, ca: Path) -> str:
    """The name in the certificate that the port shows."""
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    return str(dict(pair for [pair] in subject)["commonName"])


async def test_port_is_encrypted(authority: Authority) -> None:
    async with encrypted(Certificates(settings(authority.certificate("server")))) as port:
        assert await complete(port, authority.ca) == "req-1"
        with pytest.raises(grpc.aio.AioRpcError):
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await router_pb2_grpc.RouterStub(channel).Complete(asked(), timeout=PATIENCE_S)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_nothing_older_than_tls_1_2_is_spoken(authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca))
    context.set_alpn_protocols(["h2"])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with encrypted(Certificates(settings(authority.certificate("server")))) as port:
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port, ssl=context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.close()


async def test_callers_need_a_certificate_of_the_client_ca(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "strangers").certificate("stranger")
    served = settings(authority.certificate("server"), authority.ca)
    async with encrypted(Certificates(served)) as port:
        assert await complete(port, authority.ca, authority.certificate("client")) == "req-1"
        for own in (None, stranger):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await complete(port, authority.ca, own)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_new_files_are_served_without_a_restart(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    served, renewed = authority.certificate("first"), authority.certificate("second")
    certificates = Certificates(settings(served))
    async with encrypted(certificates) as port, asyncio.TaskGroup() as group:
        watching = group.create_task(certificates.run())
        assert await shown(port, authority.ca) == "first"
        with caplog.at_level(logging.WARNING):
            served.cert.write_text("half a file")
            await eventually(lambda: _said(caplog, "are no certificate and its private key"))
        assert await shown(port, authority.ca) == "first"
        renewed.cert.replace(served.cert)
        renewed.key.replace(served.key)
        await eventually(lambda: _is_shown("second", port, authority.ca))
        assert await complete(port, authority.ca) == "req-1"
        watching.cancel()


async def eventually(is_so: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not within 10 s")


async def _said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.text


async def _is_shown(name: str, port: int, ca: Path) -> bool:
    return await shown(port, ca) == name


def test_what_cannot_be_served_is_told_with_its_file(authority: Authority, tmp_path: Path) -> None:
    good, other = authority.certificate("good"), authority.certificate("other")
    encrypted_key = tmp_path / "encrypted.key"
    encrypted_key.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
    missing = tmp_path / "missing.pem"
    for cert, key, client_ca, told in (
        (missing, good.key, None, "missing.pem cannot be read: No such file"),
        (good.cert, missing, None, "server.tls.key: "),
        (good.cert, other.key, None, "belonging together"),
        (good.cert, encrypted_key, None, "without a password"),
        (good.key, good.key, None, "no certificate and its private key"),
        (good.cert, good.key, missing, "server.tls.client_ca: "),
        (good.cert, good.key, good.key, "holds no certificate"),
    ):
        with pytest.raises(BadCertificate) as caught:
            Certificates(TlsSettings(cert=cert, key=key, client_ca=client_ca))
        assert told in str(caught.value)
        assert "PRIVATE" not in str(caught.value)


def test_one_file_may_hold_both(authority: Authority) -> None:
    both = authority.certificate("both")
    both.cert.write_text(both.cert.read_text() + both.key.read_text())
    Certificates(TlsSettings(cert=both.cert, key=both.cert)).credentials()
