"""Tools, pictures, forms and echoes from the wire to core values, and every way in which they cannot stand."""

from __future__ import annotations

import base64

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.attempt import Attempt
from router_service.core.chat import (
    Delta,
    Generation,
    Image,
    Message,
    OpaqueState,
    Part,
    Prompt,
    Reasoning,
    ResponseFormat,
    ResponseKind,
    Role,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolChoiceMode,
)
from router_service.core.errors import InvalidRequest
from router_service.core.outcome import Outcome
from router_service.edge import requests, responses
from router_service.edge.complaints import Complaints
from router_service.edge.images import MAX_IMAGE_MIB, MAX_URI
from router_service.edge.opaque import marked, unmarked
from router_service.edge.requests import Arrival, Limits
from tests.core.examples import target

USER = {"role": "ROLE_USER", "content": "Hello"}
CALL = {"id": "1", "name": "f", "arguments_json": '{"a":[1]}'}
TURN = {"role": "ROLE_ASSISTANT", "tool_calls": [CALL]}
F = {"name": "f"}
PNG = b"\x89PNG\r\n\x1a\nrest"


def read(**fields: object) -> Prompt:
    pb = json_format.ParseDict({"messages": [USER], **fields}, router_pb2.CompleteRequest())
    limits = Limits(max_prompt_bytes=10_000, max_attempts=4)
    return requests.completion(pb, Arrival(request_id="req-1", deadline=50.0), limits).prompt


def complaints(**fields: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return [(v.field, v.description) for v in caught.value.violations]


def showing(**image: object) -> dict[str, object]:
    return {"role": "ROLE_USER", "parts": [{"text": "See"}, {"image": image}]}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_whole_conversation_with_tools_arrives() -> None:
    found = read(
        messages=[
            USER,
            {**TURN, "content": "Wait."},
            {"role": "ROLE_TOOL", "content": "4", "tool_call_id": "1", "name": "f"},
            {"role": "ROLE_ASSISTANT", "content": "4", "reasoning": [{"text": "t", "dialect": "openai", "model": "m"}]},
        ],
        tools=[{"name": "f", "description": "d", "parameters_json": '{"type":"object"}', "strict": True}],
        tool_choice={"name": "f"},
        response_format={"json_schema": {"name": "n", "schema_json": "{}", "strict": True}},
        generation={"reasoning_effort": "low"},
    )
    assert found == Prompt(
        messages=(
            Message(role=Role.USER, content="Hello"),
            Message(
                role=Role.ASSISTANT,
                content="Wait.",
                tool_calls=(ToolCall(id="1", name="f", arguments_json='{"a":[1]}'),),
            ),
            Message(role=Role.TOOL, content="4", tool_call_id="1", name="f"),
            Message(role=Role.ASSISTANT, content="4", reasoning=(Reasoning(text="t", dialect="openai", model="m"),)),
        ),
        tools=(Tool(name="f", description="d", parameters_json='{"type":"object"}', strict=True),),
        tool_choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="f"),
        response_format=ResponseFormat(kind=ResponseKind.JSON_SCHEMA, name="n", schema_json="{}", strict=True),
        generation=Generation(reasoning_effort="low"),
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"mode": "TOOL_CHOICE_MODE_UNSPECIFIED"}, ToolChoiceMode.AUTO),
        ({"mode": "TOOL_CHOICE_MODE_AUTO"}, ToolChoiceMode.AUTO),
        ({"mode": "TOOL_CHOICE_MODE_NONE"}, ToolChoiceMode.NONE),
        ({"mode": "TOOL_CHOICE_MODE_REQUIRED"}, ToolChoiceMode.REQUIRED),
    ],
)
def test_modes(choice: dict[str, object], expected: ToolChoiceMode) -> None:
    assert read(tools=[F], tool_choice=choice).tool_choice == ToolChoice(mode=expected)
    assert read(tools=[F]).tool_choice is None


@pytest.mark.parametrize(
    ("data", "said", "found"),
    [
        (PNG, "", "image/png"),
        (PNG, "image/jpeg", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg", "image/jpeg"),
        (b"GIF89a", "nonsense", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"\x00\x00\x00 ftypavif", "image/avif", "image/avif"),
        (b"<svg/>", "image/svg+xml", "image/svg+xml"),
    ],
)
def test_bytes_say_what_a_picture_is(data: bytes, said: str, found: str) -> None:
    prompt = read(messages=[showing(data=encoded(data), media_type=said)])
    assert prompt.messages[0].parts == (Part(text="See"), Part(image=Image(data=data, media_type=found)))


@pytest.mark.parametrize("arguments", ["", "[]", "{", "null", '{"a":NaN}', '{"a":1}x', "'", "[" * 9_000])
def test_a_call_comes_back_as_it_went_out_and_its_result_may_be_empty(arguments: str) -> None:
    turn = {"role": "ROLE_ASSISTANT", "tool_calls": [{**CALL, "arguments_json": arguments}]}
    _, called, result = read(messages=[USER, turn, {"role": "ROLE_TOOL", "tool_call_id": "1"}]).messages
    assert called.tool_calls[0].arguments_json == arguments
    assert result == Message(role=Role.TOOL, tool_call_id="1")


def test_an_address_is_passed_on_as_it_is() -> None:
    uri = "https://example.com:8443/a.png?q=%20#f"
    prompt = read(messages=[showing(uri=uri)])
    assert prompt.messages[0].parts[1] == Part(image=Image(uri=uri))


IMAGE = "messages[0].parts[1].image"
WHOLE = "must be a whole address without spaces, for example https://example.com/a.png"
HTTPS = "must begin with https://; send other pictures as data"
OBJECT = "must be a JSON object, as text, or empty"
UNKNOWN_STATE = "is none that this service gave out: send it back as it was, or leave it out"


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        *(
            ({"messages": [showing(uri=uri)]}, f"{IMAGE}.uri", HTTPS)
            for uri in (
                "file:///etc/passwd",
                "http://x/y.png",
                "data:image/png;base64,AA==",
                "ftp://x",
                "HTTPS://x",
                "",
            )
        ),
        *(
            ({"messages": [showing(uri=uri)]}, f"{IMAGE}.uri", WHOLE)
            for uri in (
                "https://",
                "https:///a.png",
                "https://x/a b",
                "https://x:99999/",
                "https://x/\u00e9",
                "https://[x",
            )
        ),
        ({"messages": [showing(uri="https://a:b@x/")]}, f"{IMAGE}.uri", "must not hold a name or a password"),
        (
            {"messages": [showing(uri="https://x/" + "a" * MAX_URI)]},
            f"{IMAGE}.uri",
            f"is {MAX_URI + 10} characters long; at most {MAX_URI}",
        ),
        ({"messages": [showing()]}, IMAGE, "must have data or a uri"),
        *(
            (
                {"messages": [showing(data=encoded(b"what"), media_type=said)]},
                f"{IMAGE}.media_type",
                "must be set beside data that is no PNG, JPEG, GIF or WebP, for example image/avif",
            )
            for said in ("", "text/html", "image/png;base64,AA", "image/")
        ),
        (
            {"messages": [{"role": "ROLE_SYSTEM", "parts": [{"image": {"uri": "https://x/y"}}]}]},
            "messages[0].parts[0].image",
            "belongs to ROLE_USER alone",
        ),
        (
            {"messages": [{**TURN, "tool_calls": [{"name": "f"}]}]},
            "messages[0].tool_calls[0].id",
            "must have 1 to 65536 characters",
        ),
        (
            {"messages": [{**TURN, "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls[0].name",
            "must have 1 to 128 characters",
        ),
        (
            {"messages": [TURN, {"role": "ROLE_TOOL", "content": "4", "tool_call_id": "2"}]},
            "messages[1].tool_call_id",
            "answers no tool call of a message before it",
        ),
        (
            {"messages": [{"role": "ROLE_TOOL", "content": "4", "tool_call_id": "1"}, TURN]},
            "messages[0].tool_call_id",
            "answers no tool call of a message before it",
        ),
        (
            {"messages": [{**TURN, "tool_calls": [{**CALL, "opaque_state": encoded(b"x")}]}]},
            "messages[0].tool_calls[0].opaque_state",
            UNKNOWN_STATE,
        ),
        (
            {"messages": [{**USER, "role": "ROLE_ASSISTANT", "reasoning": [{"opaque_state": encoded(b"a b\nx")}]}]},
            "messages[0].reasoning[0].opaque_state",
            UNKNOWN_STATE,
        ),
        (
            {
                "messages": [
                    {**USER, "role": "ROLE_ASSISTANT", "reasoning": [{"opaque_state": "YS9iCg" + "A" * 20_000}]}
                ]
            },
            "messages",
            "hold 15009 bytes of text; at most 10000: shorten the prompt",
        ),
        ({"tools": [F], "tool_choice": {}}, "tool_choice", "must be a mode or the name of a tool, or unset"),
        ({"tools": [F], "tool_choice": {"mode": 9}}, "tool_choice.mode", "9 is no value of ToolChoiceMode"),
        ({"tools": [F], "tool_choice": {"name": "g"}}, "tool_choice.name", "must be the name of one of the tools"),
        ({"tool_choice": {"name": "g"}}, "tool_choice.name", "must be the name of one of the tools"),
        (
            {"tool_choice": {"mode": "TOOL_CHOICE_MODE_REQUIRED"}},
            "tool_choice.mode",
            "demands a tool call, and there are no tools",
        ),
        ({"tools": [{**F, "parameters_json": "[]"}]}, "tools[0].parameters_json", OBJECT),
        (
            {"response_format": {"json_schema": {"schema_json": "{}", "name": "two words"}}},
            "response_format.json_schema.name",
            "must have at most 64 letters, digits or any of - _",
        ),
        (
            {"response_format": {"json_schema": {}}},
            "response_format.json_schema.schema_json",
            "must be a JSON object, as text",
        ),
    ],
)
def test_violation(fields: dict[str, object], field: str, description: str) -> None:
    assert complaints(**fields) == [(field, description)]


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (b"", "must not be empty"),
        (
            PNG + b"x" * MAX_IMAGE_MIB * 1024 * 1024,
            f"is {MAX_IMAGE_MIB * 1024 * 1024 + 12} bytes; at most {MAX_IMAGE_MIB} MiB: send a smaller picture",
        ),
    ],
    ids=["empty", "huge"],
)
def test_a_picture_has_a_size(data: bytes, description: str) -> None:
    image = chat_pb2.Image(data=data, media_type="image/png")
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, parts=[chat_pb2.Part(image=image)])
    limits = Limits(max_prompt_bytes=100, max_attempts=4)
    with pytest.raises(InvalidRequest) as caught:
        requests.completion(
            router_pb2.CompleteRequest(messages=[message]), Arrival(request_id="req-1", deadline=50.0), limits
        )
    assert [(v.field, v.description) for v in caught.value.violations] == [
        ("messages[0].parts[0].image.data", description)
    ]


@given(st.binary(), st.from_regex(r"[a-z]{1,9}/[!-~]{1,200}", fullmatch=True))
def test_opaque_state_comes_back_as_it_went(data: bytes, origin: str) -> None:
    state = OpaqueState(origin=origin, data=data)
    assert unmarked(marked(state), "x", Complaints({})) == state


def test_no_state_is_none() -> None:
    assert marked(None) == b""
    assert unmarked(b"", "x", Complaints({})) is None


def test_deltas_carry_calls_and_the_end_of_reasoning() -> None:
    state = OpaqueState(origin="a/m", data=b"[]")
    value = Delta(
        "c",
        "r",
        (ToolCallDelta(index=1, id="i", name="n", arguments_json_fragment="{", opaque_state=state),),
        Reasoning(text="", dialect="openai", model="m", opaque_state=state),
    )
    found = responses.event(value, "req-1").delta
    assert found == router_pb2.Delta(
        content="c",
        reasoning="r",
        tool_call_deltas=[
            router_pb2.ToolCallDelta(index=1, id="i", name="n", arguments_json_fragment="{", opaque_state=b"a/m\n[]")
        ],
        reasoning_end=chat_pb2.Reasoning(dialect="openai", model="m", opaque_state=b"a/m\n[]"),
    )


def test_an_attempt_names_what_was_left_out() -> None:
    value = Attempt(
        number=1, target=target(), outcome=Outcome.OK, start_time=0.0, latency_s=1.0, dropped_fields=("temperature",)
    )
    assert responses.attempt(value).dropped_fields == ["temperature"]
