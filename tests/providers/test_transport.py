"""The contract of the transport, run over each implementation and each loop against a server of raw bytes."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from router_service.core.errors import (
    BadResponse,
    ConnectFailed,
    NameNotResolved,
    Stage,
    TlsFailed,
    UpstreamError,
)
from router_service.providers.aiohttp_transport import AiohttpTransport
from router_service.providers.dialect import HttpCall
from router_service.providers.transport import Response, Transport
from tests.providers.raw_server import (
    CHUNKED,
    LAST_CHUNK,
    PATIENCE_S,
    Peer,
    answering,
    answering_once,
    chunk,
    head,
    serving,
    whole,
)

pytestmark = pytest.mark.anyio

SLOWER_IN_CI = 3 if os.environ.get("CI") == "true" else 1
CLOSE_S = 0.25 * SLOWER_IN_CI
CONNECT_S = 2.0
CANARY = "CANARY-7f3a"
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json",
    "x-request-id": "req-1.1",
    "authorization": f"Bearer {CANARY}",
}

IMPLEMENTATIONS: list[Callable[[], Transport]] = [AiohttpTransport]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The loops differ in how they end a connection, so the contract holds for both."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=IMPLEMENTATIONS)
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
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
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens; it is bound, so that nobody begins to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        yield port


class Told:
    """Counts the calls of `on_connected`."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def url(port: int, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{port}/v1/chat/completions?key={CANARY}"


def call(url: str, body: bytes = b'{"model":"m"}') -> HttpCall:
    return HttpCall(method="POST", url=url, headers=HEADERS, body=body)


async def opened(transport: Transport, url: str, *, connect_s: float = CONNECT_S, told: Told | None = None) -> Response:
    return await transport.open(call(url), connect_s=connect_s, on_connected=told or Told())


async def body_of(response: Response) -> bytes:
    try:
        return b"".join([data async for data in response.chunks()])
    finally:
        await response.close()


async def failing(
    transport: Transport, url: str, *, connect_s: float = CONNECT_S, told: Told | None = None
) -> UpstreamError:
    """The error that `open` ends in, which tells nothing of the call and leaves nothing open."""
    with pytest.raises(UpstreamError) as caught:
        await opened(transport, url, connect_s=connect_s, told=told)
    assert CANARY not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    assert transport.statistics().open_now == 0
    return caught.value


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(whole(b"hello"), id="length"),
        pytest.param(CHUNKED + chunk(b"he") + chunk(b"llo") + LAST_CHUNK, id="chunked"),
    ],
)
async def test_a_connection_serves_again_once_its_body_was_read(transport: Transport, answer: bytes) -> None:
    async with serving(answering(answer)) as server:
        for _ in range(3):
            response = await opened(transport, server.url)
            assert response.head.status == 200
            assert await body_of(response) == b"hello"
        assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_body_without_length_ends_with_its_connection(transport: Transport) -> None:
    async with serving(answering_once(head(), b"hello")) as server:
        assert await body_of(await opened(transport, server.url)) == b"hello"


async def test_head_is_told_in_lower_case_and_the_last_of_a_name_counts(transport: Transport) -> None:
    answer = head("429 Too Many", "Retry-After: 7", "X-A: 1", "x-a: 2", "Content-Length: 0")
    async with serving(answering(answer)) as server:
        response = await opened(transport, server.url)
        assert response.head.status == 429
        assert (response.head.headers["retry-after"], response.head.headers["x-a"]) == ("7", "2")
        assert await body_of(response) == b""


async def test_bytes_are_seen_as_they_come(transport: Transport) -> None:
    seen = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await seen.wait()
        await peer.send(chunk(b"two"), LAST_CHUNK)
        await peer.gone()

    async with serving(script) as server, asyncio.timeout(PATIENCE_S):
        response = await opened(transport, server.url)
        chunks = response.chunks()
        assert await anext(chunks) == b"one"
        seen.set()
        assert await anext(chunks) == b"two"
        assert await anext(chunks, b"") == b""
        await response.close()


async def test_a_large_body_is_whole(transport: Transport) -> None:
    body = bytes(range(256)) * 8192
    async with serving(answering(whole(body))) as server:
        assert await body_of(await opened(transport, server.url)) == body


async def test_what_is_sent_is_what_the_dialect_wrote(transport: Transport) -> None:
    async with serving(answering(whole(b"", "Set-Cookie: a=b"))) as server:
        for _ in range(2):
            await body_of(await opened(transport, f"{server.url}?q=a%2Fb"))
        for request in server.requests:
            lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            assert lines[0] == "POST /v1/chat/completions?q=a%2Fb HTTP/1.1"
            names = {line.partition(":")[0].lower(): line.partition(": ")[2] for line in lines[1:]}
            assert names == {**HEADERS, "host": f"127.0.0.1:{server.port}", "content-length": "13"}
            assert request.endswith(b'{"model":"m"}')


async def test_a_compressed_body_stays_as_it_is(transport: Transport) -> None:
    bomb = gzip.compress(b"\0" * 1_000_000)
    async with serving(answering(whole(bomb, "Content-Encoding: gzip"))) as server:
        assert await body_of(await opened(transport, server.url)) == bomb


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_an_answer_like_others(transport: Transport, status: str) -> None:
    async with serving(answering(whole(b"stolen"))) as other:
        answer = head(status, f"Location: {other.url}", "Content-Length: 0")
        async with serving(answering(answer)) as server:
            response = await opened(transport, server.url)
            assert response.head.status == int(status[:3])
            await body_of(response)
        assert other.connections == 0


async def test_proxies_of_the_environment_are_not_used(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answering(whole(b"stolen"))) as proxy, serving(answering(whole(b"direct"))) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert await body_of(await opened(transport, server.url)) == b"direct"
        assert proxy.connections == 0


async def test_credentials_of_the_home_directory_are_not_used(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serving(answering(whole(b""))) as server:
        headers = {"accept": "application/json"}
        bare = HttpCall(method="POST", url=server.url, headers=headers, body=b"{}")
        await body_of(await transport.open(bare, connect_s=CONNECT_S, on_connected=Told()))
        assert b"authorization" not in server.requests[0].lower()


async def test_connected_is_told_once_for_each_call_and_before_it_goes_out(transport: Transport) -> None:
    told, seen = Told(), []

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            seen.append(told.times)
            await peer.send(whole(b"hello"))

    async with serving(script) as server:
        for times in (1, 2):
            await body_of(await opened(transport, server.url, told=told))
            assert told.times == times
        assert seen == [1, 2]
        assert server.connections == 1


async def test_closing_inside_a_body_ends_the_connection(transport: Transport) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await peer.gone()
        gone.set()

    async with serving(script) as server:
        response = await opened(transport, server.url)
        assert await anext(response.chunks()) == b"one"
        await response.close()
        async with asyncio.timeout(CLOSE_S):
            await gone.wait()
        response = await opened(transport, server.url)
        await response.close()
        assert server.connections == 2


async def test_cancelling_before_the_head_ends_the_connection(transport: Transport) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        gone.set()

    async with serving(script) as server, asyncio.TaskGroup() as group:
        opening = group.create_task(opened(transport, server.url))
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
        opening.cancel()
        async with asyncio.timeout(CLOSE_S):
            await gone.wait()
        assert opening.cancelled()
        assert transport.statistics().open_now == 0


async def test_cancelling_while_connecting_sends_nothing(transport: Transport, full_port: int) -> None:
    told = Told()
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(opened(transport, url(full_port), connect_s=60, told=told))
        await asyncio.sleep(0.05)
        opening.cancel()
    assert (told.times, transport.statistics().open_now) == (0, 0)


async def test_cancelling_a_read_ends_the_connection(transport: Transport) -> None:
    reading, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await peer.gone()
        gone.set()

    async def read(response: Response) -> None:
        chunks = response.chunks()
        assert await anext(chunks) == b"one"
        reading.set()
        await anext(chunks)

    async with serving(script) as server, asyncio.TaskGroup() as group:
        response = await opened(transport, server.url)
        task = group.create_task(read(response))
        async with asyncio.timeout(PATIENCE_S):
            await reading.wait()
        task.cancel()
        async with asyncio.timeout(CLOSE_S):
            await gone.wait()
        await response.close()
        assert transport.statistics().open_now == 0


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
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)


async def test_name_that_does_not_resolve(transport: Transport) -> None:
    """Names below `onion` are refused by the resolver itself, so nothing is asked of any name server."""
    told = Told()
    error = await failing(transport, f"http://provider.onion/v1?key={CANARY}", told=told)
    assert type(error) is NameNotResolved
    assert (error.stage, error.maybe_billed, told.times) == (Stage.CONNECT, False, 0)
    assert "onion" not in str(error)


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


async def test_kept_connection_that_closes_is_not_tried_again(transport: Transport) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(whole(b"hello"))
        await peer.request()

    async with serving(script) as server:
        assert await body_of(await opened(transport, server.url)) == b"hello"
        error = await failing(transport, server.url)
        assert (server.connections, len(server.requests)) == (1, 2)
    assert type(error) is ConnectFailed
    assert (error.stage, error.maybe_billed) == (Stage.FIRST_BYTE, True)


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


async def test_statistics(transport: Transport, closed_port: int) -> None:
    async with serving(answering(whole(b"hello"))) as server:
        one = await opened(transport, server.url)
        two = await opened(transport, server.url)
        assert (transport.statistics().opened, transport.statistics().open_now) == (2, 2)
        assert await body_of(one) == b"hello"
        assert (transport.statistics().opened, transport.statistics().open_now) == (2, 1)
        await two.close()
        await failing(transport, url(closed_port))
        assert (transport.statistics().opened, transport.statistics().open_now) == (3, 0)


async def test_closing_twice_is_harmless(transport: Transport) -> None:
    async with serving(answering(whole(b"hello"))) as server:
        response = await opened(transport, server.url)
        assert await body_of(response) == b"hello"
        await response.close()
        assert transport.statistics().open_now == 0
        assert await body_of(await opened(transport, server.url)) == b"hello"
        assert server.connections == 1


async def test_closing_the_transport_ends_everything(transport: Transport) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED, chunk(b"one"))
        await peer.gone()
        gone.set()

    async with serving(script) as server:
        response = await opened(transport, server.url)
        await transport.close()
        async with asyncio.timeout(CLOSE_S):
            await gone.wait()
        await response.close()
        await transport.close()
