"""What both clients do alike: answers, streams and typed failures."""

from __future__ import annotations

import grpc
import pytest
from signalbox_client import (
    PLAN_VIEW_FULL,
    CompleteRequest,
    DeadlineExceeded,
    Refused,
    RouteRequest,
    Routing,
    SignalboxError,
    StreamInterrupted,
    Unreachable,
    UpstreamFailed,
    Violation,
    ViolationKind,
    assistant,
    system,
    user,
)

from .callers import Caller, OpenCaller
from .conftest import Served
from .playing_router import ANSWER, PATIENCE_S, TARGET, WORDS

Code = grpc.StatusCode


def test_complete_gives_the_whole_answer(caller: Caller, served: Served) -> None:
    answer = caller.complete("Where is the train?")
    assert (answer.message.content, answer.target, answer.cost_usd_nanos) == (ANSWER, TARGET, 1_600)
    [call] = served.router.calls
    assert [turn.content for turn in call.request.messages] == ["Where is the train?"]
    assert 4.0 < call.time_left_s < 6.0


def test_complete_takes_turns_and_whole_requests(caller: Caller, served: Served) -> None:
    turns = [system("Be brief."), user("One?"), assistant("Two."), user("Three?")]
    caller.complete(turns)
    caller.complete(CompleteRequest(messages=turns, session_id="s", routing=Routing(region="eu")))
    first, second = (call.request for call in served.router.calls)
    assert list(first.messages) == list(second.messages) == turns
    assert (second.session_id, second.routing.region) == ("s", "eu")


def test_route_gives_the_plan(caller: Caller, served: Served) -> None:
    plan = caller.route("Where is the train?")
    assert (plan.target, plan.decision_id) == (TARGET, "dec-1")
    [asked] = served.router.questions
    assert [turn.content for turn in asked.messages] == ["Where is the train?"]
    assert (asked.routing.model, asked.generation.max_output_tokens) == ("small", 9)
    assert (asked.view, asked.max_candidates, dict(asked.labels)) == (PLAN_VIEW_FULL, 2, {"technical": "true"})
    assert not asked.HasField("estimated_input_tokens")


def test_route_takes_turns_whole_requests_and_an_estimate_alone(caller: Caller, served: Served) -> None:
    turns = [system("Be brief."), user("One?")]
    caller.route(turns)
    caller.route(RouteRequest(messages=turns, routing=Routing(region="eu")))
    caller.route(None, estimated_input_tokens=0)
    first, second, third = served.router.questions
    assert list(first.messages) == list(second.messages) == turns
    assert (second.routing.region, second.routing.model) == ("eu", "small")
    assert (list(third.messages), third.HasField("estimated_input_tokens")) == ([], True)


def test_route_fails_as_other_calls_do(caller: Caller) -> None:
    with pytest.raises(Refused) as caught:
        caller.route("fail:nobody")
    assert (caught.value.reason, caught.value.request_id) == ("NO_ELIGIBLE_TARGET", "r-1")
    assert caught.value.violations


def test_stream_gives_each_event_and_then_the_facts(caller: Caller) -> None:
    reading = caller.read("Where is the train?")
    assert reading.error is None
    assert [e.WhichOneof("event") for e in reading.events] == ["started", "delta", "delta", "delta", "done"]
    assert reading.text == ANSWER
    assert reading.events[-1].done.response.target == TARGET


def test_stream_leaves_out_an_event_it_does_not_know(caller: Caller) -> None:
    reading = caller.read("new-event")
    assert reading.error is None
    assert [e.WhichOneof("event") for e in reading.events] == ["started", "delta", "delta", "delta", "done"]


def test_stream_that_is_left_ends_its_call(caller: Caller, served: Served) -> None:
    assert caller.first_piece("hang-midway") == WORDS[0]
    assert served.router.calls[0].ended.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("prompt", "kind", "code", "reason", "retry_after_s"),
    [
        ("fail:invalid", Refused, Code.INVALID_ARGUMENT, "INVALID_REQUEST", None),
        ("fail:nobody", Refused, Code.FAILED_PRECONDITION, "NO_ELIGIBLE_TARGET", None),
        ("fail:blocked", Refused, Code.RESOURCE_EXHAUSTED, "PROVIDERS_RATE_LIMITED", 2.5),
        ("fail:refused", UpstreamFailed, Code.UNAVAILABLE, "UPSTREAM_CONNECT", 1.0),
        ("fail:key", UpstreamFailed, Code.INTERNAL, "UPSTREAM_CREDENTIALS", None),
        ("fail:late", DeadlineExceeded, Code.DEADLINE_EXCEEDED, "CALLER_DEADLINE", None),
        ("fail:busy", SignalboxError, Code.UNAVAILABLE, "ROUTER_OVERLOADED", 0.1),
        ("garbled", Refused, Code.INVALID_ARGUMENT, "", None),
        ("bare", Unreachable, Code.UNAVAILABLE, "", None),
    ],
)
def test_failure_has_its_kind_and_says_why(
    caller: Caller,
    served: Served,
    prompt: str,
    kind: type[SignalboxError],
    code: grpc.StatusCode,
    reason: str,
    retry_after_s: float | None,
) -> None:
    with pytest.raises(SignalboxError) as caught:
        caller.complete(prompt)
    streamed = caller.read(prompt)
    assert streamed.events == ()
    for error in (caught.value, streamed.error):
        assert error is not None
        assert type(error) is kind
        assert (error.code, error.reason, error.retry_after_s) == (code, reason, retry_after_s)
        assert error.request_id == ("r-1" if reason else "")
        assert error.message
    assert len(served.router.calls) == 2, "what was sent upstream is not repeated by the library"


def test_refusal_names_each_violation(caller: Caller) -> None:
    with pytest.raises(Refused) as invalid:
        caller.complete("fail:invalid")
    assert invalid.value.violations == (
        Violation(kind=ViolationKind.FIELD, subject="generation.temperature", description="3 is above 2"),
    )
    with pytest.raises(Refused) as nobody:
        caller.complete("fail:nobody")
    assert [(v.kind, v.type, v.subject) for v in nobody.value.violations] == [
        (ViolationKind.PRECONDITION, "health", "targets"),
        (ViolationKind.PRECONDITION, "health", f"target:{TARGET}"),
    ]
    with pytest.raises(Refused) as blocked:
        caller.complete("fail:blocked")
    assert [(v.kind, v.subject) for v in blocked.value.violations] == [(ViolationKind.QUOTA, "provider:alder")]
    assert blocked.value.metadata["attempts"] == "1"


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("cut", ""),
        ("fail:broken", "STREAM_INTERRUPTED"),
        ("fail:large", "UPSTREAM_RESPONSE_TOO_LARGE"),
        ("fail:slow", "SLOW_READER"),
    ],
)
def test_stream_without_its_end_never_looks_whole(caller: Caller, prompt: str, reason: str) -> None:
    reading = caller.read(prompt)
    assert reading.text == ANSWER, "what arrived was handed on before the failure"
    assert isinstance(reading.error, StreamInterrupted)
    assert reading.error.reason == reason


def test_deadline_ends_a_call_and_a_stream(caller: Caller) -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        caller.complete("hang", timeout_s=0.2)
    assert "slow or cannot be reached" in caught.value.message
    reading = caller.read("hang-midway", timeout_s=0.2)
    assert isinstance(reading.error, DeadlineExceeded)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_deadline_that_is_none_is_refused(caller: Caller, served: Served, timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        caller.complete("never sent", timeout_s=timeout_s)
    assert served.router.calls == []


def test_unavailable_is_tried_again_by_the_library(caller: Caller, served: Served) -> None:
    assert caller.complete("flaky").message.content == ANSWER
    assert len(served.router.calls) == 3


def test_router_says_when_the_library_tries_again(caller: Caller, served: Served) -> None:
    assert caller.complete("later:600").message.content == ANSWER
    first, second = served.router.calls
    assert 0.55 <= second.arrived_at - first.arrived_at < 3
    assert second.time_left_s <= first.time_left_s - 0.5, "all attempts share one deadline"
    served.router.calls.clear()
    assert caller.read("later:1").text == ANSWER
    assert len(served.router.calls) == 2, "a stream that has not begun is tried again, too"


@pytest.mark.parametrize("prompt", ["fail:refused", "fail:broken"])
def test_router_that_forbids_it_is_asked_once(caller: Caller, served: Served, prompt: str) -> None:
    """Both have been sent upstream: another try could be paid for again."""
    with pytest.raises(UpstreamFailed):
        raise caller.read(prompt).error or AssertionError("it has to fail")
    assert len(served.router.calls) == 1


def test_wait_that_the_router_asks_for_ends_with_the_deadline(caller: Caller, served: Served) -> None:
    with pytest.raises(DeadlineExceeded):
        caller.complete("later:60000", timeout_s=0.3)
    assert len(served.router.calls) == 1


def test_each_connection_waits_for_itself_alone(open_caller: OpenCaller, served: Served) -> None:
    with open_caller(served.address, channels=2) as caller:
        assert caller.complete("later:1").message.content == ANSWER
        assert caller.complete("hello").message.content == ANSWER
    assert len({call.peer for call in served.router.calls}) == 2


def test_calls_are_spread_over_several_connections(open_caller: OpenCaller, served: Served) -> None:
    with open_caller(served.address, channels=3) as caller:
        for _ in range(6):
            caller.complete("hello")
    peers = [call.peer for call in served.router.calls]
    assert len(set(peers)) == 3
    assert peers[:3] == peers[3:]
