"""One cheap probe of a provider: lists its models, spends no token, times every phase of a fresh connection."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import aiodns
import httpx
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from router_service.core.catalog import Provider
from router_service.core.health import ProbeSpan, ProbeTiming

MAX_BODY_BYTES = 8 * 1024 * 1024


class Finding(Enum):
    """What a probe says of its provider's health. A refused key and a rate limit say nothing: the provider answered."""

    GOOD = "good"
    BAD = "bad"
    KEY_REFUSED = "key_refused"
    RATE_LIMITED = "rate_limited"

    @property
    def says_nothing(self) -> bool:
        return self in (Finding.KEY_REFUSED, Finding.RATE_LIMITED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe that ended. `error` is a class of fault and a status, never the provider's words."""

    provider: str
    finding: Finding
    timing: ProbeTiming
    error: str = ""
    retry_after_s: float = 0.0
    span: ProbeSpan = field(default_factory=ProbeSpan)
    wall_time: float = 0.0


class HttpProbe:
    """Probes over HTTP, each at most `timeout_s` long. Use as an async context manager, inside the event loop."""

    def __init__(self, *, timeout_s: float, tracer: Tracer) -> None:
        self._timeout_s = timeout_s
        self._tracer = tracer
        # The system's own certificates and no proxy from the environment: the router's way, so that both see the same.
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        # Not the loop's resolver: look-ups that hang would fill its few threads and make healthy providers look bad.
        self._resolver = aiodns.DNSResolver(timeout=timeout_s, tries=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        await self._resolver.close()

    async def __call__(self, provider: Provider) -> ProbeResult:
        """Probe once. Never raises for what a network or a provider can do."""
        span = self._tracer.start_span(
            f"probe {provider.name}",
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes={"signalbox.provider": provider.name},
        )
        phases = _Phases()
        try:
            answer = await self._ask_in_time(provider, phases)
            result = _result(provider.name, answer, phases, span)
            _describe(span, result)
            return result
        finally:
            span.end()

    async def _ask_in_time(self, provider: Provider, phases: _Phases) -> _Answer:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask(provider, phases)
        except (TimeoutError, httpx.TimeoutException):
            error = "TIMEOUT"
        except aiodns.error.DNSError:
            error = "DNS"
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            error = phases.fault()
        phases.mark("end")
        return _Answer(error=error)

    async def _ask(self, provider: Provider, phases: _Phases) -> _Answer:
        """Try one address of each family in turn: a provider whose IPv6 is dead and whose IPv4 is alive is alive."""
        url = httpx.URL(f"{provider.base_url}/models")
        addresses = await self._resolve(url.host, phases)
        for address in addresses[:-1]:
            try:
                return await self._get(provider, url, address, phases, connect_s=self._timeout_s / 2)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                phases.forget_connection()
        return await self._get(provider, url, addresses[-1], phases, connect_s=self._timeout_s)

    async def _resolve(self, host: str, phases: _Phases) -> list[str]:
        if _is_address(host):
            return [host]
        phases.mark("dns.started")
        found = await self._resolver.getaddrinfo(host, port=0, type=socket.SOCK_STREAM)
        phases.mark("dns.complete")
        by_family = {node.family: _address_text(node.addr[0]) for node in reversed(found.nodes)}
        first = _address_text(found.nodes[0].addr[0])
        return [first, *(address for address in by_family.values() if address != first)]

    async def _get(
        self, provider: Provider, url: httpx.URL, address: str, phases: _Phases, *, connect_s: float
    ) -> _Answer:
        """GET from `address`, with the name that `url` holds in the request and in the certificate's check."""
        headers = {"host": url.netloc.decode("ascii"), "accept": "application/json", "accept-encoding": "identity"}
        if provider.key:
            headers["authorization"] = f"Bearer {provider.key.reveal()}"
        request = self._client.build_request(
            "GET",
            url.copy_with(host=address),
            headers=headers,
            timeout=httpx.Timeout(None, connect=connect_s),
            extensions={"trace": phases.trace, "sni_hostname": url.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            answer = await _read(response)
            phases.mark("end")  # The goodbye of a TLS connection takes longer than the rest, and tells nothing.
            return answer
        finally:
            await response.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What came back: a status, 0 where none did, and the class of fault, empty where there is none."""

    status_code: int = 0
    error: str = ""
    retry_after_s: float = 0.0


class _Phases:
    """The times at which the phases of a probe began and ended, from httpx's trace events and our own."""

    def __init__(self) -> None:
        self._times = {"start": time.perf_counter()}

    async def trace(self, event: str, _info: object) -> None:
        self.mark(event.partition(".")[2])

    def mark(self, event: str) -> None:
        self._times[event] = time.perf_counter()

    def forget_connection(self) -> None:
        for event in [e for e in self._times if e.startswith("connect_tcp")]:
            del self._times[event]

    def timing(self, *, is_ok: bool, status_code: int) -> ProbeTiming:
        return ProbeTiming(
            dns_s=self._between("dns.started", "dns.complete"),
            connect_s=self._between("connect_tcp.started", "connect_tcp.complete"),
            tls_s=self._between("start_tls.started", "start_tls.complete"),
            first_byte_s=self._between("send_request_body.complete", "receive_response_headers.complete"),
            total_s=self._between("start", "end"),
            is_ok=is_ok,
            status_code=status_code,
        )

    def fault(self) -> str:
        """Which class of fault an error was, by the phase it fell into."""
        if "connect_tcp.complete" not in self._times:
            return "CONNECT"
        if "start_tls.started" in self._times and "start_tls.complete" not in self._times:
            return "TLS"
        return "BAD_RESPONSE"

    def _between(self, earlier: str, later: str) -> float:
        if earlier not in self._times or later not in self._times:
            return 0.0
        return max(0.0, self._times[later] - self._times[earlier])


async def _read(response: httpx.Response) -> _Answer:
    status = response.status_code
    if status == 200:
        return _Answer(status_code=status, error="" if await _is_list_of_models(response) else "BAD_RESPONSE")
    if status == 429:
        return _Answer(status_code=status, error="RATE_LIMITED", retry_after_s=_seconds(response.headers))
    return _Answer(status_code=status, error=_fault_of(status))


async def _is_list_of_models(response: httpx.Response) -> bool:
    """Whether the body is what a provider lists its models with: a list, or an object that holds one."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return False
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if isinstance(document, dict):
        document = document.get("data", document.get("models"))
    return isinstance(document, list)


def _fault_of(status: int) -> str:
    """A provider that answers with another 4xx has no list of models, and lives."""
    match status:
        case 401 | 403:
            return "CREDENTIALS"
        case _ if 300 <= status < 400:
            return "REDIRECT"
        case _ if 400 <= status < 500:
            return ""
        case _ if status >= 500:
            return "SERVER_ERROR"
        case _:
            return "BAD_RESPONSE"


def _seconds(headers: httpx.Headers) -> float:
    """Retry-After where it is a number of seconds; a date or nonsense counts as none."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def _result(provider: str, answer: _Answer, phases: _Phases, span: Span) -> ProbeResult:
    finding = {"": Finding.GOOD, "CREDENTIALS": Finding.KEY_REFUSED, "RATE_LIMITED": Finding.RATE_LIMITED}.get(
        answer.error, Finding.BAD
    )
    has_status = bool(answer.error and answer.status_code)
    return ProbeResult(
        provider=provider,
        finding=finding,
        timing=phases.timing(is_ok=finding is Finding.GOOD, status_code=answer.status_code),
        error=f"{answer.error} {answer.status_code}" if has_status else answer.error,
        retry_after_s=answer.retry_after_s,
        span=_ids(span),
        wall_time=time.time(),
    )


def _ids(span: Span) -> ProbeSpan:
    if not span.is_recording():
        return ProbeSpan()
    context = span.get_span_context()
    return ProbeSpan(trace_id=context.trace_id.to_bytes(16, "big"), span_id=context.span_id.to_bytes(8, "big"))


def _describe(span: Span, result: ProbeResult) -> None:
    timing = result.timing
    phases = {"dns": timing.dns_s, "connect": timing.connect_s, "tls": timing.tls_s}
    phases |= {"first_byte": timing.first_byte_s, "total": timing.total_s}
    for phase, duration_s in phases.items():
        span.set_attribute(f"signalbox.probe.{phase}_s", duration_s)
    if timing.status_code:
        span.set_attribute("http.response.status_code", timing.status_code)
    if result.error:
        span.set_attribute("error.type", result.error)
    if result.finding is Finding.BAD:
        span.set_status(Status(StatusCode.ERROR, result.error))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address_text(address: bytes | str) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address
