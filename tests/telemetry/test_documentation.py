"""docs/telemetry.md against the code: each metric, each attribute of a span, each key of the log, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from prober import measure
from router_service.core.settings import TelemetrySettings
from router_service.telemetry import attempt_metrics, call_metrics, process_metrics, router_gauges
from router_service.telemetry.instruments import Instrument, Kind
from router_service.telemetry.prometheus import prometheus_name

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "telemetry.md").read_text()
METRICS = {
    "Of router and prober": (*call_metrics.INSTRUMENTS, *process_metrics.INSTRUMENTS),
    "Of the router": (*attempt_metrics.INSTRUMENTS, *router_gauges.INSTRUMENTS),
    "Of the prober": measure.INSTRUMENTS,
}
ALL = list({i.name: i for part in METRICS.values() for i in part}.values())
SPANS = ("router_service/telemetry/calls.py", "router_service/telemetry/spans.py", "prober/probe.py", "prober/deep.py")
CONTENT = "router_service/telemetry/content.py"
ATTRIBUTE = re.compile(r"(gen_ai|signalbox|rpc|http|error)\.[a-z_.]+")
TRACERS = {"signalbox.rpc", "signalbox.router"}


def section(title: str) -> str:
    """The text below a heading, up to the next one of its kind or above."""
    level, rest = re.split(rf"^(#+) {re.escape(title)}\n", PAGE, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{2,{len(level)}}} ", rest, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def row(instrument: Instrument) -> list[str]:
    labels = ", ".join(f"`{label}`" for label in instrument.labels) or "–"
    names = [f"`{instrument.name}`", f"`{prometheus_name(instrument)}`"]
    return [*names, instrument.kind.value, f"`{instrument.unit}`", labels, instrument.meaning]


def strings(path: str) -> Iterator[str]:
    tree = ast.parse((ROOT / path).read_text())
    return (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def attributes(path: str) -> set[str]:
    return {text for text in strings(path) if ATTRIBUTE.fullmatch(text)} - TRACERS


@pytest.mark.parametrize("title", METRICS)
def test_the_page_has_every_metric(title: str) -> None:
    assert rows(section(title)) == [row(instrument) for instrument in METRICS[title]]


def test_the_page_has_every_attribute() -> None:
    before, content = section("Traces").split("### Content")
    assert {cells[0].strip("`") for cells in rows(before)} == set().union(*map(attributes, SPANS))
    assert {cells[0].strip("`") for cells in rows(content)} == attributes(CONTENT)


def test_the_page_has_every_key_of_a_line() -> None:
    written = [text for text in strings("router_service/telemetry/request_log.py") if re.fullmatch(r"[a-z_]+", text)]
    told = {cells[0].strip("`") for cells in rows(section("The log"))}
    assert told <= set(written)
    assert set(written) - told <= {"info", "annotations"}


def test_the_page_shows_every_key_of_the_configuration() -> None:
    for field in fields(TelemetrySettings):
        assert f"  {field.name}: " in section("Switching it on")


@pytest.mark.parametrize("instrument", ALL, ids=lambda i: i.name)
def test_an_instrument_is_well_formed(instrument: Instrument) -> None:
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", instrument.name)
    assert bool(instrument.bounds) is (instrument.kind is Kind.HISTOGRAM)
    assert list(instrument.bounds) == sorted(set(instrument.bounds))
    assert instrument.meaning.endswith(".")
    assert len(set(instrument.labels)) == len(instrument.labels)


@pytest.mark.parametrize("instrument", ALL, ids=lambda i: i.name)
def test_a_collector_gives_the_same_name_to_prometheus(instrument: Instrument) -> None:
    """By the mapping of OpenTelemetry's collector: a unit that it does not know is appended as it is."""
    unit = {"s": "seconds", "By": "bytes", "1": "ratio" if instrument.kind is Kind.GAUGE else ""}.get(
        instrument.unit, "" if instrument.unit.startswith("{") else instrument.unit
    )
    words = re.split(r"[^a-zA-Z0-9]+", instrument.name)
    words += [unit] if unit and unit not in words else []
    words += ["total"] if instrument.kind is Kind.COUNTER else []
    assert prometheus_name(instrument) == "_".join(words)


def test_no_two_instruments_share_a_name() -> None:
    router = [i.name for title in ("Of router and prober", "Of the router") for i in METRICS[title]]
    prober = [i.name for title in ("Of router and prober", "Of the prober") for i in METRICS[title]]
    assert len(set(router)) == len(router)
    assert len(set(prober)) == len(prober)
