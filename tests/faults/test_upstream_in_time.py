"""What rows of the matrix ask for beyond one call: who else must not wait, and for how long somebody is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from signalbox.v1 import router_pb2, router_pb2_grpc

from tests.faults.connections import GREETS, opening
from tests.faults.fault import PATIENT
from tests.faults.floods import BLOCK, GIBIBYTE
from tests.faults.scripts import asked, body, floods, refusal
from tests.faults.stage import memory_mib, peak_forgotten_mib
from tests.harness import processes, settings
from tests.harness.hosts import Host, Hosts, Peer, filled
from tests.harness.name_server import asking, name_server
from tests.harness.processes import SLOWER_IN_CI, wait_until
from tests.harness.stack import RECEIVE_ALL, Refused, refused
from tests.harness.stack import asking as completion

pytestmark = pytest.mark.slow
LOOK_UPS = 200
DEFAULT_CAP_MIB = 16


@contextmanager
def channel_to(router: processes.Process) -> Iterator[router_pb2_grpc.RouterStub]:
    with processes.running(router), grpc.insecure_channel(router.ready["router"], RECEIVE_ALL) as channel:
        yield router_pb2_grpc.RouterStub(channel)


def entry(name: str, port: int, **more: object) -> dict[str, object]:
    """A provider at that port of this machine; `more` is what else is said of it."""
    base = settings.provider(name, f"http://127.0.0.1:{port}/v1", prices=(1.0, 2.0))
    return base | {"timeouts_s": PATIENT} | more


def refusal_of(stub: router_pb2_grpc.RouterStub, request: router_pb2.CompleteRequest) -> Refused:
    with pytest.raises(grpc.RpcError) as error:
        stub.Complete(request, timeout=10)
    return refused(error.value)


def test_u03_two_hundred_look_ups_that_hang_keep_nobody_else_waiting() -> None:
    hosts = Hosts()
    host = hosts.add(GREETS)
    names = [f"hanging-{number}" for number in range(LOOK_UPS)]
    hanging = [
        entry(name, 0, timeouts_s={**PATIENT, "connect": 2.5}, base_url=f"https://{name}.test/v1") for name in names
    ]
    well = entry("well", 0, base_url=f"http://well.test:{host.port}/v1")
    with processes.short_directory() as directory, name_server() as server, hosts.serving():
        config = settings.write(directory, [*hanging, well])
        with channel_to(asking(server, processes.router(directory, config))) as stub:
            calls = [stub.Complete.future(completion(model=f"{name}/chat-small"), timeout=10) for name in names]
            wait_until(lambda: len(server.asked) >= LOOK_UPS, within_s=2 * SLOWER_IN_CI, what="all names are looked up")
            began = time.monotonic()
            assert stub.Complete(completion(model="well/chat-small"), timeout=10).message.content == "hello"
            assert time.monotonic() - began < 0.5 * SLOWER_IN_CI
            assert not any(call.done() for call in calls), "they hang all the while"
            reasons = {
                refused(error).info.reason for call in calls if isinstance(error := call.exception(), grpc.RpcError)
            }
            assert reasons == {"UPSTREAM_DNS"}


def test_u05_a_server_that_accepts_late_serves_all_the_same() -> None:
    hosts = Hosts()
    host = hosts.add(GREETS, backlog=0)
    with processes.short_directory() as directory, filled(host.port) as fillers, ThreadPoolExecutor(1) as pool:
        config = settings.write(directory, [entry("late", host.port, timeouts_s={**PATIENT, "connect": 2.9})])
        with channel_to(processes.router(directory, config)) as stub:
            began = time.monotonic()
            call = pool.submit(stub.Complete, completion(), timeout=10)
            wait_until(lambda: bool(opening(host.port, but=fillers)), within_s=5, what="it is knocked at")
            with hosts.serving():
                assert len(call.result(10).attempts) == 1
            assert time.monotonic() - began > 0.9, "the kernel knocks again after a second"


def limiting_once(retry_after_s: int) -> tuple[Hosts, Host]:
    """A host that limits the rate of its first completion, and is well otherwise; it lists no models."""

    def script(peer: Peer) -> None:
        request = peer.request()
        if request.head.startswith(b"GET"):
            peer.send(body(b'{"data": []}'))
        elif sum(not one.head.startswith(b"GET") for one in peer.host.requests) == 1:
            peer.send(refusal(429, f"retry-after: {retry_after_s}"))
        else:
            peer.send(body(GREETING))

    hosts = Hosts()
    return hosts, hosts.add(script)


GREETING = b'{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}'


def completions(host: Host) -> int:
    return sum(not request.head.startswith(b"GET") for request in host.requests)


def is_answered(stub: router_pb2_grpc.RouterStub) -> bool:
    try:
        return stub.Complete(completion(), timeout=5).message.content == "hello"
    except grpc.RpcError:
        return False


def test_u19_a_rate_limit_is_obeyed_until_it_is_over() -> None:
    hosts, host = limiting_once(2)
    with processes.short_directory() as directory, hosts.serving():
        config = settings.write(directory, [entry("alder", host.port)])
        with channel_to(processes.router(directory, config)) as stub:
            assert refusal_of(stub, completion()).retry_s == 2.0
            began = time.monotonic()
            second = refusal_of(stub, completion())
            assert (second.info.reason, second.facts["attempts"]) == ("PROVIDERS_RATE_LIMITED", "0")
            assert second.retry_s is not None
            assert 0 < second.retry_s <= 2.0
            assert completions(host) == 1
            wait_until(lambda: is_answered(stub), within_s=4, what="the provider is used again")
            assert time.monotonic() - began > 1.5
            assert completions(host) == 2


def test_u19_what_one_router_is_told_binds_the_others() -> None:
    hosts, host = limiting_once(5)
    with processes.short_directory() as directory, processes.short_directory() as elsewhere, hosts.serving():
        config = settings.write(directory, [entry("alder", host.port)])
        prober = processes.prober(directory, config, port=processes.free_port())
        other = processes.router(elsewhere, config)
        with processes.running(prober):
            other.command = [*other.command, "--prober-address", prober.ready["prober"]]
            with channel_to(processes.router(directory, config)) as stub, channel_to(other) as other_stub:
                assert refusal_of(stub, completion()).info.reason == "PROVIDERS_RATE_LIMITED"
                wait_until(lambda: not is_routed(other_stub), within_s=2, what="the other router is told")
                told = refusal_of(other_stub, completion())
                assert (told.info.reason, told.facts["attempts"]) == ("PROVIDERS_RATE_LIMITED", "0")
                assert completions(host) == 1


def is_routed(stub: router_pb2_grpc.RouterStub) -> bool:
    try:
        stub.Route(router_pb2.RouteRequest(messages=completion().messages), timeout=5)
    except grpc.RpcError:
        return False
    return True


def test_u23_a_gibibyte_takes_no_more_than_twice_the_bound_that_ships() -> None:
    hosts = Hosts()
    host = hosts.add(asked(floods(GIBIBYTE + b'{"choices": "', BLOCK, 16 * 1024)))
    with processes.short_directory() as directory, hosts.serving():
        router = processes.router(directory, settings.write(directory, [entry("alder", host.port)]))
        with channel_to(router) as stub:
            before_mib = peak_forgotten_mib(router)
            assert refusal_of(stub, completion()).info.reason == "UPSTREAM_RESPONSE_TOO_LARGE"
            assert memory_mib(router, "VmHWM") - before_mib <= 2 * DEFAULT_CAP_MIB
