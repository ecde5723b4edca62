"""Streams of the OpenAI dialect: the same wherever they are cut, and whole only by their own word."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.chat import Delta, FinishReason, Reasoning, StreamEnd, ToolCallDelta, Usage
from router_service.core.errors import (
    BadResponse,
    ContextTooLong,
    RateLimited,
    ResponseTooLarge,
    ServerFailed,
    Stage,
    UpstreamError,
)
from router_service.providers import openai_stream
from router_service.providers.openai import OpenAIDialect
from tests.providers.openai_bodies import ASKED, CANARY, ERRORS, WRONG, Json, chunk, lines, streamed

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
    Delta(reasoning_end=Reasoning(text="", dialect="openai", model="m")),
]
END = StreamEnd(finish_reason=FinishReason.TOOL_CALLS, usage=Usage(input_tokens=9, output_tokens=5), model="m")


def test_stream() -> None:
    assert streamed([STREAM]) == (DELTAS, END)


@pytest.mark.parametrize("ping", [b"data:\n\n", b"event: ping\ndata: \n\n", b"data\n\n", b"data:  \n\n", b": ping\n\n"])
def test_ping_says_nothing(ping: bytes) -> None:
    head, sep, tail = STREAM.partition(b"\n\n")
    assert streamed([ping + head + sep + ping + tail]) == (DELTAS, END)
    assert streamed([ping]) == ([], None)


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
        pytest.param(lines(chunk("Hi", "stop")), "Hi", None, id="a-finish-reason-without-done"),
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
            lines(
                '{"choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"content":"H"}}]}',
                '{"choices":[{"index":1,"delta":{"content":"other"},"finish_reason":"length"}]}',
                '{"choices":[{"index":"0","delta":{"content":"i"},"finish_reason":"stop"}]}',
                "[DONE]",
            ),
            "Hi",
            StreamEnd(finish_reason=FinishReason.STOP, usage=None),
            id="another-choice",
        ),
        pytest.param(
            lines(chunk("Hi", "length"), chunk("", "stop"), "[DONE]"),
            "Hi",
            StreamEnd(finish_reason=FinishReason.LENGTH, usage=None),
            id="the-first-finish-reason-stays",
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
            Delta(tool_calls=(ToolCallDelta(index=0, id="call_0", name="f"),)),
        ),
        ({"tool_calls": [{"index": 4, "id": "x"}]}, Delta()),
        (
            {"tool_calls": [{"index": 4, "id": "x"}, {"index": 4, "function": {"name": "f"}}]},
            Delta(tool_calls=(ToolCallDelta(index=0, id="x", name="f"),)),
        ),
    ],
)
def test_delta(delta: Json | None, expected: Delta) -> None:
    deltas, _ = streamed([lines(json.dumps({"choices": [{"delta": delta}]}))])
    assert deltas == [expected]


@pytest.mark.parametrize("body", WRONG)
def test_wrong_shape_in_a_stream_never_makes_a_whole_answer(body: bytes) -> None:
    with pytest.raises(BadResponse) as caught:
        streamed([b"data: " + body + b"\n\ndata: [DONE]\n\n"])
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "events",
    [
        [chunk("Hi"), "[DONE]"],
        ["[DONE]"],
        [chunk("Hi", ""), "[DONE]"],
        [chunk("Hi"), '{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}', "[DONE]"],
    ],
)
def test_done_without_a_finish_reason_is_no_whole_answer(events: list[str]) -> None:
    decoder = OpenAIDialect().decoder(ASKED)
    assert "".join(d.content for d in decoder.feed(lines(*events))) == ("Hi" if len(events) > 1 else "")
    with pytest.raises(BadResponse) as caught:
        decoder.end()
    assert caught.value.maybe_billed


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (lines('{"error":{"code":500}}'), ServerFailed),
        (b"data: {\n\n", BadResponse),
        (b"event: error\ndata: x\n\n", ServerFailed),
        (b"data: " + b"x" * openai_stream.MAX_EVENT_BYTES, ResponseTooLarge),
    ],
)
def test_what_comes_with_a_fault_counts_and_nothing_after_it(fault: bytes, kind: type[UpstreamError]) -> None:
    decoder = OpenAIDialect().decoder(ASKED)
    usage = {"prompt_tokens": 9, "completion_tokens": 5}
    assert decoder.feed(lines(chunk("Hi", usage=usage)) + fault + lines(chunk("more"))) == [Delta("Hi")]
    assert decoder.feed(lines(chunk("more", "stop"), "[DONE]")) == []
    assert decoder.usage() == Usage(input_tokens=9, output_tokens=5)
    with pytest.raises(kind):
        decoder.end()


@pytest.mark.parametrize(("said", "kind"), ERRORS)
def test_error_inside_a_stream(said: object, kind: type[UpstreamError]) -> None:
    decoder = OpenAIDialect().decoder(ASKED)
    assert decoder.feed(lines(chunk("Hi"))) == [Delta("Hi")]
    assert decoder.feed(lines(chunk("", "error", error=said))) == []
    with pytest.raises(kind) as caught:
        decoder.end()
    assert type(caught.value) is kind
    assert (caught.value.stage, caught.value.maybe_billed) == (Stage.STREAM, True)
    assert CANARY not in str(caught.value)


def test_error_of_groq_inside_a_stream() -> None:
    with pytest.raises(ServerFailed) as caught:
        streamed([lines(chunk("Hi", x_groq={"id": "r", "error": CANARY}))])
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (b'event: error\ndata: {"message":"CANARY-7f3a","code":500}\n\n', ServerFailed),
        (b'event: error\ndata: {"error":{"code":429}}\n\n', RateLimited),
        (b"event: error\ndata: CANARY-7f3a\n\n", ServerFailed),
        (b'error: {"code":500,"message":"CANARY-7f3a","type":"server_error"}\n\n', ServerFailed),
        (b'data: {"object":"error","message":"CANARY-7f3a","type":"InternalServerError","code":500}\n\n', ServerFailed),
        (b'data: {"object":"error","message":"maximum context length is 7","code":400}\n\n', ContextTooLong),
    ],
)
def test_error_that_is_framed_in_another_way(event: bytes, kind: type[UpstreamError]) -> None:
    with pytest.raises(kind) as caught:
        streamed([lines(chunk("Hi")) + event + lines(chunk("", "stop"), "[DONE]")])
    assert caught.value.maybe_billed
    assert CANARY not in str(caught.value)


def test_event_over_the_cap_is_too_large() -> None:
    decoder = OpenAIDialect().decoder(ASKED)
    piece = b"x" * (1024 * 1024)
    decoder.feed(b"data: ")
    for _ in range(openai_stream.MAX_EVENT_BYTES // len(piece) + 1):
        decoder.feed(piece)
    with pytest.raises(ResponseTooLarge) as caught:
        decoder.end()
    assert caught.value.maybe_billed
