"""The ways out of a process for what it measured: spans and metrics to a collector, a page of metrics to Prometheus."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from router_service.core.settings import PROBER_METRICS, ROUTER_METRICS, TelemetrySettings
from router_service.telemetry import tracing
from router_service.telemetry.instruments import Meter
from router_service.telemetry.otlp import Signal, collector, resource
from router_service.telemetry.scrapes import CannotServeMetrics, Scrapes
from router_service.telemetry.tracing import Losses

if TYPE_CHECKING:
    from router_service.telemetry.collector_metrics import CollectorMetrics

logger = logging.getLogger(__name__)

USUAL = (ROUTER_METRICS, PROBER_METRICS)


class Outlets:
    """None of them is ever waited for, but at the end, and then for `tracing.SHUTDOWN_S` at most."""

    def __init__(self, settings: TelemetrySettings, *, service_name: str) -> None:
        self._settings = settings
        self._service_name = service_name
        self._losses = Losses()
        self._scrapes: Scrapes | None = None
        self._metrics: CollectorMetrics | None = None
        self.spans: TracerProvider | None = None
        if (to := collector(settings, Signal.TRACES)) is not None:
            self.spans = tracing.setup(to, self._resource, self._losses, has_content=settings.content)

    @cached_property
    def _resource(self) -> Resource:
        return resource(self._service_name)

    @property
    def spans_lost(self) -> Mapping[str, int]:
        """Spans that were dropped, by cause; it changes in place."""
        return self._losses.spans

    def open(self, meter: Meter, *, flag: str | None, configured: str) -> tuple[tuple[str, str], ...]:
        """Let the metrics out. Returns the line of the ready file for the page's address, nothing where there is none.

        The usual address may be taken by another router, which is no reason not to start: it is tried again later. On
        any other one is insisted. Raises CannotServeMetrics.
        """
        if (to := collector(self._settings, Signal.METRICS)) is not None:
            # Imported here: the exporter takes a tenth of a second to load, which a process without one need not pay.
            from router_service.telemetry import collector_metrics

            self._metrics = collector_metrics.setup(to, meter, self._resource)
        address = configured if flag is None else flag
        if not address:
            return ()
        self._scrapes = Scrapes(meter)
        try:
            found = self._scrapes.listen(address, allow_remote=self._settings.allow_remote)
        except CannotServeMetrics as e:
            if flag is not None or address not in USUAL:
                raise
            logger.warning("%s; until then it is tried again from time to time", e)
            self._scrapes.listen_later(address)
            return ()
        return (("metrics", found),)

    async def run(self) -> None:
        """Serve the page and send what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._scrapes is not None:
                group.create_task(self._scrapes.run())
            if self._metrics is not None:
                group.create_task(self._metrics.run())

    def close(self) -> None:
        """Send what is left, for a bounded time. To be called in the event loop's thread, after `run`."""
        within_s = tracing.SHUTDOWN_WHERE_LOST_S if self._losses.link.is_lost else tracing.SHUTDOWN_S
        until = time.monotonic() + within_s
        if self._metrics is not None:
            self._metrics.close()
        tracing.shutdown(self.spans, within_s)
        if self._metrics is not None:
            self._metrics.join(max(0.0, until - time.monotonic()))
