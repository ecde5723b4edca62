"""What traces and metrics share on their way to a collector: whether there is one, where, and who sends."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from opentelemetry.sdk.resources import Resource

from router_service.core.settings import TelemetrySettings

_EXPORTER = "opentelemetry.exporter"


class Signal(Enum):
    """The two kinds, by their part of the names of OTEL_* variables."""

    TRACES = "TRACES"
    METRICS = "METRICS"


@dataclass(frozen=True, slots=True)
class Collector:
    """Where one kind of telemetry goes."""

    endpoint: str

    @property
    def is_insecure(self) -> bool:
        return not self.endpoint.startswith("https://")


def collector(settings: TelemetrySettings, signal: Signal, environ: Mapping[str, str] = os.environ) -> Collector | None:
    """The configuration's, else that of the OTEL_* environment; None where there is none, or it is switched off."""
    variables = (f"OTEL_EXPORTER_OTLP_{signal.value}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    endpoint = settings.otlp_endpoint or next((environ[v] for v in variables if environ.get(v)), "")
    is_off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if is_off or not endpoint or environ.get(f"OTEL_{signal.value}_EXPORTER", "").lower() == "none":
        return None
    _quieten()
    return Collector(endpoint)


def resource(service_name: str) -> Resource:
    """Who sends. The instance is random, so that the sums of two processes, or of two starts, are never mixed."""
    # Imported here: a process without a collector need not pay for it.
    from importlib.metadata import version

    return Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or service_name,
            "service.version": version("signalbox"),
            "service.instance.id": secrets.token_hex(8),
        }
    )


def _quieten() -> None:
    """The library logs every try. Whoever uses it here says once that a collector is lost; debug shows all of it."""
    is_debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
    logging.getLogger(_EXPORTER).setLevel(logging.DEBUG if is_debugging else logging.CRITICAL)
