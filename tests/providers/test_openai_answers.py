"""Whole answers of the OpenAI dialect, those of its clones, and those that make no sense."""

from __future__ import annotations

import json

import pytest

from router_service.core.chat import FinishReason, Reasoning, ToolCall, Usage
from router_service.core.errors import BadResponse, ServerFailed, Stage, UpstreamError
from tests.providers.openai_bodies import (
    CANARY,
    ERRORS,
    WRONG,
    Json,
    answer,
    choice,
    chunk,
    decoded,
    lines,
    nested,
    streamed,
)


def test_whole_answer() -> None:
    completion = decoded(answer())
    assert completion.message.content == "Hi"
    assert completion.finish_reason is FinishReason.STOP
    assert completion.usage == Usage(input_tokens=9, output_tokens=1)
    assert completion.model == "gpt-4o-mini-2024-07-18"


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "Hi"}, "Hi"),
        ({"content": None, "refusal": "I cannot"}, "I cannot"),
        ({"content": ""}, ""),
        ({}, ""),
        ({"content": "a\u2028b\x00 🦊"}, "a\u2028b\x00 🦊"),
    ],
)
def test_content(message: Json, content: str) -> None:
    assert decoded(answer(choices=choice(**message))).message.content == content


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_apart_from_the_content(name: str) -> None:
    message = decoded(answer(choices=choice(content="Hi", **{name: "Because."}))).message
    assert message.content == "Hi"
    thought = Reasoning(text="Because.", dialect="openai", model="gpt-4o-mini-2024-07-18")
    assert message.reasoning == (thought,)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_reasoning(nothing: str | None) -> None:
    assert decoded(answer(choices=choice(content="Hi", reasoning=nothing))).message.reasoning == ()


def test_tool_calls() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"tz":"UTC"}'}}
    completion = decoded(answer(choices=choice("tool_calls", content=None, tool_calls=[call, {"id": "lost"}])))
    assert completion.message.tool_calls == (ToolCall(id="call_1", name="now", arguments_json='{"tz":"UTC"}'),)
    assert completion.finish_reason is FinishReason.TOOL_CALLS


WORDS = {
    FinishReason.STOP: ["stop", "STOP", "eos", "end_turn", "stop_sequence", "COMPLETE"],
    FinishReason.LENGTH: ["length", "LENGTH", "model_length", "max_tokens", "MAX_TOKENS", "max_output_tokens"],
    FinishReason.TOOL_CALLS: ["tool_calls", "function_call", "tool_use"],
    FinishReason.CONTENT_FILTER: ["content_filter", "SAFETY", "recitation", "BLOCKLIST", "prohibited_content"],
}


@pytest.mark.parametrize(("word", "reason"), [(word, reason) for reason, words in WORDS.items() for word in words])
def test_finish_reason(word: str, reason: FinishReason) -> None:
    calls = [{"index": 0, "function": {"name": "f"}}] if reason is FinishReason.TOOL_CALLS else []
    assert decoded(answer(choices=choice(word, content="Hi", tool_calls=calls))).finish_reason is reason
    called = json.dumps({"choices": [{"delta": {"tool_calls": calls}}]})
    _, end = streamed([lines(called, chunk("Hi", word), "[DONE]")])
    assert end is not None
    assert end.finish_reason is reason


@pytest.mark.parametrize(
    ("word", "error"),
    [
        *((word, BadResponse) for word in ("error", "abort", "cancelled", "Timeout", "malformed_function_call")),
        ("insufficient_system_resource", ServerFailed),
        *((word, BadResponse) for word in (None, "", CANARY, "stopped_midway")),
    ],
)
def test_finish_reason_that_does_not_say_that_the_answer_is_whole(word: str | None, error: type[UpstreamError]) -> None:
    with pytest.raises(error) as caught:
        decoded(answer(choices=choice(word, content="Hi")))
    assert caught.value.maybe_billed
    assert CANARY not in str(caught.value)
    if word:
        with pytest.raises(error):
            streamed([lines(chunk("Hi", word), "[DONE]")])


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param({}, Usage(), id="empty"),
        pytest.param(
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(input_tokens=9, output_tokens=5, cached_input_tokens=4, cache_write_tokens=2, reasoning_tokens=3),
            id="openai",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": None, "completion_tokens_details": None},
            Usage(input_tokens=9),
            id="null-details",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": None}},
            Usage(input_tokens=9),
            id="null-count",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 3},
            Usage(input_tokens=9, output_tokens=2, cached_input_tokens=6),
            id="deepseek",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "queue_time": 0.1, "prompt_time": 0.2, "total_time": 1.5},
            Usage(input_tokens=9, output_tokens=2),
            id="groq",
        ),
        pytest.param(
            {"prompt_tokens": 9, "completion_tokens": 2, "cost": 0.0014, "is_byok": False},
            Usage(input_tokens=9, output_tokens=2),
            id="openrouter",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 1015,
                "completion_tokens_details": {"reasoning_tokens": 1000},
            },
            Usage(input_tokens=10, output_tokens=1005, reasoning_tokens=1000),
            id="reasoning-in-the-total-alone",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 1015},
            Usage(input_tokens=10, output_tokens=1005),
            id="unexplained-total",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 1000}},
            Usage(input_tokens=10, output_tokens=1005, reasoning_tokens=1000),
            id="reasoning-beside",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 1015,
                "prompt_tokens_details": {"cached_tokens": 1000},
            },
            Usage(input_tokens=1010, output_tokens=5, cached_input_tokens=1000),
            id="cached-in-the-total-alone",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 1015, "prompt_cache_hit_tokens": 1000},
            Usage(input_tokens=1010, output_tokens=5, cached_input_tokens=1000),
            id="cached-in-the-total-alone-said-elsewhere",
        ),
        pytest.param(
            {
                "prompt_tokens": 500,
                "completion_tokens": 5,
                "total_tokens": 575,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 40},
            },
            Usage(input_tokens=570, output_tokens=5, cached_input_tokens=30, cache_write_tokens=40),
            id="cached-and-written-in-the-total-alone",
        ),
        pytest.param(
            {
                "completion_tokens": 5,
                "total_tokens": 1005,
                "prompt_tokens_details": {"cached_tokens": 1000},
            },
            Usage(input_tokens=1000, output_tokens=5, cached_input_tokens=1000),
            id="all-of-the-input-cached-and-in-the-total-alone",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 1022,
                "prompt_tokens_details": {"cached_tokens": 1000},
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(input_tokens=1010, output_tokens=12, cached_input_tokens=1000, reasoning_tokens=7),
            id="cached-and-reasoning-in-the-total-alone",
        ),
        pytest.param(
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 1115,
                "prompt_tokens_details": {"cached_tokens": 1000},
            },
            Usage(input_tokens=1010, output_tokens=105, cached_input_tokens=1000),
            id="more-in-the-total-than-was-cached",
        ),
        pytest.param(
            {
                "prompt_tokens": 100,
                "completion_tokens": 5,
                "total_tokens": 155,
                "prompt_tokens_details": {"cached_tokens": 40},
            },
            Usage(input_tokens=100, output_tokens=55, cached_input_tokens=40),
            id="cached-within-the-prompt-and-a-total-beyond",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 5},
            Usage(input_tokens=10, output_tokens=5),
            id="total-of-the-output",
        ),
        pytest.param(
            {"completion_tokens": 5, "total_tokens": 1015}, Usage(output_tokens=5), id="total-without-its-input"
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": "many"},
            Usage(input_tokens=10, output_tokens=5),
            id="total-in-words",
        ),
        pytest.param(
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 10**30},
            Usage(input_tokens=10, output_tokens=2**31 - 1),
            id="total-beyond-all",
        ),
    ],
)
def test_usage(usage: Json | None, expected: Usage | None) -> None:
    assert decoded(answer(usage=usage)).usage == expected


def test_of_several_choices_the_first_by_its_index_counts() -> None:
    other = {"index": 1, "message": {"content": "other"}, "finish_reason": "length"}
    completion = decoded(answer(choices=[other, *choice(content="Hi")]))
    assert (completion.message.content, completion.finish_reason) == ("Hi", FinishReason.STOP)


# A stream may say as little as this in a chunk, a whole answer may not.
WRONG_AS_A_WHOLE = [
    pytest.param(answer(choices=[{"message": None, "finish_reason": "stop"}]), id="null-message"),
    pytest.param(answer(choices=[{"text": CANARY, "finish_reason": "stop"}]), id="no-message"),
]


@pytest.mark.parametrize("body", WRONG + WRONG_AS_A_WHOLE)
def test_wrong_shape_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponse) as caught:
        decoded(body)
    assert caught.value.stage is Stage.DECODE
    assert caught.value.maybe_billed
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(answer(unknown=json.loads(nested(50))), id="deep-but-unknown"),
        pytest.param(b'{"unknown":1e400,' + answer()[1:], id="large-but-unknown"),
    ],
)
def test_what_is_not_read_does_no_harm(body: bytes) -> None:
    assert decoded(body).message.content == "Hi"


def test_of_duplicate_keys_the_last_counts_and_each_has_to_have_the_right_type() -> None:
    assert decoded(answer()[:-1] + b',"model":"second"}').model == "second"
    with pytest.raises(BadResponse):
        decoded(b'{"choices":"first",' + answer()[1:])


@pytest.mark.parametrize(("said", "kind"), ERRORS)
def test_error_inside_a_whole_answer(said: object, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind) as caught:
        decoded(answer(error=said))
    assert type(caught.value) is kind
    assert CANARY not in str(caught.value)


def test_answer_that_is_an_error_itself() -> None:
    with pytest.raises(ServerFailed) as caught:
        decoded(json.dumps({"object": "error", "message": CANARY, "type": "X", "code": 500}).encode())
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("said", [None, "", {}, [], False, 0])
def test_error_that_says_nothing_is_none(said: object) -> None:
    assert decoded(answer(error=said)).message.content == "Hi"
    assert streamed([lines(chunk("Hi", "stop", error=said), "[DONE]")])[1] is not None
