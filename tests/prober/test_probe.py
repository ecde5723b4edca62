"""One probe against raw servers: what it finds, what it measures, and what it lets a provider do to it."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracer, Tracer

from prober.exchange import Exchanges
from prober.probe import CheapProbe, Finding, ProbeResult
from router_service.core.catalog import Provider, Secret
from tests.harness.shortage import short_of_files

from .raw import CANARY, MODELS, Answer, answering, http, leaving, resetting, serving, silent

pytestmark = pytest.mark.anyio

TIMEOUT_S = 0.5


async def probed(base_url: str, *, key: str = "", tracer: Tracer | None = None) -> ProbeResult:
    provider = Provider(name="alder", dialect="openai", base_url=base_url, key=Secret(_value=key))
    async with Exchanges() as exchanges:
        return await CheapProbe(exchanges, timeout_s=TIMEOUT_S, tracer=tracer or NoOpTracer())(provider)


async def test_a_good_probe_lists_models_with_the_key_and_times_its_phases() -> None:
    before = time.time()
    async with serving(answering(http(200, MODELS))) as (url, heads):
        result = await probed(url, key=CANARY)
    assert (result.finding, result.error, result.provider) == (Finding.GOOD, "", "alder")
    assert result.wall_time >= before
    timing = result.timing
    assert (timing.is_ok, timing.status_code) == (True, 200)
    assert timing.dns_s == timing.tls_s == 0.0
    assert 0 < timing.connect_s < timing.total_s
    assert 0 < timing.first_byte_s < timing.total_s
    head = heads[0].decode().lower()
    assert head.startswith("get /v1/models http/1.1\r\n")
    assert f"authorization: bearer {CANARY}" in head
    assert "accept-encoding: identity" in head


async def test_without_a_key_none_is_sent() -> None:
    async with serving(answering(http(200, MODELS))) as (url, heads):
        await probed(url)
    assert b"authorization" not in heads[0].lower()


async def test_each_probe_has_a_connection_of_its_own() -> None:
    async with serving(answering(http(200, MODELS))) as (url, heads), Exchanges() as exchanges:
        probe = CheapProbe(exchanges, timeout_s=TIMEOUT_S, tracer=NoOpTracer())
        for _ in range(3):
            result = await probe(Provider(name="alder", dialect="openai", base_url=url))
            assert result.timing.connect_s > 0
    assert len(heads) == 3


async def test_a_name_is_resolved_and_timed_and_stays_in_the_request() -> None:
    async with serving(answering(http(200, MODELS))) as (url, heads):
        result = await probed(url.replace("127.0.0.1", "localhost"))
    assert result.finding is Finding.GOOD
    assert result.timing.dns_s > 0
    assert b"host: localhost:" in heads[0].lower()


@pytest.mark.parametrize(
    ("answer", "finding", "error"),
    [
        (http(200, b'[{"id":"small"}]'), Finding.GOOD, ""),
        (http(200, b'{"models":[]}'), Finding.GOOD, ""),
        (http(404, b"{}"), Finding.GOOD, ""),
        (http(405), Finding.GOOD, ""),
        (http(401, b"{}"), Finding.KEY_REFUSED, "CREDENTIALS 401"),
        (http(403), Finding.FORBIDDEN, "CREDENTIALS 403"),
        (http(402, b"{}"), Finding.MONEY_GONE, "MONEY 402"),
        (http(429), Finding.RATE_LIMITED, "RATE_LIMITED 429"),
        (http(500), Finding.BAD, "SERVER_ERROR 500"),
        (http(503, b"<html>"), Finding.BAD, "SERVER_ERROR 503"),
        (http(529), Finding.BAD, "SERVER_ERROR 529"),
        (http(301, location="http://169.254.169.254/"), Finding.BAD, "REDIRECT 301"),
        (http(204), Finding.BAD, "BAD_RESPONSE 204"),
        (http(200, b"<html>it works</html>"), Finding.BAD, "BAD_RESPONSE 200"),
        (http(200, b""), Finding.BAD, "BAD_RESPONSE 200"),
        (http(200, b'{"error":{"message":"no"}}'), Finding.BAD, "BAD_RESPONSE 200"),
        (http(200, b"[" * 100_000), Finding.BAD, "BAD_RESPONSE 200"),
        (http(200, b"\xff\xfe\x00"), Finding.BAD, "BAD_RESPONSE 200"),
        (http(200, MODELS).replace(b"content-length: ", b"content-length: 9"), Finding.BAD, "BAD_RESPONSE"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Finding.BAD, "BAD_RESPONSE"),
    ],
)
async def test_an_answer_makes_a_finding(answer: bytes, finding: Finding, error: str) -> None:
    async with serving(answering(answer)) as (url, _):
        result = await probed(url)
    assert (result.finding, result.error) == (finding, error)
    assert result.timing.is_ok is (finding is Finding.GOOD)
    assert result.timing.total_s > 0


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("soon", 0.0), ("-1", 0.0), ("1e9", 0.0), ("9" * 40, 0.0)])
async def test_a_rate_limit_says_when_to_come_again(text: str, seconds: float) -> None:
    async with serving(answering(http(429, retry_after=text))) as (url, _):
        assert (await probed(url)).retry_after_s == seconds


@pytest.mark.parametrize(
    ("answer", "error"), [(silent, "TIMEOUT"), (resetting, "BAD_RESPONSE"), (leaving, "BAD_RESPONSE")]
)
async def test_a_broken_connection_is_a_failure_within_the_timeout(answer: Answer, error: str) -> None:
    async with serving(answer) as (url, _):
        began = time.monotonic()
        result = await probed(url)
    assert (result.finding, result.error) == (Finding.BAD, error)
    assert time.monotonic() - began < TIMEOUT_S + 1.0


async def test_a_closed_port_is_a_failure_to_connect() -> None:
    async with serving(silent) as (url, _):
        pass
    result = await probed(url)
    assert (result.finding, result.error) == (Finding.BAD, "CONNECT")


async def test_a_prober_without_free_sockets_blames_nobody() -> None:
    async with Exchanges() as exchanges:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            short_of_files(os.getpid()),
            server.dup(),  # the one descriptor that counting them took and gave back
        ):
            probe = CheapProbe(exchanges, timeout_s=TIMEOUT_S, tracer=NoOpTracer())
            url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
            result = await probe(Provider(name="alder", dialect="openai", base_url=url))
    assert (result.finding, result.error) == (Finding.UNASKED, "OPEN_FILES")
    assert result.finding.says_nothing


async def test_an_error_whose_body_does_not_come_is_told_by_its_head() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Whatever\r\ncontent-length: 10\r\n\r\n")
        await reader.read()

    async with serving(half) as (url, _):
        result = await probed(url)
    assert (result.finding, result.error) == (Finding.BAD, "SERVER_ERROR 503")


async def test_a_name_that_does_not_exist_is_a_failure_of_its_own() -> None:
    result = await probed("http://nobody.invalid/v1")
    assert result.finding is Finding.BAD
    assert result.error in ("DNS", "TIMEOUT")  # A machine without a resolver is not told, and waits.


async def test_plain_http_where_tls_is_due_is_a_failure_of_tls() -> None:
    async with serving(answering(http(200, MODELS))) as (url, heads):
        result = await probed(url.replace("http:", "https:"), key=CANARY)
    assert (result.finding, result.error) == (Finding.BAD, "TLS")
    assert CANARY.encode() not in b"".join(heads)


async def test_a_body_without_end_is_cut() -> None:
    async def pouring(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
        while True:
            writer.write(b" " * 262_144)
            await writer.drain()

    async with serving(pouring) as (url, _):
        result = await probed(url)
    assert (result.finding, result.error) in {(Finding.BAD, "BAD_RESPONSE 200"), (Finding.BAD, "TIMEOUT")}


async def test_a_probe_is_a_trace_of_its_own_and_the_result_names_it() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    async with serving(answering(http(503, b'{"error":"canary text of the vendor"}'))) as (url, _):
        with tracer.start_as_current_span("something else"):
            result = await probed(url, key=CANARY, tracer=tracer)
    span = next(s for s in exporter.get_finished_spans() if s.name == "probe alder")
    assert span.parent is None
    assert span.context is not None
    assert span.context.trace_id.to_bytes(16, "big") == result.span.trace_id
    assert span.context.span_id.to_bytes(8, "big") == result.span.span_id
    attributes = dict(span.attributes or {})
    assert attributes["signalbox.provider"] == "alder"
    assert attributes["http.response.status_code"] == 503
    assert attributes["error.type"] == "SERVER_ERROR 503"
    assert attributes["signalbox.probe.total_s"] == result.timing.total_s
    assert "canary" not in span.to_json()


async def test_a_probe_that_is_not_recorded_names_no_trace() -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    async with serving(answering(http(200, MODELS))) as (url, _):
        assert not (await probed(url, tracer=tracer)).span
        assert not (await probed(url)).span


async def test_cancelling_a_probe_closes_its_connection() -> None:
    closed = asyncio.Event()

    async def noticing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(65_536)
            await reader.read()
        finally:
            closed.set()
            writer.close()

    server = await asyncio.start_server(noticing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(probed(url))
        await asyncio.sleep(0.1)
        task.cancel()
    async with asyncio.timeout(1):
        await closed.wait()
    server.close()
