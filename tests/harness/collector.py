"""A real OTLP receiver: what the processes export, as an OpenTelemetry collector would get it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it arrived, with the service that sent it and its attributes as plain values."""

    service: str
    span: trace_pb2.Span
    attributes: dict[str, object]


@dataclass(frozen=True, slots=True)
class ReceivedMetric:
    """A metric as it arrived last, with the service that sent it."""

    service: str
    metric: metrics_pb2.Metric


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span that is exported to it. `metrics` takes the other half."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.metrics = CollectedMetrics()

    def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            names = {a.key: _plain(a.value) for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {a.key: _plain(a.value) for a in span.attributes}
                    self.spans.append(Received(str(names["service.name"]), span, attributes))
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Received]:
        return [s for s in self.spans if s.span.name == name]


class CollectedMetrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    """Keeps the newest of every metric of a service; each holds all since the service's start."""

    def __init__(self) -> None:
        self.newest: dict[tuple[str, str], ReceivedMetric] = {}

    def Export(
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, _context: grpc.ServicerContext
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            service = str({a.key: _plain(a.value) for a in resource.resource.attributes}["service.name"])
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self.newest[service, metric.name] = ReceivedMetric(service, metric)
        return metrics_service_pb2.ExportMetricsServiceResponse()

    def value(self, service: str, name: str, **labels: str) -> float:
        """A counter's or gauge's sum, or a histogram's count, over all points with at least these attributes, whose
        dots are written as underscores here; 0 where there is none.
        """
        found = self.newest.get((service, name))
        if found is None:
            return 0.0
        kind = found.metric.WhichOneof("data")
        assert kind is not None
        return sum(_figure(point) for point in getattr(found.metric, kind).data_points if _has(point, labels))


def _figure(point: metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint) -> float:
    if isinstance(point, metrics_pb2.HistogramDataPoint):
        return point.count
    return point.as_int if point.WhichOneof("value") == "as_int" else point.as_double


def _has(point: metrics_pb2.NumberDataPoint | metrics_pb2.HistogramDataPoint, labels: dict[str, str]) -> bool:
    own = {a.key.replace(".", "_"): _plain(a.value) for a in point.attributes}
    return labels.items() <= own.items()


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """A collector and the address it listens on."""
    collector = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(collector.metrics, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector, f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _plain(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_plain(v) for v in value.array_value.values)
    return getattr(value, kind) if kind else None
