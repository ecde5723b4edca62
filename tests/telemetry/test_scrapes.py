"""The page of metrics over HTTP: what it answers to whom, and that nobody who misuses it keeps another from reading."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import httpx
import pytest

from router_service.telemetry import scrapes
from router_service.telemetry.instruments import Family, Histogram, Instrument, Kind, Meter, Point
from router_service.telemetry.scrapes import CannotServeMetrics, Scrapes
from tests.harness.metrics import Figures, scraped
from tests.harness.processes import wait_until

ANYWHERE = "127.0.0.1:0"
TOLD = Instrument(name="test.told", kind=Kind.COUNTER, unit="{word}", meaning='With "quotes" and \\.', labels=("who",))
TOOK = Instrument(name="test.took", kind=Kind.HISTOGRAM, unit="s", meaning="How long.", bounds=(0.1, 1.0))


def meter() -> Meter:
    took = Histogram(TOOK.bounds)
    for duration_s in (0.1, 0.5, 7.0):
        took.observe(duration_s)
    families = [Family(TOLD, [Point(('a "b"\n\\c',), 3)]), Family(TOOK, [took.spread()])]
    return Meter([lambda: families])


@asynccontextmanager
async def serving(page: Meter | None = None) -> AsyncIterator[str]:
    """The address of a page that is served while the block runs."""
    served = Scrapes(page or meter())
    address = served.listen(ANYWHERE, allow_remote=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(served.run())
        yield address
        running.cancel()


async def page_of(address: str) -> Figures:
    return await anyio.to_thread.run_sync(scraped, address)


@pytest.mark.anyio
async def test_the_page_is_what_prometheus_reads() -> None:
    async with serving() as address:
        figures = await page_of(address)
    assert figures.value("test_told_total", who='a "b"\n\\c') == 3
    assert figures.by("test_took_seconds_bucket", "le") == {"0.1": 1.0, "1.0": 2.0, "+Inf": 3.0}
    assert figures.value("test_took_seconds_sum") == pytest.approx(7.6)
    assert figures.has("process_resident_memory_bytes")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("GET", "/metrics?name=x", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/", 404),
        ("GET", "/metrics/x", 404),
        ("POST", "/metrics", 405),
    ],
)
async def test_it_answers_what_it_is_asked(method: str, path: str, status: int) -> None:
    async with serving() as address, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(method, f"http://{address}{path}")
    assert answer.status_code == status
    assert answer.headers["connection"] == "close"
    if method == "HEAD":
        assert int(answer.headers["content-length"]) > 0


@pytest.mark.anyio
@pytest.mark.parametrize("said", [b"", b"GET /metrics HTTP/1.1\r\n", b"x" * 100_000, b"\x00\xff\r\n\r\n", b"\r\n\r\n"])
async def test_nonsense_and_silence_keep_nobody_from_reading(said: bytes) -> None:
    async with serving() as address:
        host, _, port = address.rpartition(":")
        connections = [await asyncio.open_connection(host, int(port)) for _ in range(5)]
        for _, writer in connections:
            writer.write(said)
        assert (await page_of(address)).has("test_told_total")
        for _, writer in connections:
            writer.close()


@pytest.mark.anyio
async def test_a_fault_in_a_source_is_one_bad_answer(caplog: pytest.LogCaptureFixture) -> None:
    faults = iter([True])

    def families() -> list[Family]:
        if next(faults, False):
            raise ZeroDivisionError
        return [Family(TOLD, [Point(("a",), 1)])]

    async with serving(Meter([families])) as address:
        with pytest.raises(httpx.HTTPError):
            await page_of(address)
        assert (await page_of(address)).has("test_told_total")
    assert "a page of metrics could not be made" in caplog.text


@pytest.mark.anyio
async def test_a_taken_address_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "RETRY_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        waiting = Scrapes(meter())
        with pytest.raises(CannotServeMetrics, match="in use"):
            waiting.listen(address, allow_remote=False)
        waiting.listen_later(address)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(waiting.run())
        await anyio.to_thread.run_sync(_wait_for_page, address)
        running.cancel()


def _wait_for_page(address: str) -> None:
    def answers() -> bool:
        try:
            return scraped(address).has("test_told_total")
        except httpx.HTTPError:
            return False

    wait_until(answers, within_s=5, what="the page is served")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "example.com:0"])
def test_it_listens_beyond_this_machine_only_when_told(address: str) -> None:
    with pytest.raises(CannotServeMetrics, match=r"telemetry\.allow_remote"):
        Scrapes(meter()).listen(address, allow_remote=False)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "127.0.0.1:http", ":0:"])
def test_what_is_no_address_is_said_so(address: str) -> None:
    with pytest.raises(CannotServeMetrics, match="choose another"):
        Scrapes(meter()).listen(address, allow_remote=True)
