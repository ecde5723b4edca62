"""Tools, pictures, forms and echoes in the OpenAI dialect: what is sent of them to whom."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from router_service.core.catalog import Model, Target
from router_service.core.chat import (
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
    ToolChoice,
    ToolChoiceMode,
)
from router_service.core.deviations import Deviations, ToolCallIds
from router_service.providers.openai import OpenAIDialect
from tests.core.examples import prompt, target

SOME = target("openrouter/deepseek/r1")
CALL = ToolCall(id="call_abc", name="now", arguments_json='{"tz":"UTC"}')
TURN = Message(role=Role.ASSISTANT, tool_calls=(CALL,))
RESULT = Message(role=Role.TOOL, content="12:00", tool_call_id="call_abc")
NOW = Tool(name="now")


def sent(asked: Prompt, to: Target = SOME, *, is_stream: bool = False) -> dict[str, object]:
    body = json.loads(OpenAIDialect().encode(asked, to, attempt_id="req-1.1", is_stream=is_stream).body)
    assert isinstance(body, dict)
    return body


def turn(message: Message, to: Target = SOME) -> object:
    messages = sent(Prompt(messages=(message,)), to)["messages"]
    assert isinstance(messages, list)
    return messages[0]


def deviating(**deviations: object) -> Target:
    return target("mistral/small", deviations=replace(Deviations(), **deviations))  # type: ignore[arg-type]


WRITTEN_CALL = {"id": "call_abc", "type": "function", "function": {"name": "now", "arguments": '{"tz":"UTC"}'}}


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (TURN, {"role": "assistant", "content": None, "tool_calls": [WRITTEN_CALL]}),
        (replace(TURN, content="Wait."), {"role": "assistant", "content": "Wait.", "tool_calls": [WRITTEN_CALL]}),
        (RESULT, {"role": "tool", "content": "12:00", "tool_call_id": "call_abc"}),
        (
            Message(role=Role.ASSISTANT, tool_calls=(ToolCall(id="1", name="f", arguments_json=""),)),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
    ],
)
def test_calls_and_their_results(message: Message, written: object) -> None:
    assert turn(message) == written


@pytest.mark.parametrize("id", ["call_abc", "x" * 60, "ünicode99", "ABCdef123"])
def test_ids_are_made_into_those_that_the_provider_takes_and_stay_pairs(id: str) -> None:
    to = deviating(tool_call_ids=ToolCallIds.NINE_CHARACTERS)
    asked = Prompt(messages=(replace(TURN, tool_calls=(replace(CALL, id=id),)), replace(RESULT, tool_call_id=id)))
    messages: Any = sent(asked, to)["messages"]
    call, result = messages
    made = call["tool_calls"][0]["id"]
    assert made == result["tool_call_id"]
    assert len(made) == 9
    assert made.isascii()
    assert made.isalnum()
    assert (made == id) == (id == "ABCdef123")


SCHEMA = '{"type":"object","properties":{"b":{},"a":{"const":1e400}}}'


@pytest.mark.parametrize(
    ("tool", "function"),
    [
        (NOW, {"name": "now", "parameters": {"type": "object", "properties": {}}}),
        (
            Tool(name="now", description="The time.", parameters_json='{"type":"object"}', strict=True),
            {"name": "now", "description": "The time.", "parameters": {"type": "object"}, "strict": True},
        ),
    ],
)
def test_tool(tool: Tool, function: object) -> None:
    assert sent(replace(prompt(), tools=(tool,)))["tools"] == [{"type": "function", "function": function}]


def test_a_schema_goes_out_as_it_was_written() -> None:
    form = ResponseFormat(kind=ResponseKind.JSON_SCHEMA, schema_json=SCHEMA)
    asked = replace(prompt(), tools=(Tool(name="f", parameters_json=SCHEMA),), response_format=form)
    body = OpenAIDialect().encode(asked, SOME, attempt_id="", is_stream=False).body
    assert body.count(SCHEMA.encode()) == 2


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(mode=ToolChoiceMode.AUTO), "auto"),
        (ToolChoice(mode=ToolChoiceMode.NONE), "none"),
        (ToolChoice(mode=ToolChoiceMode.REQUIRED), "required"),
        (ToolChoice(mode=ToolChoiceMode.NAMED, name="now"), {"type": "function", "function": {"name": "now"}}),
    ],
)
def test_choice(choice: ToolChoice, written: object) -> None:
    asked = replace(prompt(), tools=(NOW,), tool_choice=choice)
    assert sent(asked)["tool_choice"] == written
    passed_over = sent(asked, deviating(minds_tool_choice=False))
    assert "tool_choice" not in passed_over
    assert ("tools" in passed_over) == (choice.mode is not ToolChoiceMode.NONE), "whoever may not call knows no tool"


def test_without_tools_nothing_is_said_of_them() -> None:
    asked = replace(prompt(), tool_choice=ToolChoice(mode=ToolChoiceMode.NONE))
    assert sent(asked).keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (ResponseFormat(), None),
        (ResponseFormat(kind=ResponseKind.JSON_OBJECT), {"type": "json_object"}),
        (
            ResponseFormat(kind=ResponseKind.JSON_SCHEMA, schema_json='{"type":"object"}'),
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
        ),
        (
            ResponseFormat(kind=ResponseKind.JSON_SCHEMA, name="n", schema_json="{}", strict=True),
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        ),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_form(form: ResponseFormat, written: object, is_stream: bool) -> None:
    assert sent(replace(prompt(), response_format=form), is_stream=is_stream).get("response_format") == written


def test_any_object_is_asked_for_by_a_schema_where_there_is_no_other_way() -> None:
    asked = replace(prompt(), response_format=ResponseFormat(kind=ResponseKind.JSON_OBJECT))
    written = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    assert sent(asked, deviating(has_json_object=False))["response_format"] == written


def test_pictures() -> None:
    message = Message(
        role=Role.USER,
        parts=(
            Part(text="Compare"),
            Part(image=Image(data=b"\x89PNG", media_type="image/png")),
            Part(image=Image(uri="https://example.com/a.png")),
        ),
    )
    assert turn(message) == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Compare"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        ],
    }


def opaque(data: bytes, origin: str = SOME.id) -> OpaqueState:
    return OpaqueState(origin=origin, data=data)


DETAILS = b'[{"type":"reasoning.encrypted","data":"c2lnbg==","id":null}]'
THOUGHT = Reasoning(text="Because.", dialect="openai", model="r1", opaque_state=opaque(DETAILS))
EXTRA = b'{"google":{"thought_signature":"c2lnbg=="}}'
OTHERS = [
    target("together/deepseek/r1"),
    target("openrouter/deepseek/r2"),
    Target(SOME.provider, Model(id="deepseek/r1-mini")),
]


def test_opaque_state_goes_back_to_whom_it_came_from() -> None:
    message = replace(TURN, content="Hi", reasoning=(THOUGHT,), tool_calls=(replace(CALL, opaque_state=opaque(EXTRA)),))
    assert turn(message) == {
        "role": "assistant",
        "content": "Hi",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "c2lnbg==", "id": None}],
        "tool_calls": [{**WRITTEN_CALL, "extra_content": {"google": {"thought_signature": "c2lnbg=="}}}],
    }
    for other in OTHERS:
        assert turn(message, other) == {"role": "assistant", "content": "Hi", "tool_calls": [WRITTEN_CALL]}


@pytest.mark.parametrize("data", [b"", b"no json", b'"x"', b"{}", b"[1, null]", b"\xff", b"[" * 100_000])
def test_opaque_state_that_is_none_of_a_vendors_is_left_out(data: bytes) -> None:
    message = replace(
        TURN,
        content="Hi",
        reasoning=(replace(THOUGHT, opaque_state=opaque(data)),),
        tool_calls=(replace(CALL, opaque_state=opaque(data)),),
    )
    assert turn(message) == {"role": "assistant", "content": "Hi", "tool_calls": [WRITTEN_CALL]}


@pytest.mark.parametrize(
    ("blocks", "thought"),
    [
        ((), " "),
        ((Reasoning(text="Because.", dialect="openai"),), "Because."),
        ((Reasoning(text="Because.", dialect="anthropic"),), " "),
    ],
)
def test_reasoning_goes_back_to_whom_wants_it(blocks: tuple[Reasoning, ...], thought: str) -> None:
    message = Message(role=Role.ASSISTANT, content="Hi", reasoning=blocks)
    wanting = deviating(wants_reasoning_back=True)
    assert turn(message, wanting) == {"role": "assistant", "content": "Hi", "reasoning_content": thought}
    assert turn(message) == {"role": "assistant", "content": "Hi"}
    asking = Message(role=Role.USER, content="Hi")
    assert turn(asking, wanting) == {"role": "user", "content": "Hi"}
