"""What the router owes its callers when things go wrong, and what it does about those who do not keep up."""

from __future__ import annotations

import json
import time
from typing import Any

import grpc
import pytest
from signalbox.v1 import router_pb2_grpc

from tests.harness.processes import wait_until
from tests.harness.stack import Stack, asking, refused, routing, streaming


def test_a_call_that_failed_tells_what_its_attempts_cost() -> None:
    slow = {"*": {"tokens_per_s": 50, "output_tokens": 100}}
    with routing(behaviours=slow) as stack:
        stack.witness.break_provider("*", "reset-after=3")
        with pytest.raises(grpc.RpcError) as caught:
            list(stack.stub.StreamComplete(streaming(), timeout=10))
        trailers = trailing(caught.value)
        assert trailers["x-signalbox-target"] == "alder/chat-small"
        assert trailers["x-signalbox-attempts"] == "1"
        assert int(trailers["x-signalbox-cost-usd-nanos"]) > 0
        stack.witness.break_provider("*", "status=503")
        with pytest.raises(grpc.RpcError) as caught:
            stack.stub.Complete(asking(), timeout=10)
        trailers = trailing(caught.value)
        assert trailers["x-signalbox-attempts"] == str(len(stack.witness.rows()) - 1)
        assert trailers["x-signalbox-cost-usd-nanos"] == "0", "a provider that refused did no work"


def trailing(error: grpc.RpcError) -> dict[str, str]:
    assert isinstance(error, grpc.Call)
    return {key: str(value) for key, value in error.trailing_metadata() or ()}


FIREHOSE = {"*": {"latency_s": 0.0, "tokens_per_s": 100_000, "output_tokens": 1_000_000}}
SMALL_WINDOW = [("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0)]


def test_a_reader_who_stops_lets_its_provider_go_and_hears_why() -> None:
    with (
        routing(behaviours=FIREHOSE, server={"slow_reader_s": 0.5, "drain_s": 1}) as stack,
        grpc.insecure_channel(stack.address, SMALL_WINDOW) as channel,
    ):
        events = router_pb2_grpc.RouterStub(channel).StreamComplete(streaming(request_id="req-stopped"))
        assert next(events).HasField("started")
        wait_until(lambda: stack.witness.in_flight() == 0, within_s=10, what="the provider is let go")
        with pytest.raises(grpc.RpcError) as caught:
            list(events)
        error = refused(caught.value)
        wait_until(lambda: bool(request_lines(stack, "req-stopped")), within_s=5, what="the request has its line")
        [line] = request_lines(stack, "req-stopped")
        [row] = stack.witness.rows()
    assert (error.code.name, error.info.reason, error.pushback_ms) == ("RESOURCE_EXHAUSTED", "SLOW_READER", "-1")
    assert error.facts["maybe_billed"] == "true"
    assert int(error.facts["delivered_chunks"]) > 0
    assert line["outcome"] == "SLOW_READER"
    assert line["attempts"] == ["alder/chat-small:CANCELLED"], "no fault of the provider"
    assert row.closed_by == "client"


def test_a_reader_who_is_only_slow_gets_it_all() -> None:
    short = {"*": {"latency_s": 0.0, "tokens_per_s": 100_000, "output_tokens": 60_000}}
    with (
        routing(behaviours=short, server={"slow_reader_s": 1.0, "drain_s": 1}) as stack,
        grpc.insecure_channel(stack.address, SMALL_WINDOW) as channel,
    ):
        events = router_pb2_grpc.RouterStub(channel).StreamComplete(streaming())
        is_done = False
        for number, event in enumerate(events):
            is_done = event.HasField("done")
            if number % 50 == 0:
                time.sleep(0.02)
        assert is_done


def request_lines(stack: Stack, request_id: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in stack.router.stderr().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in found if line.get("request_id") == request_id]
