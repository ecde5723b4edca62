"""Bad input on purpose: a clear message, no traceback, no upstream call."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from signalbox.v1 import chat_pb2, router_pb2

from tests.harness.processes import wait_until
from tests.harness.stack import Refused, Stack, asking, refused, routing

COMPLETE = "/signalbox.v1.Router/Complete"
STREAM_COMPLETE = "/signalbox.v1.Router/StreamComplete"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing() as running:
        yield running


def raw(stack: Stack, data: bytes, method: str = COMPLETE) -> Refused:
    """Send bytes as they are and read the refusal; nothing may have reached a provider or a traceback the log."""
    with pytest.raises(grpc.RpcError) as error:
        stack.channel.unary_unary(method)(data, timeout=10)  # type: ignore[arg-type]
    assert stack.witness.rows() == []
    assert "Traceback" not in stack.router.stderr()
    return refused(error.value)


def complete(stack: Stack, request: router_pb2.CompleteRequest) -> Refused:
    return raw(stack, request.SerializeToString())


def test_invalid_utf_8(stack: Stack) -> None:
    good = asking("canary").SerializeToString()
    error = raw(stack, good.replace(b"canary", b"can\xffry"))
    assert (error.code.name, error.info.reason) == ("INVALID_ARGUMENT", "MALFORMED_MESSAGE")
    assert "UTF-8" in error.message


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x1a\x7f\x01", b"\x1a" * 1000])
def test_bytes_that_are_no_message(stack: Stack, data: bytes) -> None:
    assert raw(stack, data).info.reason == "MALFORMED_MESSAGE"
    assert raw(stack, data, STREAM_COMPLETE).code.name in ("INVALID_ARGUMENT", "INTERNAL")


def test_an_empty_request(stack: Stack) -> None:
    error = raw(stack, b"")
    assert (error.code.name, error.info.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert list(error.fields) == ["messages"]
    assert "at least one message" in error.fields["messages"]


def test_ten_megabytes_of_prompt(stack: Stack) -> None:
    error = complete(stack, asking("x" * 10_000_000))
    assert (error.code.name, error.info.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert error.fields["messages"] == "hold 10000000 bytes of text; at most 8388608: shorten the prompt"


def test_a_message_over_the_transports_limit(stack: Stack) -> None:
    error = complete(stack, asking("x" * (33 * 1024 * 1024)))
    assert error.code.name == "RESOURCE_EXHAUSTED"


def test_many_mistakes_are_named_at_once(stack: Stack) -> None:
    request = asking("hello", max_output_tokens=-1)
    request.generation.temperature = float("nan")
    request.generation.top_p = 1.5
    request.routing.max_attempts = 0
    request.messages.add(role=99, content="x")
    request.messages.add(content="no role")
    request.messages.add(role=chat_pb2.ROLE_USER)
    request.request_id = "not an id"
    error = complete(stack, request)
    assert error.code.name == "INVALID_ARGUMENT"
    assert set(error.fields) == {
        "generation.max_output_tokens",
        "generation.temperature",
        "generation.top_p",
        "routing.max_attempts",
        "messages[1].role",
        "messages[2].role",
        "messages[3].content",
        "request_id",
    }
    assert error.fields["messages[1].role"].startswith("99 is no value of Role")


def test_an_unknown_enum_beside_what_is_not_built(stack: Stack) -> None:
    request = asking()
    request.routing.task_type = 77  # type: ignore[assignment]
    error = complete(stack, request)
    assert (error.code.name, error.fields) == ("INVALID_ARGUMENT", {"routing.task_type": "77 is no value of TaskType"})


def test_more_attempts_than_the_server_allows(stack: Stack) -> None:
    request = asking()
    request.routing.max_attempts = 5
    error = complete(stack, request)
    assert error.code.name == "INVALID_ARGUMENT"
    assert error.fields == {"routing.max_attempts": "is 5; must be 1 to 4, or unset"}


def test_a_field_that_is_not_built_is_refused_not_ignored(stack: Stack) -> None:
    request = asking()
    request.routing.mock = True
    error = complete(stack, request)
    assert (error.code.name, error.info.reason) == ("UNIMPLEMENTED", "NOT_BUILT")
    assert "routing.mock" in error.message


def test_a_model_that_nobody_has(stack: Stack) -> None:
    error = complete(stack, asking(model="gpt-99"))
    assert (error.code.name, error.info.reason) == ("NOT_FOUND", "UNKNOWN_TARGET")
    assert "'gpt-99'" in error.message


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([chat_pb2.Message()] * 500_000, id="messages"),
        pytest.param([chat_pb2.Message(parts=[chat_pb2.Part()] * 500_000)], id="parts"),
    ],
)
def test_half_a_million_items_keep_nobody_waiting(stack: Stack, messages: list[chat_pb2.Message]) -> None:
    data = router_pb2.CompleteRequest(messages=messages).SerializeToString()
    waits_s: list[float] = []
    is_over = threading.Event()

    def look_in() -> None:
        """Another caller, who asks again and again how the router is."""
        health = health_pb2_grpc.HealthStub(stack.channel)
        while not is_over.wait(0.005):
            started = time.monotonic()
            health.Check(health_pb2.HealthCheckRequest(), timeout=10)
            waits_s.append(time.monotonic() - started)

    looking = threading.Thread(target=look_in)
    looking.start()
    try:
        error = raw(stack, data)
    finally:
        is_over.set()
        looking.join()
    assert (error.code.name, list(error.fields)) == ("INVALID_ARGUMENT", ["messages"])
    assert max(waits_s, default=0.0) < 0.5


def test_refused_requests_have_a_line_each(stack: Stack) -> None:
    def outcomes() -> list[str]:
        lines = [json.loads(line) for line in stack.router.stderr().splitlines()]
        return [line["outcome"] for line in lines if line.get("request_id") == "req-refused"]

    bad = asking(request_id="req-refused", max_output_tokens=-1)
    complete(stack, bad)
    raw(stack, router_pb2.StreamCompleteRequest(request=bad).SerializeToString(), STREAM_COMPLETE)
    unbuilt = asking(request_id="req-refused")
    unbuilt.session_id = "s"
    complete(stack, unbuilt)
    wait_until(lambda: len(outcomes()) == 3, within_s=5, what="each refusal has its line")
    assert sorted(outcomes()) == ["INVALID_REQUEST", "INVALID_REQUEST", "NOT_BUILT"]


@pytest.mark.parametrize(
    ("method", "data", "outcome"),
    [
        (COMPLETE, b"\xff\xff\xff", "MALFORMED_MESSAGE"),
        (STREAM_COMPLETE, b"\xff\xff\xff", "MALFORMED_MESSAGE"),
        ("/signalbox.v1.Router/Embed", b"", "NOT_BUILT"),
        ("/signalbox.v1.Router/Embed", b"\xff\xff\xff", "MALFORMED_MESSAGE"),
    ],
)
def test_calls_that_nobody_read_have_a_line_each(stack: Stack, method: str, data: bytes, outcome: str) -> None:
    error = raw(stack, data, method)
    request_id = error.facts["request_id"]
    assert request_id, "the caller can name the call"

    def lines() -> list[dict[str, object]]:
        found = [json.loads(line) for line in stack.router.stderr().splitlines()]
        return [line for line in found if line.get("request_id") == request_id]

    wait_until(lambda: bool(lines()), within_s=5, what="the refusal has its line")
    assert [(line["outcome"], line["stream"]) for line in lines()] == [(outcome, method == STREAM_COMPLETE)]


def test_a_thousand_mistakes_still_arrive_with_their_details(stack: Stack) -> None:
    request = asking()
    for _ in range(1000):
        request.messages.add()
    error = complete(stack, request)
    assert error.code.name == "INVALID_ARGUMENT"
    assert error.info.reason == "INVALID_REQUEST"
    assert 0 < len(error.fields) < 100, "as many as fit"
