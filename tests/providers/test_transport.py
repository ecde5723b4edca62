"""The contract of the transport, run over each implementation and each loop against a server of raw bytes."""

from __future__ import annotations

import asyncio
import gzip
import sys
from pathlib import Path

import pytest

from router_service.providers.dialect import HttpCall
from router_service.providers.transport import Response, Transport
from tests.providers.calls import CLOSE_S, CONNECT_S, HEADERS, Told, body_of, failing, opened, url
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


async def test_whoever_stops_inside_a_body_leaves_no_generator_behind(transport: Transport) -> None:
    begun: list[object] = []
    before = sys.get_asyncgen_hooks()
    async with serving(answering(whole(b"hello"))) as server:
        response = await opened(transport, server.url)
        sys.set_asyncgen_hooks(firstiter=begun.append)
        try:
            assert await anext(response.chunks())
        finally:
            sys.set_asyncgen_hooks(*before)
        await response.close()
    assert begun == []


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
