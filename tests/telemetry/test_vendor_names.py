"""Providers in spans and metrics: the vendor by the conventions' name, the account by the configuration's."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from router_service.core.attempt import Attempt
from router_service.core.catalog import Model, Provider, Target
from router_service.core.chat import Prompt, Usage
from router_service.core.events import AttemptFinished, AttemptStarted
from router_service.core.outcome import Outcome
from router_service.core.request import Request
from router_service.telemetry.attempt_metrics import AttemptMetrics
from router_service.telemetry.prometheus import page
from router_service.telemetry.spans import SpanObserver

GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai"


def finished(provider: str, trace: object = None) -> AttemptFinished:
    target = Target(Provider(name=provider, dialect="openai", base_url=GEMINI), Model(id="gemini-flash"))
    return AttemptFinished(
        started=AttemptStarted(target=target.id, is_stream=False),
        request=Request(request_id="r", prompt=Prompt(messages=()), deadline=0.0),
        plan=None,
        attempt=Attempt(
            target=target,
            outcome=Outcome.OK,
            number=1,
            start_time=0.0,
            latency_s=0.1,
            usage=Usage(input_tokens=1, output_tokens=1),
        ),
        trace=trace,
    )


def test_two_accounts_of_one_vendor_are_told_apart_on_the_page() -> None:
    metrics = AttemptMetrics()
    for provider in ("gemini", "gemini-eu"):
        metrics.attempt_finished(finished(provider))
    lines = [
        line
        for line in page(family for family in metrics.families() if family.points).body.decode().splitlines()
        if line.startswith("gen_ai_client_operation_duration_seconds_count")
    ]
    assert lines == [
        'gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",gen_ai_provider_name="gcp.gemini",'
        f'gen_ai_request_model="gemini-flash",signalbox_provider="{provider}"}} 1'
        for provider in ("gemini", "gemini-eu")
    ]


def test_a_span_has_both_names() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("call") as call:
        SpanObserver(provider).attempt_finished(finished("gemini-eu", call))
    attempt = exporter.get_finished_spans()[0]
    attributes = dict(attempt.attributes or {})
    assert (attributes["gen_ai.provider.name"], attributes["signalbox.provider"]) == ("gcp.gemini", "gemini-eu")
