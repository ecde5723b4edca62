"""Metrics as the page that Prometheus reads: names and units as OpenTelemetry's specification maps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from router_service.telemetry.instruments import Family, Instrument, Kind, Spread

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

UNIT_NAMES: Mapping[str, str] = MappingProxyType({"s": "seconds", "USD": "usd"})
"""Units that a name ends with. What counts things, in braces, or has no unit adds nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a scrape gets. The library chooses the format by what its asker accepts."""

    content_type: str
    body: bytes


def page(families: Iterable[Family], *, accept: str) -> Page:
    """The families, and what the library knows of the process itself (process_*). May take tens of milliseconds."""
    # Imported here: it takes a twentieth of a second to load, which a process that nobody scrapes need not pay.
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.registry import Collector

    class Collected(Collector):
        def collect(self) -> Iterator[Metric]:
            return map(_metric, families)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return Page(content_type, encode(registry))


def prometheus_name(instrument: Instrument) -> str:
    """What Prometheus calls it: `signalbox.cost` in USD, a counter, is signalbox_cost_usd_total."""
    unit = UNIT_NAMES.get(instrument.unit, "")
    name = "_".join(filter(None, [_underscored(instrument.name), unit]))
    return f"{name}_total" if instrument.kind is Kind.COUNTER else name


def _metric(family: Family) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    instrument = family.instrument
    name, labels = prometheus_name(instrument), [_underscored(label) for label in instrument.labels]
    match instrument.kind:
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(name, instrument.meaning, labels=labels)
            for point in family.points:
                assert isinstance(point, Spread)
                histogram.add_metric(point.labels, _buckets(instrument, point), point.total)
            return histogram
        case Kind.COUNTER:
            metric: CounterMetricFamily | GaugeMetricFamily = CounterMetricFamily(
                name, instrument.meaning, labels=labels
            )
        case Kind.GAUGE:
            metric = GaugeMetricFamily(name, instrument.meaning, labels=labels)
    for point in family.points:
        assert not isinstance(point, Spread)
        metric.add_metric(point.labels, point.value)
    return metric


def _buckets(instrument: Instrument, spread: Spread) -> list[tuple[str, float]]:
    """Prometheus counts each bucket with all those below it."""
    from prometheus_client.utils import floatToGoString

    bounds = [*map(floatToGoString, instrument.bounds), "+Inf"]
    return list(zip(bounds, accumulate(spread.counts), strict=True))


def _underscored(name: str) -> str:
    return name.replace(".", "_")
