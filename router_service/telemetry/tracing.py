"""Sets OpenTelemetry up for a process: where spans go, how many, and how long a slow collector is waited for."""

from __future__ import annotations

import os
import threading

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

from router_service.core.settings import TelemetrySettings

SHUTDOWN_S = 4.0
ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def setup(settings: TelemetrySettings, *, service_name: str) -> TracerProvider | None:
    """The provider that spans of this process come from; None where they have nowhere to go, and then cost nothing.

    The endpoint is the configuration's, else that of the OTEL_* environment. It keeps every trace that is begun: which
    calls begin one is CallTracing's to say, before anything is spent on it, and a probe always does.
    """
    endpoint = settings.otlp_endpoint or next((os.environ[v] for v in ENDPOINT_VARIABLES if os.environ.get(v)), "")
    if not endpoint or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    # Imported here: the exporter takes a tenth of a second to load, which a process without one need not pay.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https://"))
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or service_name})
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=4096, schedule_delay_millis=1000))
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
