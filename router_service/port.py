"""What callers meet: the guarded server with its services, each built once."""

from __future__ import annotations

from random import Random

from opentelemetry.sdk.trace import TracerProvider
from signalbox.v1 import admin_pb2_grpc, router_pb2_grpc

from router_service.core.settings import Settings, TelemetrySettings
from router_service.edge.grpc_admin import ADMIN, GrpcAdmin
from router_service.edge.grpc_router import ROUTER, GrpcRouter
from router_service.engine import Engine
from router_service.rpc.call import CallFrame
from router_service.rpc.guard import Guard, has_reflection
from router_service.rpc.server import StandardServices, new_server
from router_service.telemetry.call_metrics import CallMetrics
from router_service.telemetry.calls import CallTracing

NOBODY = ""
"""The tenant of whoever runs the router: Admin tells of all targets, whosever they are."""


class Port:
    """Of one address, `wanted`, behind one guard. It takes calls once it listens and its server is started."""

    def __init__(
        self,
        engine: Engine,
        guard: Guard,
        settings: Settings,
        wanted: str,
        *,
        spans: TracerProvider | None,
        rng: Random,
    ) -> None:
        self._guard = guard
        self.figures = CallMetrics()
        self.frame = CallFrame(
            _tracing(spans, settings.telemetry, rng),
            engine.audience,
            calls=self.figures,
            access=guard.access,
            turnstile=engine.allowances,
            default_deadline_s=settings.server.default_deadline_s,
            max_deadline_s=settings.server.max_deadline_s,
        )
        self.server = new_server(self.frame, max_message_mib=settings.server.max_message_mib)
        self._router = GrpcRouter(
            engine.router, server=settings.server, routing=settings.routing, observer=engine.audience
        )
        admin = GrpcAdmin(view=lambda: engine.views.to_plan(tenant=NOBODY), dialects=engine.dialects)
        router_pb2_grpc.add_RouterServicer_to_server(self._router, self.server)
        admin_pb2_grpc.add_AdminServicer_to_server(admin, self.server)
        reflects = has_reflection(settings.server, wanted)
        self.standard = StandardServices(self.server, (ROUTER, ADMIN), has_reflection=reflects)

    def adopt(self, settings: Settings) -> None:
        """Go by another configuration from the next call on."""
        self._guard.access.adopt(settings.tenants)
        self._router.adopt(max_attempts=settings.routing.max_attempts)

    def listen(self) -> str:
        """The address by now. Raises CannotListen."""
        return self._guard.listen(self.server)


def _tracing(spans: TracerProvider | None, settings: TelemetrySettings, rng: Random) -> CallTracing | None:
    return None if spans is None else CallTracing(spans, sample_ratio=settings.sample_ratio, rng=rng)
