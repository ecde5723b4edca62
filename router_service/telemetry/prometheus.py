"""Metrics as the page that Prometheus reads: names and units as OpenTelemetry's specification maps them.

The lines are written here: the library takes ten times as long, and a thread that is busy for a second makes the event
loop wait for its turn again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

from router_service.telemetry.instruments import Family, Instrument, Kind, Spread

UNIT_NAMES: Mapping[str, str] = MappingProxyType({"s": "seconds", "1": "ratio"})
"""Units that a name ends with, `1` a gauge's alone. What counts things, in braces, adds nothing: hence money is in the
name, since a collector would add `USD` as it is.
"""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Page:
    """What a scrape gets."""

    content_type: str
    body: bytes


def page(families: Iterable[Family]) -> Page:
    """The families, and what is known of the process itself (process_*). May take some milliseconds."""
    lines = [line for family in families for line in _lines(family)]
    return Page(CONTENT_TYPE, "\n".join([*lines, ""]).encode() + _of_the_process())


def prometheus_name(instrument: Instrument) -> str:
    """What Prometheus calls it: `signalbox.snapshot.age` in s is signalbox_snapshot_age_seconds."""
    is_bare = instrument.unit == "1" and instrument.kind is not Kind.GAUGE
    unit = "" if is_bare else UNIT_NAMES.get(instrument.unit, "")
    name = "_".join(filter(None, [_underscored(instrument.name), unit]))
    return f"{name}_total" if instrument.kind is Kind.COUNTER else name


def _lines(family: Family) -> Iterator[str]:
    instrument = family.instrument
    name = prometheus_name(instrument)
    yield f"# HELP {name} {instrument.meaning.translate(_HELP_ESCAPES)}"
    yield f"# TYPE {name} {instrument.kind.value}"
    keys = [_underscored(label) for label in instrument.labels]
    bounds = [*(repr(float(bound)) for bound in instrument.bounds), "+Inf"]
    for point in family.points:
        pairs = [f'{key}="{value.translate(_ESCAPES)}"' for key, value in zip(keys, point.labels, strict=True) if value]
        labels = ",".join(pairs)
        if isinstance(point, Spread):
            yield from _histogram_lines(name, labels, bounds, point)
        else:
            yield f"{name}{{{labels}}} {point.value}"


def _histogram_lines(name: str, labels: str, bounds: list[str], spread: Spread) -> Iterator[str]:
    """Prometheus counts each bucket with all those below it."""
    beginning = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
    for bound, count in zip(bounds, accumulate(spread.counts), strict=True):
        yield f'{beginning}le="{bound}"}} {count}'
    yield f"{name}_sum{{{labels}}} {spread.total}"
    yield f"{name}_count{{{labels}}} {spread.count}"


def _of_the_process() -> bytes:
    """Memory, processor time and open files, as every exporter of Prometheus tells them."""
    # Imported here: it takes a twentieth of a second to load, which a process that nobody scrapes need not pay.
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _underscored(name: str) -> str:
    return name.replace(".", "_")
