"""grpc.health.v1 with watches that end: the library's own go on for ever, and would hold a drain to its last second."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Status = health_pb2.HealthCheckResponse


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """What each service says of itself. One that was never spoken for is unknown."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._is_ending = False

    def say(self, services: tuple[str, ...], status: int) -> None:
        """Every service named is in this state from now on, and whoever watches it hears so."""
        self._said.update(dict.fromkeys(services, status))
        self._wake()

    def end(self) -> None:
        """Watches end once they have told the last state."""
        self._is_ending = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        status = self._said.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service; the empty name asks for the whole server")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        told = None
        while True:
            changed, is_ending = self._changed, self._is_ending
            status = self._said.get(request.service, Status.SERVICE_UNKNOWN)
            if status != told:
                told = status
                await context.write(health_pb2.HealthCheckResponse(status=status))
            if is_ending:
                return
            await changed.wait()
