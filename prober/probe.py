"""One cheap probe of a provider: lists its models, spends no token, times every phase of a fresh connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from prober.exchange import OPEN_FILES, Exchanges, Phases, Reply
from router_service.core.catalog import Provider
from router_service.core.health import ProbeSpan, ProbeTiming
from router_service.core.outcome import BlockReason
from router_service.providers.dialect import HttpCall


class Finding(Enum):
    """What a probe says of its target's health. All but the first two say nothing of it.

    A provider that refuses the key, limits the rate or wants money has answered. UNASKED: this process could not ask.
    UNANSWERED: the question was not one that this target answers. FORBIDDEN: the key may not list models, which
    says nothing of what it may call.
    """

    GOOD = "good"
    BAD = "bad"
    KEY_REFUSED = "key_refused"
    RATE_LIMITED = "rate_limited"
    MONEY_GONE = "money_gone"
    UNASKED = "unasked"
    UNANSWERED = "unanswered"
    FORBIDDEN = "forbidden"

    @property
    def says_nothing(self) -> bool:
        return self not in (Finding.GOOD, Finding.BAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One probe that ended. `error` is a class of fault and a status, never the provider's words.

    `target` is the id of the one target that it speaks for; empty where it speaks for all of the provider's.
    """

    provider: str
    target: str = ""
    finding: Finding
    timing: ProbeTiming
    error: str = ""
    retry_after_s: float = 0.0
    span: ProbeSpan = field(default_factory=ProbeSpan)
    wall_time: float = 0.0


class CheapProbe:
    """Probes over `exchanges`, each at most `timeout_s` long."""

    def __init__(self, exchanges: Exchanges, *, timeout_s: float, tracer: Tracer) -> None:
        self._exchanges = exchanges
        self._timeout_s = timeout_s
        self._tracer = tracer

    async def __call__(self, provider: Provider) -> ProbeResult:
        """Probe once. Never raises for what a network or a provider can do."""
        with traced(self._tracer, f"probe {provider.name}", provider.name) as span:
            phases = Phases()
            reply = await self._exchanges.ask(_call(provider), phases, timeout_s=self._timeout_s)
            result = _result(provider.name, reply, phases, span)
            describe(span, result)
            return result


@contextmanager
def traced(tracer: Tracer, name: str, provider: str) -> Iterator[Span]:
    """A span that begins a trace of its own: nobody asked for a probe."""
    attributes = {"signalbox.provider": provider}
    span = tracer.start_span(name, context=Context(), kind=SpanKind.CLIENT, attributes=attributes)
    try:
        yield span
    finally:
        span.end()


def describe(span: Span, result: ProbeResult) -> None:
    """What came of the probe, as attributes of its span."""
    timing = result.timing
    span.set_attributes(
        {
            "signalbox.probe.dns_s": timing.dns_s,
            "signalbox.probe.connect_s": timing.connect_s,
            "signalbox.probe.tls_s": timing.tls_s,
            "signalbox.probe.first_byte_s": timing.first_byte_s,
            "signalbox.probe.total_s": timing.total_s,
        }
    )
    if timing.status_code:
        span.set_attribute("http.response.status_code", timing.status_code)
    if result.error:
        span.set_attribute("error.type", result.error)
    if result.finding is Finding.BAD:
        span.set_status(Status(StatusCode.ERROR, result.error))


def span_ids(span: Span) -> ProbeSpan:
    """Who to link to; nobody where the span is not recorded."""
    if not span.is_recording():
        return ProbeSpan()
    context = span.get_span_context()
    return ProbeSpan(trace_id=context.trace_id.to_bytes(16, "big"), span_id=context.span_id.to_bytes(8, "big"))


BLOCKING = {
    Finding.KEY_REFUSED: BlockReason.CREDENTIALS,
    Finding.MONEY_GONE: BlockReason.MONEY,
    Finding.RATE_LIMITED: BlockReason.RATE_LIMITED,
}
"""Findings that block a provider, and what for."""


def _call(provider: Provider) -> HttpCall:
    headers = {"accept": "application/json"}
    if provider.key:
        headers["authorization"] = f"Bearer {provider.key.reveal()}"
    return HttpCall(method="GET", url=f"{provider.base_url}/models", headers=headers, body=b"")


def _result(provider: str, reply: Reply, phases: Phases, span: Span) -> ProbeResult:
    error = reply.fault or _fault_of(reply)
    finding = _finding(error, reply.status)
    return ProbeResult(
        provider=provider,
        finding=finding,
        timing=phases.timing(is_ok=finding is Finding.GOOD, status_code=reply.status),
        error=f"{error} {reply.status}" if error and reply.status else error,
        retry_after_s=_seconds(reply.headers.get("retry-after", "")) if finding is Finding.RATE_LIMITED else 0.0,
        span=span_ids(span),
        wall_time=time.time(),
    )


def _finding(error: str, status: int) -> Finding:
    if error == "CREDENTIALS" and status == HTTPStatus.FORBIDDEN:
        return Finding.FORBIDDEN
    return _FINDINGS.get(error, Finding.BAD)


_FINDINGS = {
    "": Finding.GOOD,
    "CREDENTIALS": Finding.KEY_REFUSED,
    "RATE_LIMITED": Finding.RATE_LIMITED,
    "MONEY": Finding.MONEY_GONE,
    OPEN_FILES: Finding.UNASKED,
}


def _fault_of(reply: Reply) -> str:
    """A provider that answers with another 4xx has no list of models, and lives."""
    match reply.status:
        case 200:
            return "" if _is_list_of_models(reply.body) else "BAD_RESPONSE"
        case 401 | 403:
            return "CREDENTIALS"
        case 402:
            return "MONEY"
        case 429:
            return "RATE_LIMITED"
        case status if 300 <= status < 400:
            return "REDIRECT"
        case status if 400 <= status < 500:
            return ""
        case status if status >= 500:
            return "SERVER_ERROR"
        case _:
            return "BAD_RESPONSE"


def _is_list_of_models(body: bytes | None) -> bool:
    """Whether the body is what a provider lists its models with: a list, or an object that holds one."""
    try:
        document = json.loads(body or b"")
    except (ValueError, RecursionError):
        return False
    if isinstance(document, dict):
        document = document.get("data", document.get("models"))
    return isinstance(document, list)


def _seconds(text: str) -> float:
    """Retry-After where it is a number of seconds; a date or nonsense counts as none."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
