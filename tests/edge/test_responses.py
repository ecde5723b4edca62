"""From core values to the wire: what was decided and billed comes out as it went in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.attempt import Answer, Attempt
from router_service.core.chat import Delta, FinishReason, Message, Reasoning, Role, ToolCall, ToolCallDelta, Usage
from router_service.core.outcome import Outcome
from router_service.core.overhead import Overhead
from router_service.edge import responses
from router_service.edge.durations import duration
from router_service.service.said import Broken, Resumed, Started
from tests.core.examples import target

TARGET = target("groq/openai/gpt-oss-120b")
OTHER = target("a/x")
USAGE = Usage(
    input_tokens=9, output_tokens=5, cached_input_tokens=4, cache_write_tokens=2, reasoning_tokens=3, estimated=True
)
FAILED = Attempt(
    number=1,
    target=OTHER,
    outcome=Outcome.TIMEOUT,
    error_reason="UPSTREAM_TIMEOUT",
    error="the provider did not answer in time",
    status_code=0,
    start_time=1_795_262_400.25,
    latency_s=15.5,
    usage=Usage(input_tokens=9, estimated=True),
    cost_usd_nanos=9_000,
    maybe_billed=True,
)
GOOD = Attempt(
    number=2,
    target=TARGET,
    outcome=Outcome.OK,
    status_code=200,
    start_time=1_795_262_416.0,
    latency_s=0.75,
    time_to_first_token_s=0.125,
    usage=USAGE,
    cost_usd_nanos=14_000,
)


def answer(message: Message | None = None, *, time_to_first_token_s: float | None = 15.625) -> Answer:
    return Answer(
        request_id="req-1",
        message=message or Message(role=Role.ASSISTANT, content="Hi"),
        finish_reason=FinishReason.STOP,
        usage=USAGE,
        target=TARGET,
        attempts=(FAILED, GOOD),
        latency_s=16.5,
        time_to_first_token_s=time_to_first_token_s,
        overhead=Overhead(read_s=0.00025, plan_s=0.0005, call_s=0.001),
    )


def test_answer_tells_all_the_facts() -> None:
    pb = responses.answer(answer())
    assert (pb.request_id, pb.message.role, pb.message.content) == ("req-1", chat_pb2.ROLE_ASSISTANT, "Hi")
    assert pb.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert (pb.target, pb.provider, pb.model) == ("groq/openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b")
    assert pb.cost_usd_nanos == 23_000
    assert pb.latency.ToTimedelta().total_seconds() == 16.5
    assert [a.target for a in pb.attempts] == ["a/x", "groq/openai/gpt-oss-120b"]
    assert not pb.cached
    assert not pb.replayed
    assert not pb.HasField("plan")


def test_usage_is_told_field_by_field() -> None:
    pb = responses.usage(USAGE)
    for field in chat_pb2.Usage.DESCRIPTOR.fields:
        assert getattr(pb, field.name) == getattr(USAGE, field.name), field.name


def test_failed_attempt_tells_what_it_may_have_cost() -> None:
    pb = responses.attempt(FAILED)
    assert (pb.target, pb.outcome) == ("a/x", chat_pb2.OUTCOME_TIMEOUT)
    assert (pb.error_reason, pb.status_code, pb.cost_usd_nanos, pb.maybe_billed) == ("UPSTREAM_TIMEOUT", 0, 9_000, True)
    assert (pb.start_time.seconds, pb.start_time.nanos) == (1_795_262_400, 250_000_000)
    assert pb.latency.ToTimedelta().total_seconds() == 15.5
    assert pb.usage.estimated
    assert not pb.HasField("time_to_first_token")


def test_good_attempt_tells_its_first_token() -> None:
    pb = responses.attempt(GOOD)
    assert (pb.outcome, pb.error_reason, pb.status_code, pb.maybe_billed) == (chat_pb2.OUTCOME_OK, "", 200, False)
    assert pb.time_to_first_token.ToTimedelta().total_seconds() == 0.125


def test_attempt_without_usage_has_none() -> None:
    pb = responses.attempt(Attempt(number=1, target=OTHER, outcome=Outcome.CONNECT, start_time=0.0, latency_s=0.0))
    assert not pb.HasField("usage")


def test_tool_calls_are_part_of_the_message() -> None:
    call = ToolCall(id="call_1", name="now", arguments_json='{"tz":"UTC"}')
    pb = responses.answer(answer(Message(role=Role.ASSISTANT, tool_calls=(call,))))
    assert [(c.id, c.name, c.arguments_json) for c in pb.message.tool_calls] == [("call_1", "now", '{"tz":"UTC"}')]


def test_reasoning_is_part_of_the_message() -> None:
    thought = Reasoning(text="Because.", dialect="openai", model="o9")
    pb = responses.answer(answer(Message(role=Role.ASSISTANT, content="Hi", reasoning=(thought,))))
    assert [(r.text, r.dialect, r.model) for r in pb.message.reasoning] == [("Because.", "openai", "o9")]


def test_started_names_the_target_and_what_failed_before() -> None:
    pb = responses.event(Started(TARGET, (FAILED,)), "req-1")
    assert pb.WhichOneof("event") == "started"
    assert (pb.started.request_id, pb.started.target) == ("req-1", TARGET.id)
    assert [a.target for a in pb.started.attempts] == ["a/x"]


def test_a_stream_that_goes_on_elsewhere_says_what_broke_and_who_goes_on() -> None:
    pb = responses.event(Broken(replace(FAILED, is_hedged=True)), "req-1")
    assert pb.WhichOneof("event") == "attempt_failed"
    assert (pb.attempt_failed.attempt.target, pb.attempt_failed.attempt.hedged) == ("a/x", True)
    pb = responses.event(Resumed("a/x", "b/x", 2**40), "req-1")
    assert pb.WhichOneof("event") == "resumed"
    resumed = pb.resumed
    assert (resumed.from_target, resumed.to_target, resumed.delivered_characters) == ("a/x", "b/x", 2**40)


def test_delta() -> None:
    call = ToolCallDelta(index=2, id="call_1", name="now", arguments_json_fragment='{"tz"')
    pb = responses.event(Delta("Hi", "because", (call,)), "req-1")
    assert pb.WhichOneof("event") == "delta"
    assert (pb.delta.content, pb.delta.reasoning) == ("Hi", "because")
    (got,) = pb.delta.tool_call_deltas
    assert (got.index, got.id, got.name, got.arguments_json_fragment) == (2, "call_1", "now", '{"tz"')


@pytest.mark.parametrize("first_token_s", [None, 15.625])
def test_done_is_the_unary_answer_less_its_text(first_token_s: float | None) -> None:
    streamed = answer(Message(role=Role.ASSISTANT), time_to_first_token_s=first_token_s)
    pb = responses.event(streamed, "req-1")
    assert pb.WhichOneof("event") == "done"
    assert pb.done.HasField("time_to_first_token") is (first_token_s is not None)
    unary = responses.answer(answer())
    unary.message.content = ""
    assert pb.done.response == unary


def test_trailers_say_the_same_as_the_answer() -> None:
    assert responses.trailers(answer()) == (
        ("x-signalbox-target", "groq/openai/gpt-oss-120b"),
        ("x-signalbox-attempts", "2"),
        ("x-signalbox-cost-usd-nanos", "23000"),
        ("x-signalbox-overhead-ms", "1.750"),
    )


def test_every_word_has_its_value() -> None:
    for outcome, value in responses.OUTCOMES.items():
        assert chat_pb2.Outcome.Name(value) == f"OUTCOME_{outcome.name}"
    for reason, number in responses.FINISH_REASONS.items():
        assert chat_pb2.FinishReason.Name(number) == f"FINISH_REASON_{reason.name}"
    assert set(responses.OUTCOMES) == set(Outcome)
    assert set(responses.FINISH_REASONS) == set(FinishReason)
    assert len(chat_pb2.Outcome.DESCRIPTOR.values) == len(Outcome) + 1
    assert len(chat_pb2.FinishReason.DESCRIPTOR.values) == len(FinishReason) + 1


@given(st.floats(0, 1e9))
def test_duration_is_what_was_measured(seconds: float) -> None:
    pb = duration(seconds)
    assert 0 <= pb.nanos < 1_000_000_000
    assert pb.seconds + pb.nanos / 1e9 == pytest.approx(seconds, abs=1e-8, rel=1e-12)


@given(st.floats(0, 4e9))
def test_start_time_is_a_valid_timestamp(seconds: float) -> None:
    pb = responses.attempt(Attempt(number=1, target=OTHER, outcome=Outcome.OK, start_time=seconds, latency_s=0.0))
    assert router_pb2.Attempt.FromString(pb.SerializeToString()).start_time.ToNanoseconds() >= 0
    assert 0 <= pb.start_time.nanos < 1_000_000_000
