"""The router's own part of a request's time: what it reports, and that others' time is not in it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from signalbox.v1 import router_pb2, router_pb2_grpc

from tests.harness.processes import SLOWER_IN_CI
from tests.harness.stack import Stack, asking, routing, streaming

PROVIDERS_S, READERS_S = 0.3, 2.0
MOST_OWN_S = 0.15 * SLOWER_IN_CI
SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    behaviours = {"*": {"latency_s": PROVIDERS_S}, "cedar": {"output_tokens": 60_000}}
    with routing(behaviours=behaviours, names=("alder", "birch", "cedar")) as stack:
        yield stack


@pytest.fixture(autouse=True)
def _mended(stack: Stack) -> Iterator[None]:
    yield
    stack.witness.mend()


def overhead_s(call: grpc.Call) -> float:
    """What the trailer says."""
    return float(dict(call.trailing_metadata())["x-signalbox-overhead-ms"]) / 1000


def test_an_answer_tells_it_without_the_providers_time(stack: Stack) -> None:
    answer, call = stack.stub.Complete.with_call(asking(), timeout=10)
    assert answer.latency.ToTimedelta().total_seconds() >= PROVIDERS_S
    assert 0 < overhead_s(call) < MOST_OWN_S


def test_a_failed_attempts_time_is_a_providers_too(stack: Stack) -> None:
    stack.witness.break_provider("alder", "status=503")
    answer, call = stack.stub.Complete.with_call(asking(), timeout=10)
    assert len(answer.attempts) == 2
    assert 0 < overhead_s(call) < MOST_OWN_S


def test_a_stream_tells_it_without_its_readers_time(stack: Stack) -> None:
    with grpc.insecure_channel(stack.address, SMALL_WINDOW) as channel:
        call = router_pb2_grpc.RouterStub(channel).StreamComplete(streaming(model="cedar/chat-small"), timeout=30)
        events = iter(call)
        next(events)
        time.sleep(READERS_S)  # more is on its way by now than fits between the two
        *_, last = events
        assert last.done.response.latency.ToTimedelta().total_seconds() >= READERS_S
        assert 0 < overhead_s(call) < READERS_S / 2


def test_a_decision_tells_it(stack: Stack) -> None:
    question = router_pb2.RouteRequest(estimated_input_tokens=10)
    _, call = stack.stub.Route.with_call(question, timeout=10)
    assert 0 < overhead_s(call) < MOST_OWN_S
