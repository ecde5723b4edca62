"""A gRPC server of ours: its options, the services that every server should have, and where it listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from router_service.core.addresses import is_local
from router_service.core.settings import MIB
from router_service.rpc.call import CallFrame, Handler
from router_service.rpc.health import HealthService

HEALTH = "grpc.health.v1.Health"
REFLECTION_V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
MAX_METADATA_BYTES = 16 * 1024
MAX_PENDING_CALLS = 100_000
MAX_STREAMS = 20_000
"""Calls at once on one connection. It lies above `max_in_flight`: a burst that comes before the caller's library has
read this bound would be cut by REFUSED_STREAM, and whom to turn away is ours to say.
"""
MAX_PORT = 65535


class CannotListen(Exception):
    """The address is not to be had, or not to be used; the text says why and what to do."""


def new_server(frame: CallFrame, *, max_message_mib: int) -> grpc.aio.Server:
    """Keepalive as callers with long silent streams need it; two servers on one port are refused, not balanced."""
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", max_message_mib * MIB),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", MAX_METADATA_BYTES),
            ("grpc.max_concurrent_streams", MAX_STREAMS),
            # gRPC drops calls that wait for us beyond these with a bare CANCELLED; who is turned away is ours to say.
            ("grpc.server.max_pending_requests", MAX_PENDING_CALLS),
            ("grpc.server.max_pending_requests_hard_limit", 2 * MAX_PENDING_CALLS),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_connection_age_ms", 300_000),
            ("grpc.max_connection_age_grace_ms", 3_600_000),
        ],
    )
    return FramedServer(server, frame)


class FramedServer(grpc.aio.Server):
    """A server that puts a frame around every method that is added to it."""

    def __init__(self, server: grpc.aio.Server, frame: CallFrame) -> None:
        self._server = server
        self._frame = frame

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Left out on purpose: the generated code adds the same handlers as generic ones as well.

        grpc.aio waits for the next call of each registered method apart, and so touches as many futures at every call
        as there are methods on the server: a tenth of a Complete with ours.
        """

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._server.add_generic_rpc_handlers(tuple(_FramedHandlers(h, self._frame) for h in generic_rpc_handlers))

    def add_insecure_port(self, address: str) -> int:
        return self._server.add_insecure_port(address)

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        return self._server.add_secure_port(address, server_credentials)

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace: float | None) -> None:
        await self._server.stop(grace)

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        return await self._server.wait_for_termination(timeout)


class _FramedHandlers(grpc.GenericRpcHandler):
    """The handlers that a service registers under no name of their own, each framed when it is first asked for."""

    def __init__(self, handlers: grpc.GenericRpcHandler, frame: CallFrame) -> None:
        self._handlers = handlers
        self._frame = frame
        self._framed: dict[str, Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        method = handler_call_details.method
        if (framed := self._framed.get(method)) is not None:
            return framed
        handler = self._handlers.service(handler_call_details)
        if handler is None:
            return None
        framed = self._framed[method] = self._frame.around(method, handler)
        return framed


def listen(
    server: grpc.aio.Server,
    address: str,
    *,
    allow_remote: bool,
    credentials: grpc.ServerCredentials | None = None,
    lacking: str = "callers are not authenticated",
) -> str:
    """Listen on `address` (HOST:PORT, port 0 for any, or unix:PATH) and return it with the port it came to be.

    TCP is encrypted by `credentials` where there are any. Raises CannotListen where the address is taken, is none, or
    reaches beyond this machine although something is `lacking` for that and `allow_remote` does not say otherwise.
    """
    if not _is_place(address):
        raise CannotListen(f"{address!r} is no address to listen on; give HOST:PORT, port 0 for any, or unix:PATH")
    if not allow_remote and lacking and not is_local(address):
        raise CannotListen(
            f"{address} can be reached from other machines, and {lacking}; listen on 127.0.0.1, or configure "
            "server.tls, and tenants or server.tls.client_ca, or set allow_remote to true if something else guards "
            "the port"
        )
    try:
        if credentials is None or address.startswith("unix:"):
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as e:
        raise CannotListen(f"cannot listen on {address}: is another process using it?") from e
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _is_place(address: str) -> bool:
    """Whether it can be listened on at all. The library takes a port modulo 65536, so that a typing error finds one."""
    if address.startswith("unix:"):
        return address != "unix:"
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and int(port) <= MAX_PORT


class StandardServices:
    """grpc.health.v1 and reflection, v1alpha and v1: what grpcurl and Kubernetes probes rely on."""

    def __init__(self, server: grpc.aio.Server, names: Iterable[str], *, has_reflection: bool) -> None:
        self._names = ("", *names)
        self._health = HealthService()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._reflection = _EndingReflection((*self._names[1:], HEALTH, REFLECTION_V1ALPHA, REFLECTION_V1))
        if has_reflection:
            self._reflection.add_to(server)
        self._is_ending = False

    async def ready(self) -> None:
        """Every service takes calls. It does not say that every provider is up."""
        if not self._is_ending:
            self._health.say(self._names, health_pb2.HealthCheckResponse.SERVING)

    async def not_ready(self) -> None:
        """From now on NOT_SERVING, whatever is set later: the beginning of the end."""
        self._is_ending = True
        self._health.say(self._names, health_pb2.HealthCheckResponse.NOT_SERVING)

    def end_streams(self) -> None:
        """End the streams that nobody else would: watches, with NOT_SERVING as their last word, and reflection's.

        To be called once new calls are refused, since a gRPC client that watches begins anew at once.
        """
        self._health.end()
        self._reflection.end()


class _EndingReflection(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    """Reflection whose streams can be ended: a client may hold one open for as long as it lives."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self._limits: set[asyncio.Timeout] = set()
        self._is_ending = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """grpcio-reflection has v1alpha only; v1 is the same on the wire, so the same servicer serves both names."""
        handler = grpc.stream_stream_rpc_method_handler(
            self._answer,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        for name in (REFLECTION_V1ALPHA, REFLECTION_V1):
            handlers = {"ServerReflectionInfo": handler}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))

    def end(self) -> None:
        self._is_ending = True
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())

    async def _answer(self, requests: AsyncIterator[Any], context: Any) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._is_ending else None) as limit:
                self._limits.add(limit)
                try:
                    async with aclosing(self.ServerReflectionInfo(requests, context)) as responses:
                        async for response in responses:
                            await context.write(response)
                finally:
                    self._limits.discard(limit)
