"""What a vendor says whole and what it says piece by piece comes to the same answer, whoever the vendor is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import Delta, FinishReason, Message, OpaqueState, Reasoning, Role, ToolCall
from router_service.core.errors import ResponseTooLarge
from router_service.providers import openai_state
from tests.providers.openai_bodies import ASKED, Json, answer, choice, decoded, lines, streamed


def put_together(deltas: Sequence[Delta]) -> Message:
    """The message that a caller makes of a stream, by the contract's own rules."""
    calls: dict[int, dict[str, Any]] = {}
    blocks: list[Reasoning] = []
    thought = ""
    for delta in deltas:
        thought += delta.reasoning
        if end := delta.reasoning_end:
            blocks.append(Reasoning(text=thought, dialect=end.dialect, model=end.model, opaque_state=end.opaque_state))
            thought = ""
        for piece in delta.tool_calls:
            call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments_json": "", "opaque_state": None})
            assert not (call["id"] and piece.id), "an id comes once"
            assert not (call["name"] and piece.name), "a name comes once"
            assert call["opaque_state"] is None or piece.opaque_state is None, "opaque state comes once"
            call["id"] += piece.id
            call["name"] += piece.name
            call["arguments_json"] += piece.arguments_json_fragment
            call["opaque_state"] = call["opaque_state"] or piece.opaque_state
    assert not thought, "reasoning has an end"
    assert list(calls) == list(range(len(calls))), "calls are numbered from nought as they come"
    return Message(
        role=Role.ASSISTANT,
        content="".join(d.content for d in deltas),
        tool_calls=tuple(ToolCall(**call) for call in calls.values()),
        reasoning=tuple(blocks),
    )


def stream_of(*deltas: Json, finish: str = "stop") -> bytes:
    chunks = [{"id": "c1", "model": "m", "choices": [{"index": 0, "delta": d}]} for d in deltas]
    last = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    return lines(*[json.dumps(c) for c in [*chunks, last]], "[DONE]")


def function(name: str | None = None, arguments: object = None) -> Json:
    return {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}


def state(data: bytes) -> OpaqueState:
    return OpaqueState(origin=ASKED.id, data=data)


F = ToolCall(id="a", name="f", arguments_json='{"x":1}')
G = ToolCall(id="b", name="g", arguments_json="{}")
SIGNATURE = {"google": {"thought_signature": "s"}}
THOUGHT = Reasoning(text="Hm, yes", dialect="openai", model="m")
ENCRYPTED = {"type": "reasoning.encrypted", "data": "xyz", "format": "v1", "index": 1}


def call(id: str | None, name: str, arguments: object, **more: object) -> Json:
    return {**({"id": id} if id else {}), "function": function(name, arguments), **more}


@pytest.mark.parametrize(
    ("message", "deltas", "expected"),
    [
        pytest.param(
            {"content": None, "tool_calls": [call("a", "f", '{"x":1}'), call("b", "g", "{}")]},
            [
                {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function("f", "")}]},
                {"tool_calls": [{"index": 0, "function": function(None, '{"x"')}]},
                {"tool_calls": [{"index": 0, "function": function(None, ":1}")}]},
                {"tool_calls": [{"index": 1, "id": "b", "function": function("g", "{}")}]},
            ],
            Message(role=Role.ASSISTANT, tool_calls=(F, G)),
            id="openai",
        ),
        pytest.param(
            {"content": "", "tool_calls": [call("a", "f", {"x": 1}), call("b", "g", {})]},
            [{"tool_calls": [call("a", "f", {"x": 1}), call("b", "g", {})]}],
            Message(role=Role.ASSISTANT, tool_calls=(F, G)),
            id="mistral-sends-calls-whole-as-objects-without-an-index",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}'), call("b", "g", "{}")]},
            [{"tool_calls": [call("a", "f", '{"x":1}')]}, {"tool_calls": [call("b", "g", "{}")]}],
            Message(role=Role.ASSISTANT, tool_calls=(F, G)),
            id="without-an-index-in-chunks-of-their-own",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}'), call("b", "g", "{}")]},
            [
                {"tool_calls": [call("a", "f", '{"x":1}', index=0)]},
                {"tool_calls": [call("b", "g", "{}", index=0)]},
            ],
            Message(role=Role.ASSISTANT, tool_calls=(F, G)),
            id="gemini-numbers-all-calls-alike",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}')]},
            [
                {"tool_calls": [call("a", "f", '{"x"', index=0)]},
                {"tool_calls": [call("a", "f", ":1}", index=0)]},
            ],
            Message(role=Role.ASSISTANT, tool_calls=(F,)),
            id="id-and-name-again-with-each-piece",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}')]},
            [
                {"tool_calls": [call("a", "f", '{"x"', index=0)]},
                {"tool_calls": [{"index": 0, "id": "another", "function": function(None, ":1}")}]},
            ],
            Message(role=Role.ASSISTANT, tool_calls=(F,)),
            id="an-id-made-anew-for-each-piece",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}')]},
            [
                {"tool_calls": [call("a", "f", '{"x"')]},
                {"tool_calls": [{"function": function(None, ":1}")}]},
            ],
            Message(role=Role.ASSISTANT, tool_calls=(F,)),
            id="pieces-without-an-index",
        ),
        pytest.param(
            {"tool_calls": [call(None, "f", "{}"), call(None, "g", "{}")]},
            [{"tool_calls": [call(None, "f", "{}", index=0), call("", "g", "{}", index=1)]}],
            Message(
                role=Role.ASSISTANT,
                tool_calls=(
                    ToolCall(id="call_c1_0", name="f", arguments_json="{}"),
                    ToolCall(id="call_c1_1", name="g", arguments_json="{}"),
                ),
            ),
            id="calls-without-an-id-get-one",
        ),
        pytest.param(
            {"tool_calls": [call("a", "f", '{"x":1}', extra_content=SIGNATURE)]},
            [
                {"tool_calls": [call("a", "f", '{"x"', index=0, extra_content=SIGNATURE)]},
                {"tool_calls": [{"index": 0, "function": function(None, ":1}"), "extra_content": SIGNATURE}]},
            ],
            Message(
                role=Role.ASSISTANT,
                tool_calls=(
                    ToolCall(
                        id="a",
                        name="f",
                        arguments_json='{"x":1}',
                        opaque_state=state(b'{"google":{"thought_signature":"s"}}'),
                    ),
                ),
            ),
            id="gemini-signs-its-calls",
        ),
        pytest.param(
            {"reasoning": "Hm, yes", "content": "Hi", "reasoning_details": [ENCRYPTED]},
            [{"reasoning": "Hm,"}, {"reasoning": " yes"}, {"content": "Hi"}, {"reasoning_details": [ENCRYPTED]}],
            Message(
                role=Role.ASSISTANT,
                content="Hi",
                reasoning=(
                    Reasoning(
                        text="Hm, yes",
                        dialect="openai",
                        model="m",
                        opaque_state=state(
                            b'[{"type":"reasoning.encrypted","data":"xyz","format":"v1","index":1}]',
                        ),
                    ),
                ),
            ),
            id="openrouter-signs-its-reasoning",
        ),
        pytest.param(
            {
                "content": "Hi",
                "reasoning": "Hm, yes",
                "reasoning_details": [{"type": "reasoning.text", "text": "Hm, yes", "index": 0, "signature": "s"}],
            },
            [
                {
                    "reasoning": "Hm,",
                    "reasoning_details": [{"type": "reasoning.text", "text": "Hm,", "index": 0, "signature": None}],
                },
                {"reasoning": " yes", "reasoning_details": [{"type": "reasoning.text", "text": " yes", "index": 0}]},
                {"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]},
                {"content": "Hi"},
            ],
            Message(
                role=Role.ASSISTANT,
                content="Hi",
                reasoning=(
                    Reasoning(
                        text="Hm, yes",
                        dialect="openai",
                        model="m",
                        opaque_state=state(
                            b'[{"type":"reasoning.text","text":"Hm, yes","index":0,"signature":"s"}]',
                        ),
                    ),
                ),
            ),
            id="details-in-pieces",
        ),
        pytest.param(
            {"reasoning_content": "Hm, yes", "content": "Hi"},
            [{"reasoning_content": "Hm, yes", "content": None}, {"reasoning_content": None, "content": "Hi"}],
            Message(role=Role.ASSISTANT, content="Hi", reasoning=(THOUGHT,)),
            id="deepseek",
        ),
        pytest.param(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, yes"}]},
                    {"type": "text", "text": "Hi"},
                ]
            },
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm,"}]}]},
                {"content": [{"type": "thinking", "thinking": " yes"}]},
                {"content": "H"},
                {"content": [{"type": "text", "text": "i"}, {"type": "reference", "reference_ids": [1]}]},
            ],
            Message(role=Role.ASSISTANT, content="Hi", reasoning=(THOUGHT,)),
            id="mistral-thinks-in-lists",
        ),
        pytest.param(
            {"content": "Hi", "reasoning_details": "odd", "tool_calls": []},
            [{"content": "Hi", "reasoning_details": {"odd": 1}, "tool_calls": []}],
            Message(role=Role.ASSISTANT, content="Hi"),
            id="details-of-another-kind",
        ),
    ],
)
def test_whole_and_streamed_are_the_same(message: Json, deltas: Sequence[Json], expected: Message) -> None:
    whole = decoded(answer(id="c1", model="m", choices=choice(**message)))
    pieces, end = streamed([stream_of(*deltas)])
    assert whole.message == expected
    assert put_together(pieces) == expected
    assert end is not None
    assert end.finish_reason is whole.finish_reason
    assert whole.finish_reason is (FinishReason.TOOL_CALLS if expected.tool_calls else FinishReason.STOP)


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
CUTS = st.lists(st.integers(0, 12), max_size=3)


def cut(text: str, places: Sequence[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(min(p, len(text)) for p in places), len(text)])]


@given(
    content=TEXT,
    thought=TEXT,
    arguments=st.lists(st.tuples(TEXT, CUTS, st.booleans()), max_size=4),
    places=CUTS,
    bytes_at=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_any_stream_comes_to_the_whole_answer(
    content: str,
    thought: str,
    arguments: list[tuple[str, list[int], bool]],
    places: list[int],
    bytes_at: list[int],
) -> None:
    calls = [
        call(f"id{n}", f"f{n}", text, **({"extra_content": {"s": n}} if is_signed else {}))
        for n, (text, _, is_signed) in enumerate(arguments)
    ]
    deltas: list[Json] = [{"reasoning": piece} for piece in cut(thought, places)]
    deltas += [{"content": piece} for piece in cut(content, places)]
    for number, (text, at, _) in enumerate(arguments):
        first, *others = cut(text, at)
        begun = {**calls[number], "index": number, "function": function(f"f{number}", first)}
        deltas += [{"tool_calls": [begun]}]
        deltas += [{"tool_calls": [{"index": number, "function": {"arguments": piece}}]} for piece in others]
    data = stream_of(*deltas)
    edges = [0, *sorted(min(place, len(data)) for place in bytes_at), len(data)]
    pieces, end = streamed([data[a:b] for a, b in pairwise(edges)])
    whole = decoded(answer(id="c1", model="m", choices=choice(content=content, reasoning=thought, tool_calls=calls)))
    assert end is not None
    assert put_together(pieces) == whole.message


def test_state_that_no_caller_could_take_back_is_too_large() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x" * openai_state.MAX_STATE_BYTES}]
    with pytest.raises(ResponseTooLarge):
        decoded(answer(choices=choice(content="Hi", reasoning_details=details)))
    with pytest.raises(ResponseTooLarge):
        streamed([stream_of({"content": "Hi", "reasoning_details": details})])
