"""Calls of a transport as tests make them."""

from __future__ import annotations

import os

import pytest

from router_service.core.errors import UpstreamError
from router_service.providers.dialect import HttpCall
from router_service.providers.transport import Response, Transport

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
