"""Sends metrics to an OpenTelemetry collector from a thread of its own, so that no collector can hold anything up."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from typing import cast

from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from router_service.telemetry.instruments import Family, Kind, Meter, Spread
from router_service.telemetry.link import Link
from router_service.telemetry.otlp import Collector

logger = logging.getLogger(__name__)

INTERVAL_VARIABLE = "OTEL_METRIC_EXPORT_INTERVAL"
USUAL_INTERVAL_S = 60.0
SCOPE = InstrumentationScope("signalbox")
UNKNOWN = cast(float, None)
"""The library's type has no word for it; on the wire such a field is left out."""
MOST_POINTS = 5_000
"""In one message: a histogram's point has some 500 bytes, and collectors take 4 MiB unless told otherwise."""


def setup(to: Collector, meter: Meter, resource: Resource) -> CollectorMetrics:
    """Begin to send what `meter` collects."""
    exporter = OTLPMetricExporter(endpoint=to.endpoint, insecure=to.is_insecure, max_export_batch_size=MOST_POINTS)
    return CollectorMetrics(exporter, meter, resource, interval_s=interval_s())


class CollectorMetrics:
    """One pending picture of all figures: a newer one takes the place of one that was not sent yet.

    The figures are sums since the start, so that one that was never sent loses nothing.
    """

    def __init__(self, exporter: MetricExporter, meter: Meter, resource: Resource, *, interval_s: float) -> None:
        self._exporter = exporter
        self._meter = meter
        self._resource = resource
        self._interval_s = interval_s
        self._started_ns = time.time_ns()
        self._pending: tuple[Family, ...] | None = None
        self._has_some = threading.Event()
        self._is_closed = False
        self._link = Link("metrics to the collector")
        self._thread = threading.Thread(target=self._send_on, name="collector-metrics", daemon=True)
        self._thread.start()

    async def run(self) -> None:
        """Take the figures at every interval, until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            self._take()

    def close(self) -> None:
        """Take the figures a last time, and give up what is tried in vain. To be called in the event loop's thread."""
        self._take()
        self._is_closed = True
        self._has_some.set()

    def join(self, within_s: float) -> None:
        """Wait for the last of it, at most so long. The thread of a collector that hangs ends with the process."""
        self._thread.join(within_s)

    def _take(self) -> None:
        self._pending = self._meter.collect()
        self._has_some.set()

    def _send_on(self) -> None:
        while True:
            self._has_some.wait()
            self._has_some.clear()
            is_last = self._is_closed
            families, self._pending = self._pending, None
            if families is not None:
                self._send(families)
            if is_last:
                self._exporter.shutdown()
                return

    def _send(self, families: tuple[Family, ...]) -> None:
        data = metrics_data(families, self._resource, started_ns=self._started_ns, now_ns=time.time_ns())
        try:
            is_taken = self._exporter.export(data) is MetricExportResult.SUCCESS
        except Exception:  # the root of a thread: what cannot be exported stops nobody
            logger.exception("metrics could not be exported")
            is_taken = False
        self._link.told(is_taken=is_taken)


def interval_s() -> float:
    """From the environment, in which it stands in milliseconds; a value that is none counts as unset."""
    try:
        given_s = float(os.environ.get(INTERVAL_VARIABLE, "")) / 1000
    except ValueError:
        return USUAL_INTERVAL_S
    return given_s if 0 < given_s < float("inf") else USUAL_INTERVAL_S


def metrics_data(families: tuple[Family, ...], resource: Resource, *, started_ns: int, now_ns: int) -> MetricsData:
    """The families in OpenTelemetry's terms, as sums since `started_ns`."""
    metrics = [_metric(family, started_ns, now_ns) for family in families]
    scope = ScopeMetrics(scope=SCOPE, metrics=metrics, schema_url="")
    return MetricsData([ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url="")])


def _metric(family: Family, started_ns: int, now_ns: int) -> Metric:
    instrument = family.instrument
    data: Sum | Gauge | HistogramData
    match instrument.kind:
        case Kind.HISTOGRAM:
            spreads = [_histogram_point(family, p, started_ns, now_ns) for p in family.points if isinstance(p, Spread)]
            data = HistogramData(spreads, AggregationTemporality.CUMULATIVE)
        case Kind.COUNTER:
            data = Sum(_number_points(family, started_ns, now_ns), AggregationTemporality.CUMULATIVE, is_monotonic=True)
        case Kind.GAUGE:
            data = Gauge(_number_points(family, started_ns, now_ns))
    return Metric(name=instrument.name, description=instrument.meaning, unit=instrument.unit, data=data)


def _number_points(family: Family, started_ns: int, now_ns: int) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(_attributes(family, p.labels), started_ns, now_ns, p.value)
        for p in family.points
        if not isinstance(p, Spread)
    ]


def _histogram_point(family: Family, spread: Spread, started_ns: int, now_ns: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=_attributes(family, spread.labels),
        start_time_unix_nano=started_ns,
        time_unix_nano=now_ns,
        count=spread.count,
        sum=spread.total,
        bucket_counts=spread.counts,
        explicit_bounds=family.instrument.bounds,
        min=UNKNOWN,
        max=UNKNOWN,
    )


def _attributes(family: Family, values: tuple[str, ...]) -> dict[str, str]:
    """A label without a value is no attribute: `error.type` of what went well."""
    return {name: value for name, value in zip(family.instrument.labels, values, strict=True) if value}
