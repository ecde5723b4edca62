"""What the OpenAI dialect reads: whole answers and streams, those of its clones, and those that make no sense."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import Completion, Delta, FinishReason, StreamEnd, ToolCall, ToolCallDelta, Usage
from router_service.core.errors import (
    BadResponse,
    ContextTooLong,
    RateLimited,
    ResponseTooLarge,
    ServerFailed,
    Stage,
    UpstreamError,
)
from router_service.providers import openai
from router_service.providers.dialect import HttpHead
from router_service.providers.openai import OpenAIDialect

CANARY = "CANARY-7f3a"
"""Stands wherever a vendor's body could hold a prompt or a key; no error's text may show it."""

Json = Mapping[str, object]


def answer(**fields: object) -> bytes:
    """A whole answer with some of its fields replaced; None as a value means null."""
    message: Json = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": []}
    whole: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        "error": None,
    }
    return json.dumps(whole | fields).encode()


def choice(finish_reason: str | None = "stop", /, **message: object) -> list[Json]:
    return [{"index": 0, "message": message, "finish_reason": finish_reason}]


def decoded(body: bytes) -> Completion:
    return OpenAIDialect().decode(body)


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


def test_tool_calls() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "now", "arguments": '{"tz":"UTC"}'}}
    completion = decoded(answer(choices=choice("tool_calls", content=None, tool_calls=[call, {"id": "lost"}])))
    assert completion.message.tool_calls == (ToolCall(id="call_1", name="now", arguments_json='{"tz":"UTC"}'),)
    assert completion.finish_reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("eos", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("model_length", FinishReason.LENGTH),
        ("tool_calls", FinishReason.TOOL_CALLS),
        ("function_call", FinishReason.TOOL_CALLS),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("a_new_word", FinishReason.STOP),
    ],
)
def test_finish_reason(word: str, reason: FinishReason) -> None:
    assert decoded(answer(choices=choice(word, content="Hi"))).finish_reason is reason


@pytest.mark.parametrize(
    ("word", "error"), [("error", BadResponse), ("insufficient_system_resource", ServerFailed), (None, BadResponse)]
)
def test_finish_reason_that_says_that_it_failed(word: str | None, error: type[UpstreamError]) -> None:
    with pytest.raises(error) as caught:
        decoded(answer(choices=choice(word, content="Hi")))
    assert caught.value.maybe_billed


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
    ],
)
def test_usage(usage: Json | None, expected: Usage | None) -> None:
    assert decoded(answer(usage=usage)).usage == expected


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


WRONG = [
    pytest.param(b"", id="empty"),
    pytest.param(b"<html>" + CANARY.encode() + b"</html>", id="html"),
    pytest.param(b'{"choices":[{"message":{"content":"' + CANARY.encode(), id="cut"),
    pytest.param(answer() + b"x", id="more-after-it"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a-list"),
    pytest.param(b'"' + CANARY.encode() + b'"', id="a-string"),
    pytest.param(b"{}", id="no-choices"),
    pytest.param(answer(choices=None), id="null-choices"),
    pytest.param(answer(choices=[]), id="empty-choices"),
    pytest.param(answer(choices=[None]), id="null-choice"),
    pytest.param(answer(choices={CANARY: 1}), id="choices-of-another-type"),
    pytest.param(answer(choices=choice(content=7)), id="number-content"),
    pytest.param(answer(choices=choice(content={CANARY: CANARY})), id="object-content"),
    pytest.param(answer(choices=choice(content="Hi", tool_calls=CANARY)), id="string-tool-calls"),
    pytest.param(answer(model={CANARY: 1}), id="object-model"),
    pytest.param(answer(usage=CANARY), id="string-usage"),
    pytest.param(answer(usage={"prompt_tokens": CANARY}), id="string-tokens"),
    pytest.param(answer(usage={"prompt_tokens": -1}), id="negative-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 2**31}), id="too-many-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 10**400}), id="absurd-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 1.5}), id="half-a-token"),
    pytest.param(b'{"usage":{"prompt_tokens":NaN}}', id="nan"),
    pytest.param(b'{"usage":{"prompt_tokens":1e400}}', id="1e400"),
    pytest.param(b'{"choices":' + nested(50) + b"}", id="50-deep"),
    pytest.param(b'{"choices":' + nested(100_000) + b"}", id="100000-deep"),
    pytest.param(b'{"unknown":' + nested(100_000) + b"}", id="100000-deep-in-an-unknown-field"),
    pytest.param(b'{"error":' + nested(100_000) + b"}", id="100000-deep-in-the-error"),
    pytest.param(b'{"model":"\xff\xfe"}', id="no-utf-8"),
    pytest.param(b'{"model":"\\ud800"}', id="half-a-surrogate-pair"),
]


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


@pytest.mark.parametrize("body", WRONG)
def test_wrong_shape_in_a_stream_never_makes_a_whole_answer(body: bytes) -> None:
    decoder = OpenAIDialect().decoder()
    try:
        decoder.feed(b"data: " + body + b"\n\ndata: [DONE]\n\n")
    except BadResponse as error:
        assert CANARY not in str(error)
    else:
        assert decoder.end() is None


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


STREAM = "".join(
    f"data: {line}\n\n"
    for line in [
        '{"id":"c1","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
        '{"id":"c1","model":"m","choices":[{"delta":{"reasoning_content":"Let me see"},"finish_reason":null}]}',
        '{"id":"c1","model":"m","choices":[{"delta":{"content":"Zażółć 🦊"},"finish_reason":null}],"usage":null}',
        '{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function",'
        '"function":{"name":"now","arguments":""}}]}}]}',
        '{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"tz\\":"}}]}}]}',
        '{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\"UTC\\"}"}}]}}]}',
        '{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
        '{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}',
        "[DONE]",
    ]
).encode()
DELTAS = [
    Delta(),
    Delta("", "Let me see"),
    Delta("Zażółć 🦊"),
    Delta(tool_calls=(ToolCallDelta(index=0, id="call_1", name="now"),)),
    Delta(tool_calls=(ToolCallDelta(index=0, arguments_json_fragment='{"tz":'),)),
    Delta(tool_calls=(ToolCallDelta(index=0, arguments_json_fragment='"UTC"}'),)),
    Delta(),
    Delta(),
    Delta(),
]
END = StreamEnd(finish_reason=FinishReason.TOOL_CALLS, usage=Usage(input_tokens=9, output_tokens=5), model="m")


def streamed(pieces: Sequence[bytes]) -> tuple[list[Delta], StreamEnd | None]:
    decoder = OpenAIDialect().decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.end()


def lines(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


def chunk(text: str = "", finish_reason: str | None = None, **fields: object) -> str:
    only = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return json.dumps({"choices": [only], **fields})


def test_stream() -> None:
    assert streamed([STREAM]) == (DELTAS, END)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_stream_cut_at_any_byte_is_the_same(end: bytes) -> None:
    stream = STREAM.replace(b"\n", end)
    for place in range(len(stream) + 1):
        assert streamed([stream[:place], stream[place:]]) == (DELTAS, END), place
    assert streamed([stream[i : i + 1] for i in range(len(stream))]) == (DELTAS, END)


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_stream_cut_in_many_places_is_the_same(places: list[int]) -> None:
    pieces = [STREAM[a:b] for a, b in pairwise([0, *sorted(places), len(STREAM)])]
    assert streamed(pieces) == (DELTAS, END)


def test_stream_cut_off_before_its_end_has_none() -> None:
    done = STREAM.index(b"[DONE]") + len(b"[DONE]\n")
    for place in range(done):
        assert streamed([STREAM[:place]])[1] is None, place
    assert streamed([STREAM[: done + 1]])[1] == END


@pytest.mark.parametrize(
    ("stream", "text", "end"),
    [
        pytest.param(lines(chunk("Hi"), "[DONE]"), "Hi", None, id="done-without-a-finish-reason"),
        pytest.param(lines(chunk("Hi", "stop")), "Hi", None, id="a-finish-reason-without-done"),
        pytest.param(lines("[DONE]"), "", None, id="done-alone"),
        pytest.param(
            lines(chunk("Hi", "stop"), "[DONE]", chunk(CANARY), "garbage"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=None),
            id="text-after-done",
        ),
        pytest.param(
            lines(chunk("Hi", "stop", usage={"prompt_tokens": 1}), chunk(usage={"prompt_tokens": 2}), "[DONE]"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=Usage(input_tokens=2)),
            id="usage-that-grows",
        ),
        pytest.param(
            lines(chunk("Hi", "stop"), chunk(x_groq={"id": "r", "usage": {"prompt_tokens": 3}}), "[DONE]"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=Usage(input_tokens=3)),
            id="usage-of-groq",
        ),
        pytest.param(
            b": OPENROUTER PROCESSING\n\n: keep-alive\n\n" + lines(chunk("Hi", "stop", model="m"), "[DONE]"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=None, model="m"),
            id="comments",
        ),
        pytest.param(
            lines(
                '{"choices":[],"prompt_filter_results":[]}',
                chunk("Hi"),
                '{"choices":[{"finish_reason":"stop"}]}',
                "[DONE]",
            ),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=None),
            id="azure",
        ),
        pytest.param(
            lines('{"choices":null}', chunk("Hi", "length", obfuscation="xyz"), "[DONE]"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.LENGTH, usage=None),
            id="null-choices-say-nothing",
        ),
    ],
)
def test_end(stream: bytes, text: str, end: StreamEnd | None) -> None:
    deltas, found = streamed([stream])
    assert "".join(d.content for d in deltas) == text
    assert found == end


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"content": "a"}, Delta("a")),
        ({"refusal": "no"}, Delta("no")),
        ({"reasoning": "b"}, Delta("", "b")),
        ({"reasoning_content": "b"}, Delta("", "b")),
        ({"content": None}, Delta()),
        (None, Delta()),
        ({"tool_calls": []}, Delta()),
        (
            {"tool_calls": [{"function": {"name": "f"}}, {}]},
            Delta(tool_calls=(ToolCallDelta(index=0, name="f"), ToolCallDelta(index=1))),
        ),
        ({"tool_calls": [{"index": 4, "id": "x"}]}, Delta(tool_calls=(ToolCallDelta(index=4, id="x"),))),
    ],
)
def test_delta(delta: Json | None, expected: Delta) -> None:
    deltas, _ = streamed([lines(json.dumps({"choices": [{"delta": delta}]}))])
    assert deltas == [expected]


ERRORS = [
    pytest.param({"message": CANARY, "type": "server_error", "code": None, "param": None}, ServerFailed, id="openai"),
    pytest.param({"code": "server_error", "message": CANARY}, ServerFailed, id="openrouter-word"),
    pytest.param({"code": 429, "message": CANARY}, RateLimited, id="openrouter-number"),
    pytest.param({"code": 502, "message": CANARY}, ServerFailed, id="openrouter-upstream"),
    pytest.param({"code": "context_length_exceeded", "message": CANARY}, ContextTooLong, id="context"),
    pytest.param(CANARY, ServerFailed, id="text"),
    pytest.param([{"error": {"code": 429}}], RateLimited, id="list"),
    pytest.param({"code": "²³¹", "message": CANARY}, ServerFailed, id="digits-that-are-no-number"),
    pytest.param({"code": 302}, BadResponse, id="a-status-that-is-no-error"),
    pytest.param(True, ServerFailed, id="true"),
]


@pytest.mark.parametrize(("said", "kind"), ERRORS)
def test_error_inside_a_stream(said: object, kind: type[UpstreamError]) -> None:
    decoder = OpenAIDialect().decoder()
    assert decoder.feed(lines(chunk("Hi"))) == [Delta("Hi")]
    with pytest.raises(kind) as caught:
        decoder.feed(lines(chunk("", "error", error=said)))
    assert type(caught.value) is kind
    assert (caught.value.stage, caught.value.maybe_billed) == (Stage.STREAM, True)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(("said", "kind"), ERRORS)
def test_error_inside_a_whole_answer(said: object, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind) as caught:
        decoded(answer(error=said))
    assert type(caught.value) is kind
    assert CANARY not in str(caught.value)


def test_error_of_groq_inside_a_stream() -> None:
    with pytest.raises(ServerFailed) as caught:
        OpenAIDialect().decoder().feed(lines(chunk("Hi", x_groq={"id": "r", "error": CANARY})))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("said", [None, "", {}, [], False, 0])
def test_error_that_says_nothing_is_none(said: object) -> None:
    assert decoded(answer(error=said)).message.content == "Hi"
    assert streamed([lines(chunk("Hi", "stop", error=said), "[DONE]")])[1] is not None


def test_event_over_the_cap_is_too_large() -> None:
    decoder = OpenAIDialect().decoder()
    piece = b"x" * (1024 * 1024)
    decoder.feed(b"data: ")
    with pytest.raises(ResponseTooLarge) as caught:
        for _ in range(openai.MAX_EVENT_BYTES // len(piece) + 1):
            decoder.feed(piece)
    assert caught.value.maybe_billed


KEYS = st.sampled_from(
    "choices message delta content finish_reason tool_calls function arguments index id usage prompt_tokens "
    "completion_tokens prompt_tokens_details cached_tokens x_groq model error errors code type metadata reasons "
    f"detail {CANARY}".split()
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([CANARY, "stop", "429", "500", "²³¹", "", "[DONE]"])
)
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(st.dictionaries(KEYS, ANY_JSON, max_size=3), max_size=2) | ANY_JSON,
        "usage": st.dictionaries(KEYS, LEAVES, max_size=3) | ANY_JSON,
        "error": ANY_JSON,
        "x_groq": st.dictionaries(KEYS, ANY_JSON, max_size=2),
    },
)
BODIES = (ANY_JSON | SHAPED).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=80)


@given(BODIES)
def test_any_body_is_an_answer_or_an_upstream_error(body: bytes) -> None:
    try:
        decoded(body)
    except UpstreamError as error:
        assert CANARY not in str(error)


@given(st.lists(BODIES, max_size=4), st.booleans())
def test_any_stream_is_deltas_or_an_upstream_error(bodies: list[bytes], is_framed: bool) -> None:
    decoder = OpenAIDialect().decoder()
    try:
        for body in bodies:
            decoder.feed(b"data: " + body + b"\n\n" if is_framed else body)
        decoder.feed(b"\n\ndata: [DONE]\n\n")
        decoder.end()
    except UpstreamError as error:
        assert CANARY not in str(error)


@given(st.integers(100, 999), st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=20)), BODIES)
def test_any_failure_is_an_upstream_error(status: int, headers: dict[str, str], body: bytes) -> None:
    error = OpenAIDialect().failure(HttpHead(status=status, headers=headers), body)
    assert isinstance(error, UpstreamError)
    assert error.status_code == status
    assert CANARY not in str(error)
