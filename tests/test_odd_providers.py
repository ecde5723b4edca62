"""What callers see of providers that write OpenAI's dialect in their own way, or break off in it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from tests.harness.raw import (
    DONE,
    USAGE,
    Case,
    RawProviders,
    delta,
    event,
    raw_providers,
    routing_to_each,
    stream,
    whole,
)
from tests.harness.stack import Refused, asking, refused, streaming

ATTENTIVE = {"down_after": 1000, "degraded_failures": 1000, "healthy_ratio": 0.0}


def finishing(word: str) -> Case:
    events = [delta("hel"), delta("", word), event({"choices": [], "usage": USAGE}), DONE]
    return Case([whole("hel", word)], [stream(*events)])


CASES = {
    "finish-length": finishing("MAX_TOKENS"),
    "finish-filter": finishing("SAFETY"),
    "finish-abort": finishing("abort"),
    "finish-unknown": finishing("half_way"),
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawProviders]:
    with raw_providers(CASES) as providers:
        yield providers


@pytest.fixture(scope="module")
def stub(raw: RawProviders) -> Iterator[router_pb2_grpc.RouterStub]:
    with routing_to_each(raw, health=ATTENTIVE) as stub:
        yield stub


def complete(
    stub: router_pb2_grpc.RouterStub, case: str, *, is_stream: bool
) -> tuple[str, router_pb2.CompleteResponse | Refused]:
    """What was delivered, and how it ended."""
    model, text = f"{case}/chat-small", ""
    try:
        if not is_stream:
            answer = stub.Complete(asking(model=model), timeout=10)
            return answer.message.content, answer
        for happened in stub.StreamComplete(streaming(model=model), timeout=10):
            text += happened.delta.content
            if happened.HasField("done"):
                return text, happened.done.response
    except grpc.RpcError as error:
        return text, refused(error)
    raise AssertionError("the stream ended without a last word")


def answered(stub: router_pb2_grpc.RouterStub, case: str, *, is_stream: bool) -> router_pb2.CompleteResponse:
    _, end = complete(stub, case, is_stream=is_stream)
    assert isinstance(end, router_pb2.CompleteResponse), end
    return end


def failed(stub: router_pb2_grpc.RouterStub, case: str, *, is_stream: bool) -> Refused:
    _, end = complete(stub, case, is_stream=is_stream)
    assert isinstance(end, Refused), end
    return end


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("finish-length", chat_pb2.FINISH_REASON_LENGTH),
        ("finish-filter", chat_pb2.FINISH_REASON_CONTENT_FILTER),
    ],
)
def test_an_answer_that_was_cut_says_so(
    stub: router_pb2_grpc.RouterStub, case: str, reason: int, *, is_stream: bool
) -> None:
    assert answered(stub, case, is_stream=is_stream).finish_reason == reason


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("case", ["finish-abort", "finish-unknown"])
def test_an_answer_that_may_have_been_cut_is_none(
    stub: router_pb2_grpc.RouterStub, case: str, *, is_stream: bool
) -> None:
    error = failed(stub, case, is_stream=is_stream)
    assert error.info.reason in ("UPSTREAM_BAD_RESPONSE", "STREAM_INTERRUPTED")
    assert error.facts["maybe_billed"] == "true"
