"""A Router of the test behind our frame, on a real server: each model name is a way to behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2
from signalbox.v1 import admin_pb2_grpc, router_pb2, router_pb2_grpc

from router_service.core.errors import Facts, InternalFault, Overloaded, RequestFailed
from router_service.core.events import Observer
from router_service.rpc.access import Access
from router_service.rpc.call import CallFrame
from router_service.rpc.server import StandardServices, listen, new_server
from router_service.rpc.status import DETAILS_KEY
from router_service.rpc.turnstile import Turnstile
from router_service.rpc.unbuilt import refuse_unbuilt
from router_service.telemetry.calls import CallTracing

CANARY = "CANARY-7f3a"
"""The text of every bug; it is to be seen nowhere."""
PATIENCE_S = 5.0
ROUTER = "signalbox.v1.Router"
LARGE = router_pb2.StreamCompleteResponse(delta=router_pb2.Delta(content="x" * 1024 * 1024))

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
BUGS: dict[str, BaseException] = {
    "runtime-error": RuntimeError(CANARY),
    "key-error": KeyError(CANARY),
    "recursion": RecursionError(CANARY),
    "group": ExceptionGroup(CANARY, [ValueError(CANARY)]),
    "os-error": OSError(5, CANARY),
    "timeout": TimeoutError(CANARY),
    "bare": Exception(),
}


class PlayingRouter(router_pb2_grpc.RouterServicer):
    """Does what the request's model says; what else it is asked for is not built."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.ended = asyncio.Event()
        refuse_unbuilt(self, router_pb2_grpc.RouterServicer)

    async def Complete(self, request: router_pb2.CompleteRequest, context: Context) -> router_pb2.CompleteResponse:
        await self._play(request.routing.model, context)
        return router_pb2.CompleteResponse(request_id=request.request_id)

    async def StreamComplete(self, request: router_pb2.StreamCompleteRequest, context: Context) -> None:  # type: ignore[override]
        how = request.request.routing.model
        if how == "never-read":
            await self._write_for_ever(context)
        await context.write(router_pb2.StreamCompleteResponse())
        await self._play(how, context)

    async def _play(self, how: str, context: Context) -> None:
        if how in BUGS:
            raise BUGS[how]
        match how:
            case "wait":
                await self._wait()
            case "refuse":
                raise RequestFailed(Overloaded("full"), Facts(request_id="req-1"))
            case "fault":
                raise RequestFailed(InternalFault(), Facts(request_id="req-1")) from RuntimeError(CANARY)
            case "abort":
                await context.abort(grpc.StatusCode.NOT_FOUND, "not here")

    async def _wait(self) -> None:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def _write_for_ever(self, context: Context) -> None:
        try:
            while True:
                await context.write(LARGE)
                self.waiting.set()
        finally:
            self.ended.set()


class YieldingRouter(PlayingRouter):
    """Streams as an async generator does."""

    async def StreamComplete(self, request: router_pb2.StreamCompleteRequest, context: Context) -> Any:
        try:
            while request.request.routing.model == "never-read":
                yield LARGE
                self.waiting.set()
            yield router_pb2.StreamCompleteResponse()
            await self._play(request.request.routing.model, context)
            yield router_pb2.StreamCompleteResponse()
        finally:
            self.ended.set()


class UnbuiltAdmin(admin_pb2_grpc.AdminServicer):
    """Has every method, and none that does anything."""

    def __init__(self) -> None:
        refuse_unbuilt(self, admin_pb2_grpc.AdminServicer)


class Serving:
    """A running server, and a channel to it."""

    def __init__(self, address: str, router: PlayingRouter, frame: CallFrame, standard: StandardServices) -> None:
        self.address = address
        self.router = router
        self.frame = frame
        self.standard = standard
        self.channel = grpc.aio.insecure_channel(address)
        self.stub = router_pb2_grpc.RouterStub(self.channel)

    async def raw(self, method: str, data: bytes, *metadata: tuple[str, str]) -> bytes:
        """Call a unary method with bytes and return its answer's."""
        call: Any = self.channel.unary_unary(method, request_serializer=None, response_deserializer=None)
        answer: bytes = await call(data, timeout=PATIENCE_S, metadata=metadata)
        return answer


@asynccontextmanager
async def serving(
    router: PlayingRouter | None = None,
    *,
    tracing: CallTracing | None = None,
    access: Access | None = None,
    observer: Observer | None = None,
    turnstile: Turnstile | None = None,
    has_reflection: bool = True,
    max_message_mib: int = 4,
    default_deadline_s: float = 300.0,
    max_deadline_s: float = 3600.0,
) -> AsyncIterator[Serving]:
    """Our server with all that every server of ours has, on a free port."""
    playing = router or PlayingRouter()
    frame = CallFrame(
        tracing,
        observer,
        access=access,
        turnstile=turnstile,
        default_deadline_s=default_deadline_s,
        max_deadline_s=max_deadline_s,
    )
    server = new_server(frame, max_message_mib=max_message_mib)
    router_pb2_grpc.add_RouterServicer_to_server(playing, server)
    admin_pb2_grpc.add_AdminServicer_to_server(UnbuiltAdmin(), server)
    standard = StandardServices(server, (ROUTER,), has_reflection=has_reflection)
    address = listen(server, "127.0.0.1:0", allow_remote=False)
    await server.start()
    running = Serving(address, playing, frame, standard)
    try:
        yield running
    finally:
        await running.channel.close()
        await server.stop(0)


def asked(model: str = "") -> router_pb2.CompleteRequest:
    return router_pb2.CompleteRequest(request_id="req-1", routing=router_pb2.Routing(model=model))


def info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo that came with a status; fails where there is none."""
    raw = next(value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY)
    assert isinstance(raw, bytes)
    status = status_pb2.Status.FromString(raw)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return error_details_pb2.ErrorInfo.FromString(status.details[0].value)
