"""The synchronous client against grpcio-testing's channel: exactly what it sends, and what it makes of each end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import grpc
import grpc_testing
import pytest
from google.rpc import error_details_pb2, status_pb2
from signalbox.v1 import chat_pb2, router_pb2
from signalbox_client import Client, Refused, Routing, StreamInterrupted

ROUTER = router_pb2.DESCRIPTOR.services_by_name["Router"]
COMPLETE, STREAM = ROUTER.methods_by_name["Complete"], ROUTER.methods_by_name["StreamComplete"]
PATIENCE_S = 5.0

Result = TypeVar("Result")


@pytest.fixture
def channel() -> grpc_testing.Channel:
    return grpc_testing.channel([ROUTER], grpc_testing.strict_real_time())


def test_complete_sends_what_it_was_given(channel: grpc_testing.Channel) -> None:
    client = Client(channels=[channel], api_key="k")
    running = _aside(
        lambda: client.complete(
            "hello",
            model="small",
            max_output_tokens=7,
            request_id="r-9",
            routing=Routing(region="eu", model="loses"),
            labels={"team": "web"},
        )
    )
    metadata, request, rpc = channel.take_unary_unary(COMPLETE)
    assert request == router_pb2.CompleteRequest(
        request_id="r-9",
        messages=[chat_pb2.Message(role=chat_pb2.ROLE_USER, content="hello")],
        generation=chat_pb2.Generation(max_output_tokens=7),
        routing=Routing(region="eu", model="small"),
        labels={"team": "web"},
    )
    assert ("authorization", "Bearer k") in list(metadata)
    rpc.terminate(router_pb2.CompleteResponse(request_id="r-9"), (), grpc.StatusCode.OK, "")
    assert running.result(PATIENCE_S).request_id == "r-9"


def test_complete_that_fails_raises_with_the_details(channel: grpc_testing.Channel) -> None:
    client = Client(channels=[channel])
    running = _aside(lambda: client.complete("hello"))
    _, _, rpc = channel.take_unary_unary(COMPLETE)
    rpc.terminate(None, _quota_details(), grpc.StatusCode.RESOURCE_EXHAUSTED, "used up")
    with pytest.raises(Refused, match="used up") as caught:
        running.result(PATIENCE_S)
    assert (caught.value.reason, caught.value.retry_after_s) == ("CALLER_QUOTA", 60.25)


def test_stream_that_ends_well_without_done_raises(channel: grpc_testing.Channel) -> None:
    client = Client(channels=[channel])
    running = _aside(lambda: list(client.stream("hello").text()))
    _, request, rpc = channel.take_unary_stream(STREAM)
    assert request.request.messages[0].content == "hello"
    rpc.send_response(router_pb2.StreamCompleteResponse(delta=router_pb2.Delta(content="half")))
    rpc.terminate((), grpc.StatusCode.OK, "")
    with pytest.raises(StreamInterrupted, match="not the whole answer"):
        running.result(PATIENCE_S)


def test_stream_that_ends_well_has_its_facts(channel: grpc_testing.Channel) -> None:
    stream = Client(channels=[channel]).stream("hello")
    running = _aside(lambda: list(stream.text()))
    _, _, rpc = channel.take_unary_stream(STREAM)
    rpc.send_response(router_pb2.StreamCompleteResponse(started=router_pb2.Started(target="a/b")))
    rpc.send_response(router_pb2.StreamCompleteResponse(delta=router_pb2.Delta(content="whole")))
    done = router_pb2.Done(response=router_pb2.CompleteResponse(cost_usd_nanos=3))
    rpc.send_response(router_pb2.StreamCompleteResponse(done=done))
    rpc.terminate((), grpc.StatusCode.OK, "")
    assert running.result(PATIENCE_S) == ["whole"]
    assert stream.started is not None
    assert stream.started.target == "a/b"
    assert stream.done == done


def _aside(work: Callable[[], Result]) -> Future[Result]:
    """Run a blocking call beside the test, which plays the server."""
    pool = ThreadPoolExecutor(1)
    running = pool.submit(work)
    pool.shutdown(wait=False)
    return running


def _quota_details() -> tuple[tuple[str, bytes], ...]:
    status = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], message="used up")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="CALLER_QUOTA", domain="signalbox.dev"))
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(60_250)
    status.details.add().Pack(retry)
    return (("grpc-status-details-bin", status.SerializeToString()),)
