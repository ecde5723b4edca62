"""Tools, forms, pictures and reasoning through router processes and over HTTP, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2

from tests.harness import settings
from tests.harness.stack import Stack, asking, refused, routing

PARAMETERS = '{"type":"object","properties":{"city":{"type":"string"}}}'
WEATHER = chat_pb2.Tool(name="weather", description="Tells it.", parameters_json=PARAMETERS)
PNG = b"\x89PNG\r\n\x1a\nrest"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing(model=settings.ABLE) as running:
        yield running


def answered(stack: Stack, request: router_pb2.CompleteRequest, *, is_stream: bool) -> router_pb2.CompleteResponse:
    """The answer, its message put together from a stream where it came as one."""
    if not is_stream:
        return stack.stub.Complete(request, timeout=10)
    events = list(stack.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=request), timeout=10))
    response = router_pb2.CompleteResponse()
    response.CopyFrom(events[-1].done.response)
    assert not response.message.content
    message = chat_pb2.Message(role=chat_pb2.ROLE_ASSISTANT)
    thought = ""
    for delta in [event.delta for event in events if event.HasField("delta")]:
        message.content += delta.content
        thought += delta.reasoning
        if delta.HasField("reasoning_end"):
            message.reasoning.add().CopyFrom(delta.reasoning_end)
            message.reasoning[-1].text, thought = thought, ""
        for piece in delta.tool_call_deltas:
            while len(message.tool_calls) <= piece.index:
                message.tool_calls.add()
            call = message.tool_calls[piece.index]
            call.id += piece.id
            call.name += piece.name
            call.arguments_json += piece.arguments_json_fragment
            call.opaque_state += piece.opaque_state
    assert not thought
    response.message.CopyFrom(message)
    return response


def result_of(call: chat_pb2.ToolCall) -> chat_pb2.Message:
    return chat_pb2.Message(role=chat_pb2.ROLE_TOOL, content="rain", tool_call_id=call.id)


def with_tool(content: str) -> router_pb2.CompleteRequest:
    request = asking(content)
    request.tools.append(WEATHER)
    return request


both_forms = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


@both_forms
def test_a_tool_is_called_and_its_result_answered(stack: Stack, is_stream: bool) -> None:
    request = with_tool("Ask weather")
    answer = answered(stack, request, is_stream=is_stream)
    [call] = answer.message.tool_calls
    assert (call.name, json.loads(call.arguments_json)) == ("weather", {"city": "signal"})
    assert answer.finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    assert answer.usage.output_tokens > 0
    assert not answer.usage.estimated
    request.messages.extend([answer.message, result_of(call)])
    again = answered(stack, request, is_stream=is_stream)
    assert again.message.content.startswith("Reply ")
    assert again.finish_reason == chat_pb2.FINISH_REASON_STOP


@both_forms
@pytest.mark.parametrize(
    ("choice", "calls"),
    [
        (chat_pb2.ToolChoice(mode=chat_pb2.TOOL_CHOICE_MODE_REQUIRED), 1),
        (chat_pb2.ToolChoice(name="weather"), 1),
        (chat_pb2.ToolChoice(mode=chat_pb2.TOOL_CHOICE_MODE_NONE), 0),
        (chat_pb2.ToolChoice(mode=chat_pb2.TOOL_CHOICE_MODE_AUTO), 0),
    ],
    ids=["required", "named", "none", "auto"],
)
def test_a_tool_is_forced(stack: Stack, choice: chat_pb2.ToolChoice, calls: int, is_stream: bool) -> None:
    request = with_tool("Say anything")
    request.tool_choice.CopyFrom(choice)
    assert len(answered(stack, request, is_stream=is_stream).message.tool_calls) == calls


@both_forms
def test_a_schema_is_followed(stack: Stack, is_stream: bool) -> None:
    request = asking("Fill it in")
    request.response_format.json_schema.schema_json = '{"type":"object","properties":{"n":{"type":"integer"}}}'
    assert json.loads(answered(stack, request, is_stream=is_stream).message.content) == {"n": 7}
    request.response_format.json_object.SetInParent()
    assert json.loads(answered(stack, request, is_stream=is_stream).message.content) == {"reply": "signal"}


@both_forms
def test_pictures_are_looked_at(stack: Stack, is_stream: bool) -> None:
    request = router_pb2.CompleteRequest()
    message = request.messages.add(role=chat_pb2.ROLE_USER)
    message.parts.add(text="Compare these")
    message.parts.add().image.data = PNG
    message.parts.add().image.uri = "https://example.com/a.png"
    assert " I see 2 pictures. " in answered(stack, request, is_stream=is_stream).message.content


@both_forms
def test_reasoning_comes_apart_and_its_signature_goes_back_to_its_author_alone(stack: Stack, is_stream: bool) -> None:
    request = with_tool("Ask weather")
    request.generation.reasoning_effort = "low"
    request.routing.model = "birch/chat-small"
    answer = answered(stack, request, is_stream=is_stream)
    [block], [call] = answer.message.reasoning, answer.message.tool_calls
    assert (block.text, block.dialect, block.model) == ("Let me see which", "openai", "chat-small")
    assert block.opaque_state.startswith(b"birch/chat-small\n")
    assert call.opaque_state.startswith(b"birch/chat-small\n")
    assert answer.usage.reasoning_tokens == 4

    request.messages.extend([answer.message, result_of(call)])
    request.routing.model = ""
    again = answered(stack, request, is_stream=is_stream)
    assert again.target == "birch/chat-small", "who signed it is preferred to the cheaper one"
    assert " I know my words again. " in again.message.content

    request.routing.model = "alder/chat-small"
    other = answered(stack, request, is_stream=is_stream)
    assert other.message.content.startswith("Reply "), "a foreign signature would have been refused"
    assert "again" not in other.message.content


@both_forms
def test_all_settings_reach_whoever_takes_them(stack: Stack, is_stream: bool) -> None:
    request = asking()
    request.generation.temperature = 0.0
    request.generation.reasoning_effort = "low"
    [attempt] = answered(stack, request, is_stream=is_stream).attempts
    assert list(attempt.dropped_fields) == []


@pytest.mark.parametrize(
    ("uri", "data", "field"),
    [("file:///etc/passwd", b"", "uri"), ("http://169.254.169.254/latest", b"", "uri"), ("", b"text", "media_type")],
)
def test_other_pictures_are_refused_by_name(stack: Stack, uri: str, data: bytes, field: str) -> None:
    request = router_pb2.CompleteRequest()
    image = request.messages.add(role=chat_pb2.ROLE_USER).parts.add().image
    if data:
        image.data = data
    else:
        image.uri = uri
    with pytest.raises(grpc.RpcError) as error:
        stack.stub.Complete(request, timeout=10)
    found = refused(error.value)
    assert found.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(found.fields) == [f"messages[0].parts[0].image.{field}"]


REJECTING = {"capabilities": ["tools"], "rejects": ["temperature", "stop", "forced_tool_choice"], "max_output": 4096}


def settled() -> router_pb2.CompleteRequest:
    request = asking()
    request.generation.temperature = 0.5
    request.generation.top_p = 0.5
    request.generation.reasoning_effort = "low"
    return request


def test_settings_that_are_not_taken_are_left_out_and_named() -> None:
    with routing(names=("alder",), model=REJECTING) as stack:
        for is_stream in (False, True):
            answer = answered(stack, settled(), is_stream=is_stream)
            assert list(answer.attempts[0].dropped_fields) == ["temperature", "reasoning_effort"]
            assert not answer.message.reasoning
            [attempt] = answered(stack, asking(max_output_tokens=16_000), is_stream=is_stream).attempts
            assert list(attempt.dropped_fields) == ["max_output_tokens"]
        forced = with_tool("Say anything")
        forced.tool_choice.name = "weather"
        pictured = router_pb2.CompleteRequest()
        pictured.messages.add(role=chat_pb2.ROLE_USER).parts.add().image.data = PNG
        for request in (forced, pictured):
            with pytest.raises(grpc.RpcError) as error:
                stack.stub.Complete(request, timeout=10)
            found = refused(error.value)
            assert (found.code, found.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ELIGIBLE_TARGET")


def test_settings_that_are_not_taken_keep_a_target_out_where_that_is_the_policy() -> None:
    with routing(names=("alder",), model=REJECTING, routing={"unsupported_fields": "refuse"}) as stack:
        assert stack.stub.Complete(asking(), timeout=10).target == "alder/chat-small"
        for request in (settled(), asking(max_output_tokens=16_000)):
            with pytest.raises(grpc.RpcError) as error:
                stack.stub.Complete(request, timeout=10)
            found = refused(error.value)
            assert (found.code, found.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_ELIGIBLE_TARGET")
