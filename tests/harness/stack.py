"""A router on a simulator, as most tests of behaviour want it: real processes, no prober, short timers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from tests.harness import processes, settings
from tests.harness.processes import Process
from tests.harness.witness import Witness


@dataclass(frozen=True, slots=True)
class Stack:
    """What a test talks to and what it may hurt."""

    router: Process
    simulator: Process
    witness: Witness
    channel: grpc.Channel

    @property
    def stub(self) -> router_pb2_grpc.RouterStub:
        return router_pb2_grpc.RouterStub(self.channel)

    @property
    def address(self) -> str:
        return self.router.ready["router"]


@contextmanager
def routing(
    *,
    behaviours: object = None,
    names: tuple[str, ...] = ("alder", "birch"),
    timeouts_s: Mapping[str, float] = settings.IMPATIENT,
    model: Mapping[str, object] | None = None,
    **sections: Mapping[str, object],
) -> Iterator[Stack]:
    """Router and simulator for as long as the block lasts."""

    def providers(address: str) -> list[dict[str, object]]:
        return settings.simulated(address, names, model=model, timeouts_s=timeouts_s)

    with routing_over(providers, behaviours=behaviours, **sections) as stack:
        yield stack


@contextmanager
def routing_over(
    providers: Callable[[str], list[dict[str, object]]],
    *,
    behaviours: object = None,
    **sections: Mapping[str, object],
) -> Iterator[Stack]:
    """The same with the entries that `providers` makes of the simulator's address."""
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory, behaviours=behaviours)
        with processes.running(simulator):
            config = settings.write(directory, providers(simulator.ready["simulator"]), **sections)
            router = processes.router(directory, config)
            with (
                Witness(simulator.ready["simulator"]) as witness,
                processes.running(router),
                grpc.insecure_channel(router.ready["router"], RECEIVE_ALL) as channel,
            ):
                yield Stack(router, simulator, witness, channel)


@contextmanager
def raw_provider(answer: bytes) -> Iterator[str]:
    """A provider that sends these bytes to whoever connects and speaks, and then nothing; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                accepted.append(connection)
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in accepted:
                connection.close()


@contextmanager
def routing_to(address: str) -> Iterator[router_pb2_grpc.RouterStub]:
    """A router whose one provider is at `address`."""
    with processes.short_directory() as directory:
        config = settings.write(directory, [settings.provider("alder", f"http://{address}/v1")])
        router = processes.router(directory, config)
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            yield router_pb2_grpc.RouterStub(channel)


RECEIVE_ALL = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def asking(
    content: str = "hello", *, model: str = "", max_output_tokens: int | None = None, request_id: str = ""
) -> router_pb2.CompleteRequest:
    request = router_pb2.CompleteRequest(request_id=request_id, routing=router_pb2.Routing(model=model))
    request.messages.add(role=chat_pb2.ROLE_USER, content=content)
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    return request


def streaming(content: str = "hello", *, model: str = "", request_id: str = "") -> router_pb2.StreamCompleteRequest:
    return router_pb2.StreamCompleteRequest(request=asking(content, model=model, request_id=request_id))


@dataclass(frozen=True, slots=True)
class Refused:
    """A status as its caller reads it."""

    code: grpc.StatusCode
    message: str
    info: error_details_pb2.ErrorInfo
    retry_s: float | None
    fields: dict[str, str]
    pushback_ms: str | None

    @property
    def facts(self) -> Mapping[str, str]:
        return dict(self.info.metadata)


def refused(error: grpc.RpcError) -> Refused:
    """The rich form of an error, read from its trailers."""
    assert isinstance(error, grpc.Call)
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    info, retry, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
    has_retry = False
    for detail in status.details:
        detail.Unpack(info)
        has_retry = detail.Unpack(retry) or has_retry
        detail.Unpack(bad)
    return Refused(
        code=error.code(),
        message=error.details() or "",
        info=info,
        retry_s=retry.retry_delay.ToNanoseconds() / 1e9 if has_retry else None,
        fields={v.field: v.description for v in bad.field_violations},
        pushback_ms=trailers.get("grpc-retry-pushback-ms"),
    )
