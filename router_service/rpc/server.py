"""A gRPC server of ours: its options, the services that every server should have, and where it listens."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from router_service.rpc.call import CallFrame, Handler

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
MIB = 1024 * 1024
MAX_METADATA_BYTES = 16 * 1024
MAX_PENDING_CALLS = 100_000
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


def listen(server: grpc.aio.Server, address: str, *, allow_remote: bool) -> str:
    """Listen on `address` (HOST:PORT, port 0 for any, or unix:PATH) and return it with the port it came to be.

    Raises CannotListen where the address is taken, is none, or reaches beyond this machine without leave.
    """
    if not _is_place(address):
        raise CannotListen(f"{address!r} is no address to listen on; give HOST:PORT, port 0 for any, or unix:PATH")
    if not allow_remote and not is_local(address):
        raise CannotListen(
            f"{address} can be reached from other machines and calls are not authenticated; "
            "listen on 127.0.0.1, or set allow_remote to true if something else guards the port"
        )
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as e:
        raise CannotListen(f"cannot listen on {address}: is another process using it?") from e
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _is_place(address: str) -> bool:
    """Whether it can be listened on at all. The library takes a port modulo 65536, so that a typing error finds one."""
    if address.startswith("unix:"):
        return address != "unix:"
    host, _, port = address.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and int(port) <= MAX_PORT


def is_local(address: str) -> bool:
    """Whether only processes of this machine can reach it."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class StandardServices:
    """grpc.health.v1 and reflection, v1alpha and v1: what grpcurl and Kubernetes probes rely on."""

    def __init__(self, server: grpc.aio.Server, names: Iterable[str], *, has_reflection: bool) -> None:
        self._names = ("", *names)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if has_reflection:
            _add_reflection(server, (*self._names[1:], health.SERVICE_NAME))

    async def ready(self) -> None:
        """Every service takes calls. It does not say that every provider is up."""
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def not_ready(self) -> None:
        """From now on NOT_SERVING, whatever is set later: the beginning of the end."""
        await self._health.enter_graceful_shutdown()


def _add_reflection(server: grpc.aio.Server, names: tuple[str, ...]) -> None:
    """grpcio-reflection has v1alpha only; v1 is the same on the wire, so the same servicer serves both names."""
    names = (*names, reflection.SERVICE_NAME, REFLECTION_V1)
    reflection.enable_server_reflection(names, server)
    servicer = reflection.aio.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(REFLECTION_V1, handlers),))
