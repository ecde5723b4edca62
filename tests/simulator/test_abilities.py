"""Tools, forms, pictures and thoughts of the simulated models, whole and streamed alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from router_service.simulator.documents import document

from .harness import Json, Simulator, chat_body, payloads

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("weather", "news")]
ARGUMENTS = '{"city":"signal","days":7}'
NAMED = {"type": "function", "function": {"name": "news"}}


def whole(simulator: Simulator, body: Json) -> tuple[Json, str, Json]:
    answer = simulator.chat(body).json()
    [choice] = answer["choices"]
    return choice["message"], choice["finish_reason"], answer["usage"]


def streamed(simulator: Simulator, body: Json) -> tuple[Json, str, Json]:
    """The same as `whole`, from a stream."""
    message: dict[str, Any] = {"content": ""}
    reason, usage = "", dict[str, Any]()
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    for event in map(json.loads, payloads(simulator.chat(asked).content)[:-1]):
        usage = event["usage"] or usage
        for choice in event["choices"]:
            reason = choice["finish_reason"] or reason
            delta = choice["delta"]
            for name in ("content", "reasoning_content"):
                if name in delta:
                    message[name] = message.get(name, "") + delta[name]
            message |= {name: delta[name] for name in ("reasoning_details",) if name in delta}
            for call in delta.get("tool_calls", ()):
                calls = message.setdefault("tool_calls", [])
                if call["index"] == len(calls):
                    calls.append({key: value for key, value in call.items() if key != "index"})
                else:
                    calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    return message, reason, usage


def both(simulator: Simulator, body: Json) -> tuple[Json, str, Json]:
    message, reason, usage = whole(simulator, body)
    again, reason_again, usage_again = streamed(simulator, body)
    for one in (message, again):
        for call in one.get("tool_calls", ()):
            assert call.pop("id").startswith("call_")
    shared = {key: value for key, value in message.items() if key not in ("role", "refusal")}
    assert (again, reason_again, usage_again) == (shared, reason, usage)
    return message, reason, usage


@pytest.mark.parametrize(
    ("fields", "prompt", "called"),
    [
        ({}, "Ask weather, please", ["weather"]),
        ({}, "Ask weather and news, please", ["weather", "news"]),
        ({}, "Ask nobody, whatever the weathermen say", []),
        ({"tool_choice": "auto"}, "weather", ["weather"]),
        ({"tool_choice": "none"}, "weather", []),
        ({"tool_choice": "required"}, "anything", ["weather"]),
        ({"tool_choice": NAMED}, "anything", ["news"]),
    ],
)
def test_tools_are_called_when_asked_for(simulator: Simulator, fields: Json, prompt: str, called: list[str]) -> None:
    message, reason, usage = both(simulator, chat_body(prompt, tools=TOOLS, **fields))
    found = [call["function"] for call in message.get("tool_calls", ())]
    assert found == [{"name": name, "arguments": ARGUMENTS} for name in called]
    assert reason == ("tool_calls" if called else "stop")
    assert usage["completion_tokens"] == (4 * len(called) or 24)


def test_a_tools_result_is_answered_in_words(simulator: Simulator) -> None:
    body = chat_body("Ask weather", tools=TOOLS)
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
    turns = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    turns += [{"role": "tool", "tool_call_id": "c1", "content": "rain"}]
    message, reason, _ = both(simulator, {**body, "messages": [*body["messages"], *turns]})
    assert message["content"].startswith("Reply ")
    assert reason == "stop"
    refused = simulator.chat({**body, "messages": [*body["messages"], turns[1]]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages[1].role")


SCHEMA = {
    "type": "object",
    "properties": {"name": {"$ref": "#/$defs/name"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
    "$defs": {"name": {"type": "string", "minLength": 8}},
}


def test_forms_are_kept_to(simulator: Simulator) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    message, reason, _ = both(simulator, chat_body(response_format=form))
    assert json.loads(message["content"]) == {"name": "signalll", "tags": ["a"]}
    assert reason == "stop"
    message, _, _ = both(simulator, chat_body(response_format={"type": "json_object"}))
    assert json.loads(message["content"]) == {"reply": "signal"}
    message, reason, usage = both(simulator, chat_body(response_format=form, max_tokens=2))
    assert (reason, usage["completion_tokens"], len(message["content"])) == ("length", 2, 16)


def test_pictures_are_counted(simulator: Simulator) -> None:
    def showing(*urls: str) -> Json:
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, *parts]}]}

    assert " I see 1 picture. " in both(simulator, showing("https://example.com/a.png"))[0]["content"]
    data = "data:image/png;base64,iVBORw=="
    assert " I see 2 pictures. " in both(simulator, showing("https://example.com/a.png", data))[0]["content"]
    for url in ("http://example.com/a.png", "data:text/html;base64,AAAA", "data:image/png;base64,", "/etc/passwd"):
        refused = simulator.chat(showing(url))
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_image_url")


@pytest.mark.parametrize(
    ("fields", "thoughts", "tokens", "reason"),
    [
        ({"reasoning_effort": "low"}, 4, 28, "stop"),
        ({"reasoning_effort": "high"}, 16, 40, "stop"),
        ({"reasoning_effort": "none"}, 0, 24, "stop"),
        ({"reasoning_effort": "low", "max_completion_tokens": 6}, 4, 6, "length"),
        ({"reasoning_effort": "low", "max_completion_tokens": 3}, 3, 3, "length"),
    ],
)
def test_thoughts_come_first_and_count(
    simulator: Simulator, fields: Json, thoughts: int, tokens: int, reason: str
) -> None:
    message, found, usage = both(simulator, chat_body(**fields))
    assert len(message.get("reasoning_content", "").split()) == thoughts
    assert (usage["completion_tokens"], found) == (tokens, reason)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thoughts


def test_a_signature_is_known_by_whom_it_came_from_alone(simulator: Simulator) -> None:
    body = chat_body("Ask weather", tools=TOOLS, reasoning_effort="low")
    turn, _, _ = whole(simulator, body)
    [call] = turn["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": "rain"}
    again = {**body, "messages": [*body["messages"], turn, result]}
    assert " I know my words again. " in whole(simulator, again)[0]["content"]
    refused = simulator.chat(again, provider="late")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_value")


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({}, {}),
        ({"const": 4}, 4),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": ["boolean", "null"]}, True),
        ({"type": "number", "minimum": 2.5}, 2.5),
        ({"type": "integer", "exclusiveMinimum": 2}, 3),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [7, 7]),
        ({"$ref": "#"}, None),
        ({"$ref": "#/nowhere"}, None),
    ],
)
def test_documents(schema: Json, found: object) -> None:
    assert document(schema) == found
