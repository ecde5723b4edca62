"""A call that fails over, with every span of it as a collector gets them: the material of docs/images/trace.svg."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Span, Tracer
from signalbox_client import Client

from tests.harness import processes, settings
from tests.harness.collector import Collector, Received, collecting
from tests.harness.processes import wait_until
from tests.harness.witness import Witness

SERVED = "signalbox.v1.Router/Complete"
ATTEMPT = "chat chat-small"
BEHAVIOURS = {"*": {"latency_s": 0.006, "tokens_per_s": 4000}}
ARRIVES_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The spans of one call. `probe` is the one that the call's span links to."""

    caller: Received
    served: Received
    attempts: tuple[Received, ...]
    probe: Received


def traced_failover() -> Trace:
    """Run a router, its prober and simulated providers, of which the first choice fails; returns what was exported."""
    with processes.short_directory() as directory, collecting() as (collector, endpoint):
        simulator = processes.simulator(directory, behaviours=BEHAVIOURS)
        with processes.running(simulator):
            config = _config(directory, simulator.ready["simulator"], endpoint)
            router = processes.router(directory, config)
            with (
                processes.running(processes.prober(directory, config), router),
                Witness(simulator.ready["simulator"]) as witness,
                Client(router.ready["router"]) as client,
                _tracing(endpoint) as tracer,
            ):
                _warm_up(client, collector)
                witness.break_provider("alder", "status=503")
                with tracer.start_as_current_span("caller") as caller:
                    client.complete("Which signal comes after the bridge?", max_output_tokens=24)
                return _trace(collector, caller)


def _warm_up(client: Client, collector: Collector) -> None:
    """Call until the router decides by a snapshot, which its links show."""

    def is_linked() -> bool:
        client.complete("hello", max_output_tokens=4)
        return any(served.span.links for served in collector.named(SERVED))

    wait_until(is_linked, within_s=ARRIVES_WITHIN_S, what="a call that links to a probe")


def _config(directory: Path, simulator: str, endpoint: str) -> Path:
    telemetry = {"otlp_endpoint": endpoint, "sample_ratio": 1.0}
    return settings.write(directory, settings.simulated(simulator, ("alder", "birch")), telemetry=telemetry)


@contextmanager
def _tracing(endpoint: str) -> Iterator[Tracer]:
    """The caller's own tracer, as its application would have one."""
    provider = TracerProvider(resource=Resource.create({"service.name": "caller"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=endpoint, insecure=True)))
    try:
        yield provider.get_tracer("caller")
    finally:
        provider.shutdown()


def _trace(collector: Collector, caller: Span) -> Trace:
    """The caller's trace, once all of it has come, and the probe."""
    trace_id = caller.get_span_context().trace_id.to_bytes(16)

    def own(name: str) -> list[Received]:
        return [received for received in collector.named(name) if received.span.trace_id == trace_id]

    wait_until(
        lambda: bool(own("caller") and own(SERVED) and len(own(ATTEMPT)) > 1 and _linked(collector, own(SERVED)[0])),
        within_s=ARRIVES_WITHIN_S,
        what="all spans of the call, and its probe's",
    )
    [served], [own_caller] = own(SERVED), own("caller")
    return Trace(
        caller=own_caller,
        served=served,
        attempts=tuple(sorted(own(ATTEMPT), key=lambda received: received.span.start_time_unix_nano)),
        probe=_linked(collector, served)[0],
    )


def _linked(collector: Collector, served: Received) -> list[Received]:
    wanted = {(link.trace_id, link.span_id) for link in served.span.links}
    return [received for received in collector.spans if (received.span.trace_id, received.span.span_id) in wanted]


def is_failed(received: Received) -> bool:
    return received.span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
