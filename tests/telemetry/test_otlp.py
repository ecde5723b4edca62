"""Whether there is a collector, and where: the configuration's word, then the environment's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from router_service.core.settings import TelemetrySettings
from router_service.telemetry.collector_metrics import INTERVAL_VARIABLE, interval_s
from router_service.telemetry.otlp import Collector, Signal, collector, resource

CONFIGURED = TelemetrySettings(otlp_endpoint="http://configured:4317")
NOTHING = TelemetrySettings()


@pytest.mark.parametrize(
    ("settings", "environ", "traces", "metrics"),
    [
        (NOTHING, {}, None, None),
        (CONFIGURED, {}, "http://configured:4317", "http://configured:4317"),
        (NOTHING, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://env:1"}, "http://env:1", "http://env:1"),
        (NOTHING, {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://env:2"}, None, "http://env:2"),
        (NOTHING, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://env:3"}, "https://env:3", None),
        (CONFIGURED, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://env:1"}, *["http://configured:4317"] * 2),
        (CONFIGURED, {"OTEL_METRICS_EXPORTER": "none"}, "http://configured:4317", None),
        (CONFIGURED, {"OTEL_TRACES_EXPORTER": "NONE"}, None, "http://configured:4317"),
        (CONFIGURED, {"OTEL_SDK_DISABLED": "true"}, None, None),
    ],
)
def test_the_collector_is_where_it_was_said_to_be(
    settings: TelemetrySettings, environ: Mapping[str, str], traces: str | None, metrics: str | None
) -> None:
    for signal, expected in ((Signal.TRACES, traces), (Signal.METRICS, metrics)):
        found = collector(settings, signal, environ)
        assert found == (None if expected is None else Collector(expected))


@pytest.mark.parametrize(("endpoint", "is_insecure"), [("http://a:1", True), ("a:1", True), ("https://a:1", False)])
def test_tls_is_used_where_the_address_says_so(endpoint: str, is_insecure: bool) -> None:
    assert Collector(endpoint).is_insecure is is_insecure


def test_each_start_is_an_instance_of_its_own() -> None:
    first, second = resource("a").attributes, resource("a").attributes
    assert first["service.name"] == "a"
    assert first["service.instance.id"] != second["service.instance.id"]


@pytest.mark.parametrize(
    ("value", "expected"), [("", 60), ("250", 0.25), ("often", 60), ("0", 60), ("-1", 60), ("inf", 60), ("nan", 60)]
)
def test_the_interval_is_in_milliseconds(value: str, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INTERVAL_VARIABLE, value)
    assert interval_s() == expected
