"""Where a server of ours listens, and what else it answers: health and reflection."""

from __future__ import annotations

import asyncio
import signal
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from router_service.rpc.call import CallFrame
from router_service.rpc.server import CannotListen, listen, new_server
from tests.harness.stack import routing
from tests.rpc.playing import PATIENCE_S, ROUTER, Serving, serving

pytestmark = pytest.mark.anyio

Status = health_pb2.HealthCheckResponse
MAX_CONCURRENT_STREAMS = 3
"""The setting's number in RFC 9113."""
REFLECTION = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


@asynccontextmanager
async def unserved() -> AsyncIterator[grpc.aio.Server]:
    """A server that only listens. It is started before it is stopped, since only then its end is waited for."""
    server = new_server(CallFrame(None), max_message_mib=1)
    try:
        yield server
    finally:
        await server.start()
        await server.stop(None)


async def test_listening_says_which_port_it_came_to_be() -> None:
    async with unserved() as server:
        host, _, port = listen(server, "127.0.0.1:0", allow_remote=False).rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0


async def test_listening_on_a_socket_file(tmp_path: Path) -> None:
    async with unserved() as server:
        path = f"unix:{tmp_path}/a.sock"
        assert listen(server, path, allow_remote=False) == path


async def test_taken_port_is_refused_and_says_so() -> None:
    async with serving() as running, unserved() as second:
        with pytest.raises(CannotListen, match="is another process using it"):
            listen(second, running.address, allow_remote=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:65536",
        "127.0.0.1:99999",
        "127.0.0.1:http",
        "127.0.0.1:-1",
        "127.0.0.1",
        ":0",
        "",
        "unix:",
        "unix:/no/such/directory/a.sock",
    ],
)
async def test_address_that_is_none_is_refused(address: str) -> None:
    async with unserved() as server:
        with pytest.raises(CannotListen):
            listen(server, address, allow_remote=False)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "example.org:0"])
async def test_other_machines_are_kept_out(address: str) -> None:
    async with unserved() as server:
        with pytest.raises(CannotListen, match="allow_remote"):
            listen(server, address, allow_remote=False)


async def test_other_machines_are_let_in_where_that_is_wanted() -> None:
    async with unserved() as server:
        assert listen(server, "0.0.0.0:0", allow_remote=True).startswith("0.0.0.0:")


async def test_connection_may_have_many_calls_at_once_and_not_without_end() -> None:
    """By the first thing that a server says of itself: the SETTINGS frame of HTTP/2."""
    async with serving() as running, asyncio.timeout(PATIENCE_S):
        host, _, port = running.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
        header = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
        writer.close()
    settings = dict(struct.iter_unpack(">HI", payload))
    assert settings[MAX_CONCURRENT_STREAMS] == 1000


async def check(running: Serving, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(running.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
    status: int = answer.status
    return status


async def test_health_is_serving_from_ready_to_the_beginning_of_the_end() -> None:
    async with serving() as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(running, ROUTER)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        await running.standard.ready()
        assert [await check(running, name) for name in ("", ROUTER)] == [Status.SERVING] * 2
        await running.standard.not_ready()
        assert [await check(running, name) for name in ("", ROUTER)] == [Status.NOT_SERVING] * 2
        await running.standard.ready()
        assert await check(running, "") == Status.NOT_SERVING


async def test_health_of_an_unknown_service() -> None:
    async with serving() as running:
        await running.standard.ready()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(running, "signalbox.v1.Nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched() -> None:
    async with serving() as running:
        await running.standard.ready()
        stub = health_pb2_grpc.HealthStub(running.channel)
        call = stub.Watch(health_pb2.HealthCheckRequest(service=ROUTER))
        async with asyncio.timeout(PATIENCE_S):
            assert (await call.read()).status == Status.SERVING
            await running.standard.not_ready()
            assert (await call.read()).status == Status.NOT_SERVING
        call.cancel()


@pytest.mark.parametrize("service", ["", ROUTER, "signalbox.v1.Nobody"])
async def test_watch_ends_with_its_last_word(service: str) -> None:
    async with serving() as running:
        await running.standard.ready()
        stub = health_pb2_grpc.HealthStub(running.channel)
        call = stub.Watch(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)
        told = [(await call.read()).status]
        await running.standard.not_ready()
        running.standard.end_streams()
        while (answer := await call.read()) is not grpc.aio.EOF:
            told.append(answer.status)
        assert await call.code() is grpc.StatusCode.OK
    assert told == ([Status.SERVICE_UNKNOWN] if service.endswith("Nobody") else [Status.SERVING, Status.NOT_SERVING])


async def test_watch_that_nobody_reads_keeps_nothing_from_being_said() -> None:
    async with serving() as running:
        stub = health_pb2_grpc.HealthStub(running.channel)
        call = stub.Watch(health_pb2.HealthCheckRequest(service=ROUTER))
        await call.initial_metadata()
        for _ in range(1000):
            await running.standard.ready()
        async with asyncio.timeout(PATIENCE_S):
            await running.standard.not_ready()
        assert await check(running, ROUTER) == Status.NOT_SERVING
        call.cancel()


@pytest.mark.parametrize("service", REFLECTION)
async def test_reflection_that_is_held_open_ends_with_the_other_streams(service: str) -> None:
    async with serving() as running, asyncio.timeout(PATIENCE_S):
        call = reflecting(running, service)
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        assert await call.read() is not grpc.aio.EOF
        running.standard.end_streams()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        late = reflecting(running, service)
        assert await late.read() is grpc.aio.EOF


def test_open_watches_do_not_hold_a_drain() -> None:
    with routing() as stack:
        watch = health_pb2_grpc.HealthStub(stack.channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watch).status == Status.SERVING
        began = time.monotonic()
        stack.router.signal(signal.SIGTERM)
        assert [answer.status for answer in watch] == [Status.NOT_SERVING]
        assert stack.router.wait(within_s=10) == 0
        assert time.monotonic() - began < 2.5, "half of the drain that the settings allow"


def reflecting(running: Serving, service: str) -> Any:
    return running.channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(timeout=PATIENCE_S)


async def reflected(
    running: Serving, service: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    call = reflecting(running, service)
    await call.write(request)
    await call.done_writing()
    response: reflection_pb2.ServerReflectionResponse = await call.read()
    if response is grpc.aio.EOF:
        raise grpc.aio.AioRpcError(await call.code(), await call.initial_metadata(), await call.trailing_metadata())
    return response


@pytest.mark.parametrize("service", REFLECTION)
async def test_reflection_lists_every_service(service: str) -> None:
    async with serving() as running:
        answer = await reflected(running, service, reflection_pb2.ServerReflectionRequest(list_services=""))
        names = {s.name for s in answer.list_services_response.service}
    assert names == {ROUTER, "grpc.health.v1.Health", *REFLECTION}


@pytest.mark.parametrize("service", REFLECTION)
async def test_reflection_describes_a_service(service: str) -> None:
    async with serving() as running:
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=ROUTER)
        answer = await reflected(running, service, request)
    files = answer.file_descriptor_response.file_descriptor_proto
    assert any(b"signalbox/v1/router.proto" in file for file in files)


@pytest.mark.parametrize("service", REFLECTION)
async def test_reflection_can_be_left_out(service: str) -> None:
    async with serving(has_reflection=False) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await reflected(running, service, reflection_pb2.ServerReflectionRequest(list_services=""))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
