"""What callers see of providers that write OpenAI's dialect in their own way, or break off in it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from tests.harness import settings
from tests.harness.raw import (
    CHUNKED,
    DONE,
    END,
    USAGE,
    Case,
    RawStack,
    delta,
    event,
    framed,
    head,
    raw_providers,
    routing_to_each,
    stream,
    whole,
)
from tests.harness.stack import Refused, asking, refused, streaming

ATTENTIVE = {"down_after": 1000, "degraded_failures": 1000, "healthy_ratio": 0.0}

READ_APART_S = 0.3
"""So much later, what comes is read by itself even on a busy machine."""


def finishing(word: str) -> Case:
    events = [delta("hel"), delta("", word), event({"choices": [], "usage": USAGE}), DONE]
    return Case([whole("hel", word)], [stream(*events)])


def using(usage: object) -> Case:
    """An answer of 5000 characters with this said of its usage."""
    events = [delta("hello" * 1000), delta("", "stop", usage=usage), DONE]
    return Case([whole("hello" * 1000, usage=usage)], [stream(*events)])


def calling(index: int, arguments: str = "{}") -> Case:
    """A stream with a tool's call at that place."""
    calls = [{"index": index, "id": "c", "function": {"name": "f", "arguments": arguments}}]
    return Case(
        streamed=[stream(event({"choices": [{"delta": {"tool_calls": calls}}]}), delta("", "tool_calls"), DONE)]
    )


def calling_whole(*signatures: str) -> bytes:
    """An answer with a tool's call for each signature, which has to come back."""
    calls = [
        {"id": f"c{n}", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": signature}}}
        for n, signature in enumerate(signatures)
    ]
    return whole(choices=[{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}])


def declaring(media_type: str) -> Case:
    declared = CHUNKED.replace(b"text/event-stream", media_type.encode())
    return Case(streamed=[declared + framed(delta("hi", "stop") + DONE) + END])


def busy(status: int = 503, *headers: str) -> bytes:
    return head(f"{status} X", "content-length: 4", *headers) + b"busy"


def passing(*first: bytes) -> Case:
    """A provider that is well but for its first request."""
    return Case([whole()], [stream(delta("hello", "stop"), DONE)], keeps=True, first=first)


SPELLING = {"output_limit_field": "max_tokens", "seed_field": "random_seed", "stream_usage": False}


CASES = {
    "spelling": Case(streamed=[stream(delta("hi", "stop"), DONE)], entry={"deviations": SPELLING}),
    "once": Case([whole()], [stream(delta("hello", "stop"), DONE)], keeps=True, once=True),
    "busy": passing(busy()),
    "busy-streamed": passing(busy()),
    "busy-for-now": passing(busy(503, "retry-after: 0")),
    "busy-for-long": passing(busy(503, "retry-after: 5")),
    "busy-all-day": Case([busy(503, "retry-after: 30")], keeps=True),
    "busy-but-bounded": passing(busy()),
    "closing": passing(),
    "refusing": passing(busy(400)),
    "limiting": passing(busy(429)),
    "garbled": passing(head("200 OK", "content-length: 1") + b"{"),
    "always-busy": Case([busy()], keeps=True),
    "type-capital": declaring("Text/Event-Stream"),
    "type-with-charset": declaring("text/event-stream ;charset=utf-8"),
    "index-negative": calling(-5),
    "call-of-5-mb": calling(0, "x" * 5_000_000),
    "index-absurd": calling(99_999_999_999),
    "done-alone": Case(streamed=[CHUNKED + framed(delta("hello")) + framed(DONE), b""], keeps=True),
    "text-with-fault": Case(
        streamed=[CHUNKED + framed(delta("one ")), framed(delta("two ") + event({"error": "x"}))], pause_s=READ_APART_S
    ),
    "fault-at-once": Case(streamed=[stream(delta("x" * 400), event({"error": "x"}))]),
    "usage-then-cut": Case(
        streamed=[
            CHUNKED,
            *(framed(delta("we ", usage={"prompt_tokens": 50_000, "completion_tokens": n})) for n in range(1, 21)),
        ]
    ),
    "usage-too-early": Case(
        streamed=[
            CHUNKED + framed(delta("x" * 40, usage={"prompt_tokens": 50_000, "completion_tokens": 1})),
            framed(delta("x" * 40)),
        ]
    ),
    "usage-of-all-then-cut": Case(
        streamed=[
            CHUNKED + framed(delta("x" * 4000)),
            framed(delta("", "stop", usage={"prompt_tokens": 50_000, "completion_tokens": 20})),
        ]
    ),
    "usage-then-error": Case(
        [whole("hel", "error", usage={"prompt_tokens": 50_000, "completion_tokens": 20})],
        [
            stream(
                delta("hel"),
                delta("", "error"),
                event({"choices": [], "usage": {"prompt_tokens": 50_000, "completion_tokens": 20}}),
                DONE,
            )
        ],
    ),
    "usage-of-too-much": Case([whole("x" * 4_100_000, usage={"prompt_tokens": 50_000, "completion_tokens": 20})]),
    "much": Case([whole("\u00e9" * 2_000_000)]),
    "too-much": Case([whole("\u00e9" * 2_100_000)]),
    "too-much-to-echo": Case([calling_whole(*["x" * 900_000] * 5)]),
    "usage-empty": using({}),
    "usage-nought": using({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
    "usage-half": using({"prompt_tokens": 90}),
    "usage-none": using(None),
    "finish-length": finishing("MAX_TOKENS"),
    "finish-filter": finishing("SAFETY"),
    "finish-abort": finishing("abort"),
    "finish-unknown": finishing("half_way"),
}


@pytest.fixture(scope="module")
def stack() -> Iterator[RawStack]:
    with raw_providers(CASES) as raw, routing_to_each(raw, health=ATTENTIVE) as stack:
        yield stack


def complete(
    stack: RawStack, case: str, *, is_stream: bool = False, request_id: str = "", max_attempts: int | None = None
) -> tuple[str, router_pb2.CompleteResponse | Refused]:
    """What was delivered, and how it ended."""
    request, text = asking(model=f"{case}/chat-small", request_id=request_id), ""
    if max_attempts is not None:
        request.routing.max_attempts = max_attempts
    try:
        if not is_stream:
            answer = stack.stub.Complete(request, timeout=10)
            return answer.message.content, answer
        for happened in stack.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=request), timeout=10):
            text += happened.delta.content
            if happened.HasField("done"):
                return text, happened.done.response
    except grpc.RpcError as error:
        return text, refused(error)
    raise AssertionError("the stream ended without a last word")


def answered(stack: RawStack, case: str, *, is_stream: bool) -> router_pb2.CompleteResponse:
    _, end = complete(stack, case, is_stream=is_stream)
    assert isinstance(end, router_pb2.CompleteResponse), end
    return end


def failed(stack: RawStack, case: str, *, is_stream: bool, request_id: str = "") -> Refused:
    _, end = complete(stack, case, is_stream=is_stream, request_id=request_id)
    assert isinstance(end, Refused), end
    return end


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("finish-length", chat_pb2.FINISH_REASON_LENGTH),
        ("finish-filter", chat_pb2.FINISH_REASON_CONTENT_FILTER),
    ],
)
def test_an_answer_that_was_cut_says_so(stack: RawStack, case: str, reason: int, *, is_stream: bool) -> None:
    assert answered(stack, case, is_stream=is_stream).finish_reason == reason


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("case", ["finish-abort", "finish-unknown"])
def test_an_answer_that_may_have_been_cut_is_none(stack: RawStack, case: str, *, is_stream: bool) -> None:
    error = failed(stack, case, is_stream=is_stream)
    assert error.info.reason in ("UPSTREAM_BAD_RESPONSE", "STREAM_INTERRUPTED")
    assert error.facts["maybe_billed"] == "true"


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("case", "input_tokens", "output_tokens"),
    [("usage-empty", None, 1250), ("usage-nought", None, 1250), ("usage-half", 90, 1250), ("usage-none", None, 1250)],
)
def test_what_usage_leaves_out_is_estimated_not_free(
    stack: RawStack, case: str, input_tokens: int | None, output_tokens: int, *, is_stream: bool
) -> None:
    answer = answered(stack, case, is_stream=is_stream)
    assert answer.usage.estimated
    assert answer.usage.output_tokens == output_tokens
    assert answer.usage.input_tokens == (input_tokens or answer.usage.input_tokens) > 0
    assert answer.attempts[-1].cost_usd_nanos == answer.usage.input_tokens * 1000 + answer.usage.output_tokens * 2000


@pytest.mark.parametrize(
    ("case", "is_stream"),
    [
        ("usage-then-cut", True),
        ("usage-too-early", True),
        ("usage-of-all-then-cut", True),
        ("usage-then-error", True),
        ("usage-then-error", False),
        ("usage-of-too-much", False),
    ],
)
def test_what_a_failed_attempt_reported_is_its_bill(stack: RawStack, case: str, *, is_stream: bool) -> None:
    request_id = f"req-{case}-{is_stream}"
    failed(stack, case, is_stream=is_stream, request_id=request_id)
    line = stack.logged(request_id)
    assert (line["input_tokens"], line["output_tokens"]) == (50_000, 20)
    assert line["cost_usd_nanos"] == 50_000 * 1000 + 20 * 2000


def test_an_answer_is_as_large_as_callers_receive_or_refused(stack: RawStack) -> None:
    with grpc.insecure_channel(stack.router.ready["router"]) as usual:
        plain = router_pb2_grpc.RouterStub(usual)
        answer = plain.Complete(asking(model="much/chat-small"), timeout=10)
        assert len(answer.message.content) == 2_000_000
        for case in ("too-much", "too-much-to-echo"):
            with pytest.raises(grpc.RpcError) as error:
                plain.Complete(asking(model=f"{case}/chat-small"), timeout=10)
            found = refused(error.value)
            assert (found.code.name, found.info.reason) == ("RESOURCE_EXHAUSTED", "UPSTREAM_RESPONSE_TOO_LARGE")


def test_a_stream_that_is_done_without_a_finish_reason_ends_at_once(stack: RawStack) -> None:
    began = time.monotonic()
    text, end = complete(stack, "done-alone", is_stream=True)
    assert isinstance(end, Refused), end
    assert end.info.reason in ("STREAM_INTERRUPTED", "UPSTREAM_BAD_RESPONSE")
    assert text in ("", "hello")
    assert time.monotonic() - began < settings.TIMEOUTS["gap"] / 2


def test_text_that_came_with_a_fault_is_delivered_after_text_and_billed(stack: RawStack) -> None:
    text, end = complete(stack, "text-with-fault", is_stream=True)
    assert isinstance(end, Refused), end
    assert (text, end.info.reason, end.facts["cause"]) == ("one two ", "STREAM_INTERRUPTED", "UPSTREAM_5XX")


def test_text_that_came_with_a_fault_first_of_all_is_billed_and_not_delivered(stack: RawStack) -> None:
    text, end = complete(stack, "fault-at-once", is_stream=True, request_id="req-fault-at-once")
    assert isinstance(end, Refused), end
    assert (text, end.info.reason, end.facts["maybe_billed"]) == ("", "UPSTREAM_5XX", "true")
    assert stack.logged("req-fault-at-once")["output_tokens"] == 100


@pytest.mark.parametrize("case", ["index-negative", "index-absurd"])
def test_a_number_that_makes_no_sense_is_the_providers_fault(stack: RawStack, case: str) -> None:
    error = failed(stack, case, is_stream=True)
    assert (error.code.name, error.info.reason) == ("UNAVAILABLE", "UPSTREAM_BAD_RESPONSE")


@pytest.mark.parametrize("case", ["type-capital", "type-with-charset"])
def test_a_media_type_is_known_in_any_spelling(stack: RawStack, case: str) -> None:
    assert complete(stack, case, is_stream=True)[0] == "hi"


def test_a_tools_call_of_any_length_arrives_at_an_ordinary_caller(stack: RawStack) -> None:
    with grpc.insecure_channel(stack.router.ready["router"]) as ordinary:
        stub = router_pb2_grpc.RouterStub(ordinary)
        events = list(stub.StreamComplete(streaming(model="call-of-5-mb/chat-small"), timeout=10))
    deltas = [delta for happened in events for delta in happened.delta.tool_call_deltas]
    assert [(d.index, d.id, d.name) for d in deltas] == [(0, "c", "f")] + [(0, "", "")] * (len(deltas) - 1)
    assert sum(len(d.arguments_json_fragment) for d in deltas) == 5_000_000
    assert events[-1].done.response.finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_connection_that_was_closed_between_two_calls_is_nobodys_fault(stack: RawStack, *, is_stream: bool) -> None:
    complete(stack, "once", is_stream=is_stream)
    before = stack.raw.calls["once"]
    _, end = complete(stack, "once", is_stream=is_stream, max_attempts=1)
    assert isinstance(end, router_pb2.CompleteResponse), end
    lost, good = end.attempts
    assert (lost.target, lost.error_reason, lost.maybe_billed) == (good.target, "UPSTREAM_CONNECT", True)
    assert (lost.outcome, good.outcome) == (chat_pb2.OUTCOME_CANCELLED, chat_pb2.OUTCOME_OK)
    assert stack.raw.calls["once"] == before + 2


@pytest.mark.parametrize(("case", "is_stream"), [("busy", False), ("busy-streamed", True), ("busy-for-now", False)])
def test_the_only_target_is_asked_again_where_its_failure_may_pass(
    stack: RawStack, case: str, *, is_stream: bool
) -> None:
    attempts = answered(stack, case, is_stream=is_stream).attempts
    assert [(a.target, a.error_reason) for a in attempts] == [
        (f"{case}/chat-small", "UPSTREAM_5XX"),
        (f"{case}/chat-small", ""),
    ]


def test_the_only_target_is_asked_again_where_it_gave_no_answer(stack: RawStack) -> None:
    assert [a.error_reason for a in answered(stack, "closing", is_stream=False).attempts] == ["UPSTREAM_CONNECT", ""]


@pytest.mark.parametrize(
    ("case", "reason", "max_attempts"),
    [
        ("busy-for-long", "UPSTREAM_5XX", None),
        ("busy-but-bounded", "UPSTREAM_5XX", 1),
        ("refusing", "UPSTREAM_REJECTED_REQUEST", None),
        ("limiting", "PROVIDERS_RATE_LIMITED", None),
        ("garbled", "UPSTREAM_BAD_RESPONSE", None),
    ],
)
def test_the_only_target_is_left_alone_otherwise(
    stack: RawStack, case: str, reason: str, max_attempts: int | None
) -> None:
    _, end = complete(stack, case, max_attempts=max_attempts)
    assert isinstance(end, Refused), end
    assert (end.info.reason, end.facts["attempts"]) == (reason, "1")
    assert stack.raw.calls[case] == 1


def test_a_busy_providers_word_on_when_to_come_again_is_kept(stack: RawStack) -> None:
    for attempts in ("1", "0", "0"):
        _, end = complete(stack, "busy-all-day")
        assert isinstance(end, Refused), end
        assert (end.code.name, end.info.reason, end.facts["attempts"]) == ("UNAVAILABLE", "UPSTREAM_5XX", attempts)
        assert end.retry_s == pytest.approx(30, abs=5)
    assert stack.raw.calls["busy-all-day"] == 1


def test_a_target_that_fails_all_the_time_is_asked_little_more_than_callers_ask(stack: RawStack) -> None:
    for _ in range(50):
        failed(stack, "always-busy", is_stream=False)
    assert 50 < stack.raw.calls["always-busy"] <= 50 * 1.2 + 10


def test_a_provider_is_written_to_as_its_entry_says(stack: RawStack) -> None:
    request = asking(model="spelling/chat-small", max_output_tokens=7)
    request.generation.seed = 3
    list(stack.stub.StreamComplete(router_pb2.StreamCompleteRequest(request=request), timeout=10))
    sent = stack.raw.bodies["spelling"]
    assert (sent["max_tokens"], sent["random_seed"]) == (7, 3)
    assert sent.keys() == {"model", "messages", "stream", "max_tokens", "random_seed"}
