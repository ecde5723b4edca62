"""What the client tests share: a router that plays along, and both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.harness.loop import one_loop

from .callers import Caller, OpenCaller, async_caller, sync_caller
from .playing_router import PlayingRouter, serving


@dataclass(frozen=True, slots=True)
class Served:
    """A playing router and where it listens."""

    router: PlayingRouter
    address: str


@pytest.fixture(scope="package", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    async with one_loop():
        yield


@pytest.fixture
def served() -> Iterator[Served]:
    router = PlayingRouter()
    with serving(router) as address:
        yield Served(router, address)


@pytest.fixture(params=[sync_caller, async_caller], ids=["sync", "async"])
def open_caller(request: pytest.FixtureRequest) -> OpenCaller:
    opener: OpenCaller = request.param
    return opener


@pytest.fixture
def caller(open_caller: OpenCaller, served: Served) -> Iterator[Caller]:
    with open_caller(served.address) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ADDRESS", "_API_KEY", "_CA", "_CERT", "_CERT_KEY"):
        monkeypatch.delenv(f"SIGNALBOX{name}", raising=False)
