"""What Route takes from the wire beyond Complete: estimates for content, tools, pictures, the form of an answer."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message as PbMessage
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.chat import Image, Message, Part, ResponseFormat, ResponseKind, Role, Tool, ToolCall
from router_service.core.errors import InvalidRequest, NotBuilt
from router_service.core.request import Request
from router_service.edge import requests
from router_service.edge.requests import ROUTABLE, Arrival, Limits

ARRIVAL = Arrival(request_id="req-1", deadline=50.0, time_left_s=4.0)
USER = {"role": "ROLE_USER", "content": "Hello"}
OBJECT = "must be a JSON object, as text"
DEEP = "[" * 200_000
CALL = {"id": "1", "name": "f"}
HUGE = '{"a":"' + "x" * 999_992 + '"}'
MESSAGES: dict[str, type[PbMessage]] = {
    "RouteRequest": router_pb2.RouteRequest,
    "Message": chat_pb2.Message,
    "Part": chat_pb2.Part,
    "Reasoning": chat_pb2.Reasoning,
    "ToolCall": chat_pb2.ToolCall,
    "Generation": chat_pb2.Generation,
    "Routing": router_pb2.Routing,
}


def read(**fields: object) -> Request:
    pb = json_format.ParseDict(fields, router_pb2.RouteRequest())
    return requests.question(pb, ARRIVAL, Limits(max_prompt_bytes=1_000_000, max_attempts=4))


def complaints(**fields: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)
    return [(v.field, v.description) for v in caught.value.violations]


def test_an_estimate_alone_will_do() -> None:
    found = read(estimated_input_tokens=0)
    assert (found.estimated_input_tokens, found.prompt.messages, found.time_left_s) == (0, (), 4.0)
    assert found.keeps_plan


def test_content_alone_will_do() -> None:
    found = read(messages=[USER], labels={"technical": "true"})
    assert found.prompt.messages == (Message(role=Role.USER, content="Hello"),)
    assert found.estimated_input_tokens is None
    assert found.labels == {"technical": "true"}


def test_tools_pictures_and_forms_arrive() -> None:
    schema = {"name": "n", "schema_json": "{}", "strict": True}
    found = read(
        messages=[
            {"role": "ROLE_USER", "parts": [{"text": "a"}, {"image": {"data": "YQ==", "media_type": "image/png"}}]},
            {"role": "ROLE_USER", "parts": [{"image": {"uri": "https://x/y.png"}}]},
            {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "1", "name": "f", "arguments_json": "{}"}]},
            {"role": "ROLE_TOOL", "content": "4", "tool_call_id": "1"},
        ],
        tools=[{"name": "f", "description": "d", "parameters_json": "{}", "strict": True}],
        response_format={"json_schema": schema},
    )
    assert found.prompt.messages == (
        Message(
            role=Role.USER,
            parts=(Part(text="a"), Part(image=Image(data=b"a", media_type="image/png"))),
        ),
        Message(role=Role.USER, parts=(Part(image=Image(uri="https://x/y.png")),)),
        Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="1", name="f", arguments_json="{}"),)),
        Message(role=Role.TOOL, content="4", tool_call_id="1"),
    )
    assert found.prompt.tools == (Tool(name="f", description="d", parameters_json="{}", strict=True),)
    assert found.prompt.response_format == ResponseFormat(
        kind=ResponseKind.JSON_SCHEMA, name="n", schema_json="{}", strict=True
    )


@pytest.mark.parametrize(
    ("form", "kind"), [({"text": {}}, ResponseKind.TEXT), ({"json_object": {}}, ResponseKind.JSON_OBJECT)]
)
def test_forms_without_settings(form: dict[str, object], kind: ResponseKind) -> None:
    assert read(messages=[USER], response_format=form).prompt.response_format == ResponseFormat(kind=kind)


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        (
            {},
            "messages",
            "must hold at least one message, or give estimated_input_tokens; for example "
            '{"messages": [{"role": "ROLE_USER", "content": "Hello"}]}',
        ),
        (
            {"messages": [{"role": "ROLE_ASSISTANT", "tool_calls": [CALL | {"arguments_json": HUGE}]}]},
            "messages",
            "hold 1000002 bytes of text; at most 1000000: shorten the prompt",
        ),
        ({"estimated_input_tokens": -1}, "estimated_input_tokens", "is -1; must be 0 or more, or unset"),
        ({"messages": [USER], "max_candidates": 0}, "max_candidates", "is 0; must be 1 to 5000, or unset"),
        ({"messages": [USER], "max_candidates": 5001}, "max_candidates", "is 5001; must be 1 to 5000, or unset"),
        ({"messages": [USER], "view": 9}, "view", "9 is no value of PlanView"),
        ({"messages": [USER], "tools": [{}]}, "tools[0].name", "must have 1 to 128 characters"),
        (
            {"messages": [USER], "tools": [{"name": "f"}, {"name": "f"}]},
            "tools",
            "must each have a name of its own",
        ),
        ({"messages": [USER], "tools": [{"name": "f"}] * 129}, "tools", "holds 129 tools; at most 128"),
        (
            {"messages": [USER], "tools": [{"name": "f", "description": "x" * 1_000_001}]},
            "tools",
            "hold 1000008 bytes; at most 1000000",
        ),
        (
            {"messages": [USER], "tools": [{"name": "f", "parameters_json": DEEP}]},
            "tools[0].parameters_json",
            f"{OBJECT}, or empty",
        ),
        (
            {"messages": [USER], "response_format": {}},
            "response_format",
            "must be text, json_object or json_schema, or unset",
        ),
        (
            {"messages": [USER], "response_format": {"json_schema": {"schema_json": "[]"}}},
            "response_format.json_schema.schema_json",
            OBJECT,
        ),
        (
            {"messages": [{"role": "ROLE_USER", "parts": [{"image": {"uri": "file:///etc/passwd"}}]}]},
            "messages[0].parts[0].image.uri",
            "must begin with https://; send other pictures as data",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "parts": [{"image": {}}]}]},
            "messages[0].parts[0].image",
            "must have data or a uri",
        ),
        (
            {"messages": [{"role": "ROLE_USER", "parts": [{}]}]},
            "messages[0].parts[0]",
            "must be a text or an image",
        ),
        (
            {"messages": [{"role": "ROLE_TOOL", "content": "4"}]},
            "messages[0].tool_call_id",
            "must be set: the id of the call that ROLE_TOOL answers",
        ),
        (
            {"messages": [{**USER, "tool_call_id": "1"}]},
            "messages[0].tool_call_id",
            "belongs to ROLE_TOOL alone",
        ),
        (
            {"messages": [{**USER, "tool_calls": [CALL]}]},
            "messages[0].tool_calls",
            "belong to ROLE_ASSISTANT alone",
        ),
    ],
)
def test_violation(fields: dict[str, object], field: str, description: str) -> None:
    assert complaints(**fields) == [(field, description)]


def test_tool_calls_count_among_the_parts() -> None:
    turn = {"role": "ROLE_ASSISTANT", "tool_calls": [CALL] * 10_001}
    assert complaints(messages=[turn]) == [("messages", "hold 10001 parts; at most 10000 of all messages together")]


def test_what_is_not_built_is_refused_by_name() -> None:
    with pytest.raises(NotBuilt, match=r"routing.mock"):
        read(messages=[USER], routing={"mock": True})


def test_every_field_that_is_taken_exists() -> None:
    assert set(ROUTABLE) == set(MESSAGES)
    for name, fields in ROUTABLE.items():
        assert fields <= set(MESSAGES[name].DESCRIPTOR.fields_by_name), name
