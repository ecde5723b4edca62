"""Sets tracing up for a process: where spans go, how many may wait, and how long a slow collector is waited for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from router_service.telemetry.link import Link
from router_service.telemetry.otlp import Collector

SHUTDOWN_S, SHUTDOWN_WHERE_LOST_S = 4.0, 1.0
"""How long the end waits for a collector, and for one that took nothing the last time."""
MOST_WAITING, MOST_WAITING_WITH_CONTENT = 4096, 256
"""Spans that may wait for the collector. One without content has some 4 KiB, one with it up to 300."""
MOST_AT_ONCE = 512


class Losses:
    """What became of spans: whether their collector takes any, and how many were dropped, by cause."""

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()
        self.link = Link("spans to the collector")


def setup(to: Collector, resource: Resource, losses: Losses, *, has_content: bool) -> TracerProvider:
    """The provider that spans of this process come from.

    It keeps every trace that is begun: which calls begin one is CallTracing's to say, before anything is spent on it,
    and a probe always does. `losses` hears of the spans that were dropped.
    """
    # Imported here: the exporter takes a tenth of a second to load, which a process without one need not pay.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=to.endpoint, insecure=to.is_insecure)
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=resource, shutdown_on_exit=False)
    most = MOST_WAITING_WITH_CONTENT if has_content else MOST_WAITING
    provider.add_span_processor(BoundedSpans(exporter, losses, most=most))
    trace.set_tracer_provider(provider)
    return provider


def shutdown(provider: TracerProvider | None, within_s: float = SHUTDOWN_S) -> None:
    """Send what is left, for a bounded time. The thread of a collector that hangs ends with the process.

    The library's own bounds are none: its flush waits for the exporter, however long that tries.
    """
    if provider is None:
        return
    ending = threading.Thread(target=provider.shutdown, name="tracing-shutdown", daemon=True)
    ending.start()
    ending.join(within_s)


class BoundedSpans(SpanProcessor):
    """The library's queue and thread, with a count of what is lost: at `most` spans the new ones are, not the old."""

    def __init__(self, exporter: SpanExporter, losses: Losses, *, most: int) -> None:
        self._most = most
        self._losses = losses
        self._exporter = _CountedExporter(exporter, losses)
        self._kept = 0
        self._queue = BatchSpanProcessor(
            self._exporter,
            max_queue_size=most,
            schedule_delay_millis=1000,
            max_export_batch_size=min(most, MOST_AT_ONCE),
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do: a span is kept at its end."""

    def on_end(self, span: ReadableSpan) -> None:
        if self._kept - self._exporter.taken >= self._most:
            self._losses.spans["queue"] += 1
            return
        self._kept += 1
        self._queue.on_end(span)

    def shutdown(self) -> None:
        self._queue.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._queue.force_flush(timeout_millis)


class _CountedExporter(SpanExporter):
    """An exporter, with a count of the spans that it was given and of those that it did not get rid of."""

    def __init__(self, exporter: SpanExporter, losses: Losses) -> None:
        self.taken = 0
        self._exporter = exporter
        self._losses = losses

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        is_taken = result is SpanExportResult.SUCCESS
        if not is_taken:
            self._losses.spans["export"] += len(spans)
        self._losses.link.told(is_taken=is_taken)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
