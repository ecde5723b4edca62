"""The faults of connections and answers, each as the one error that the contract names."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from router_service.core.errors import BadResponse, ConnectFailed, KeptConnectionLost, NameNotResolved, Stage, TlsFailed
from router_service.core.outcome import Outcome
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.transport import Transport
from tests.providers.calls import CANARY, CLOSE_S, CONNECT_S, Told, body_of, call, failing, opened, url
from tests.providers.raw_server import CHUNKED, PATIENCE_S, Peer, answering, answering_once, chunk, head, serving, whole

pytestmark = pytest.mark.anyio


class LeadingResolver(AbstractResolver):
    """Knows every name by one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


class HangingResolver(AbstractResolver):
    """Asks a name server that does not answer."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def close(self) -> None:
        """Nothing is open."""


async def test_refused(transport: Transport, closed_port: int) -> None:
    told = Told()
    error = await failing(transport, url(closed_port), told=told)
    assert type(error) is ConnectFailed
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_black_hole(transport: Transport, full_port: int, scheme: str) -> None:
    told = Told()
    async with asyncio.timeout(0.2 + CLOSE_S):
        error = await failing(transport, url(full_port, scheme), connect_s=0.2, told=told)
    assert type(error) is ConnectFailed
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_silent_tls_handshake_is_bounded(transport: Transport) -> None:
    told = Told()
    async with serving(Peer.gone) as server, asyncio.timeout(0.2 + CLOSE_S):
        error = await failing(transport, url(server.port, "https"), connect_s=0.2, told=told)
    assert type(error) is TlsFailed
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_name_that_does_not_resolve(transport: Transport) -> None:
    """Names below `onion` are refused by the resolver itself, so nothing is asked of any name server."""
    told = Told()
    error = await failing(transport, f"http://provider.onion/v1?key={CANARY}", told=told)
    assert type(error) is NameNotResolved
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)
    assert "onion" not in str(error)


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process may open none, for as long as the block lasts."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest_free:
        free = lowest_free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/v1", "http://provider.onion/v1"])
async def test_want_of_a_socket_is_no_fault_of_the_provider(transport: Transport, address: str) -> None:
    with no_more_files():
        error = await failing(transport, f"{address}?key={CANARY}")
    assert type(error) is ConnectFailed
    assert error.outcome is Outcome.CANCELLED
    assert "as many files and connections open as it may" in str(error)
    assert (error.stage, error.maybe_billed) == (Stage.CONNECT, False)


async def test_look_up_that_hangs_is_bounded(anyio_backend: tuple[str, dict[str, bool]]) -> None:
    transport, told = AiohttpTransport(HangingResolver()), Told()
    try:
        for _ in range(2):
            async with asyncio.timeout(0.2 + CLOSE_S):
                error = await failing(transport, "https://provider.example/v1", connect_s=0.2, told=told)
            assert type(error) is NameNotResolved
            assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)
    finally:
        await transport.close()


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.1.1", "100.100.100.200"])
async def test_name_that_leads_to_a_clouds_credentials(
    anyio_backend: tuple[str, dict[str, bool]], address: str
) -> None:
    transport, told = AiohttpTransport(LeadingResolver(address)), Told()
    try:
        async with asyncio.timeout(CLOSE_S):
            error = await failing(transport, "http://provider.example/v1", told=told)
    finally:
        await transport.close()
    assert type(error) is NameNotResolved
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_plain_http_where_tls_was_expected(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(head("400 Bad Request", "Content-Length: 0"))

    told = Told()
    async with serving(script) as server:
        error = await failing(transport, url(server.port, "https"), told=told)
    assert type(error) is TlsFailed
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_certificate_that_nobody_trusts(transport: Transport, self_signed: ssl.SSLContext) -> None:
    told = Told()
    async with serving(answering(whole(b"")), tls=self_signed) as server:
        error = await failing(transport, url(server.port, "https"), told=told)
        assert server.requests == []
    assert type(error) is TlsFailed
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_closed_without_an_answer(transport: Transport) -> None:
    async with serving(answering_once()) as server:
        error = await failing(transport, server.url)
        assert len(server.requests) == 1
    assert type(error) is ConnectFailed
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


async def test_kept_connection_that_closes_is_told_and_not_tried_again(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"hello"))
        await peer.request()

    async with serving(script) as server:
        assert await body_of(await opened(transport, server.url)) == b"hello"
        error = await failing(transport, server.url)
        assert (server.connections, len(server.requests)) == (1, 2)
        assert type(error) is KeptConnectionLost
        assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)
        assert await body_of(await opened(transport, server.url)) == b"hello"


async def test_kept_connection_that_closes_after_some_bytes_is_a_fault_of_the_provider(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"hello"))
        await peer.request()
        await peer.send(b"HTTP/1.1 2")

    async with serving(script) as server:
        assert await body_of(await opened(transport, server.url)) == b"hello"
        error = await failing(transport, server.url)
    assert not isinstance(error, KeptConnectionLost)
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


async def test_a_call_may_ask_for_a_connection_of_its_own(transport: Transport) -> None:
    async with serving(answering(whole(b"hello"))) as server:
        for _ in range(2):
            assert await body_of(await opened(transport, server.url)) == b"hello"
        assert server.connections == 1
        response = await transport.open(call(server.url), connect_s=CONNECT_S, on_connected=Told(), may_reuse=False)
        assert await body_of(response) == b"hello"
        assert server.connections == 2


async def test_reset_without_an_answer(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async with serving(script) as server:
        error = await failing(transport, server.url)
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n" + CANARY.encode() + b"\r\n\r\n", id="another-protocol"),
        pytest.param(b"\x00\xff" * 64, id="bytes"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="no-status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + CANARY.encode() + b"\r\n\r\n", id="no-header"),
        pytest.param(head("200 OK", "Content-Length: -1"), id="negative-length"),
        pytest.param(head("200 OK", f"X-A: {'a' * 65536}", "Content-Length: 0"), id="64-KiB-header"),
        pytest.param(
            head("200 OK", *(f"X-{i}: {CANARY}" for i in range(10_000)), "Content-Length: 0"), id="10000-headers"
        ),
    ],
)
async def test_answer_that_is_no_http(transport: Transport, answer: bytes) -> None:
    async with serving(answering_once(answer)) as server:
        error = await failing(transport, server.url)
    assert type(error) is BadResponse
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


async def test_head_cut_off(transport: Transport) -> None:
    async with serving(answering_once(b"HTTP/1.1 200 OK\r\nContent-")) as server:
        error = await failing(transport, server.url)
    assert isinstance(error, ConnectFailed | BadResponse)
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


@pytest.mark.parametrize(
    ("answer", "received"),
    [
        pytest.param(head("200 OK", "Content-Length: 10") + b"hello", b"hello", id="length"),
        pytest.param(CHUNKED + chunk(b"hello"), b"hello", id="no-last-chunk"),
        pytest.param(CHUNKED + b"a\r\nhello", b"hello", id="inside-a-chunk"),
    ],
)
@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
async def test_body_cut_off(transport: Transport, answer: bytes, received: bytes, *, is_reset: bool) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        if is_reset:
            await seen.wait()
            peer.reset()

    async with serving(script) as server, asyncio.timeout(PATIENCE_S):
        response = await opened(transport, server.url)
        found = b""
        with pytest.raises(BadResponse) as caught:
            async for data in response.chunks():
                found += data
                seen.set()
        await response.close()
    assert received.startswith(found)
    assert (caught.value.stage, caught.value.maybe_billed) == (Stage.STREAM, True)


async def test_body_that_breaks_its_framing(transport: Transport) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"hello"))
        await seen.wait()
        await peer.send(b"zz\r\n", CANARY.encode())
        await peer.gone()

    async with serving(script) as server, asyncio.timeout(PATIENCE_S):
        response = await opened(transport, server.url)
        chunks = response.chunks()
        assert await anext(chunks) == b"hello"
        seen.set()
        with pytest.raises(BadResponse) as caught:
            await anext(chunks)
        await response.close()
    assert (caught.value.stage, caught.value.maybe_billed) == (Stage.STREAM, True)
    assert CANARY not in str(caught.value)
