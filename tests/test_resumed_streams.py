"""Streams that go on elsewhere, and calls that two targets race for, through gRPC against real processes."""

from __future__ import annotations

from signalbox.v1 import chat_pb2

from tests.harness.raw import CHUNKED, DONE, END, Case, delta, framed, raw_providers, routing_to_each, whole
from tests.harness.stack import asking, streaming

BREAKS = [CHUNKED + framed(delta("The quick brown ")), framed(delta("fox jumps "))]
GOES_ON = [CHUNKED + framed(delta("over the lazy dog.", "stop") + DONE) + END]
CAPABLE = {"models": [{"id": "chat-small", "prices": {"input": 1, "output": 2}, "capabilities": ["continues_text"]}]}
IN_ORDER = {"strategy": "priority", "priorities": ["a", "b"]}


def test_a_stream_goes_on_at_a_target_that_can() -> None:
    cases = {"a": Case(streamed=BREAKS), "b": Case(streamed=GOES_ON, entry=CAPABLE)}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        request = streaming()
        request.request.routing.resume_on_failure = True
        call = stack.stub.StreamComplete(request, timeout=10)
        events = list(call)
        assert [e.WhichOneof("event") for e in events] == [
            "started",
            "delta",
            "delta",
            "attempt_failed",
            "resumed",
            "delta",
            "done",
        ]
        assert "".join(e.delta.content for e in events) == "The quick brown fox jumps over the lazy dog."
        failed, resumed, done = events[3].attempt_failed.attempt, events[4].resumed, events[-1].done.response
        assert (failed.target, failed.outcome) == ("a/chat-small", chat_pb2.OUTCOME_INTERRUPTED)
        assert (resumed.from_target, resumed.to_target) == ("a/chat-small", "b/chat-small")
        assert resumed.delivered_characters == len("The quick brown fox jumps ")
        assert [a.target for a in done.attempts] == ["a/chat-small", "b/chat-small"]
        assert done.cost_usd_nanos == sum(a.cost_usd_nanos for a in done.attempts) > done.attempts[1].cost_usd_nanos
        assert dict(call.trailing_metadata())["x-signalbox-attempts"] == "2"


def test_of_two_targets_that_race_both_are_billed() -> None:
    slow = Case(unary=[b"", whole()], pause_s=20, entry={"timeouts_s": {"answer": 30}})
    cases = {"a": slow, "b": Case(unary=[whole("quick")])}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        request = asking()
        request.routing.hedge = True
        answer = stack.stub.Complete(request, timeout=25)
        late, hedge = answer.attempts
        assert (answer.target, answer.message.content) == ("b/chat-small", "quick")
        assert (late.target, late.outcome, late.hedged) == ("a/chat-small", chat_pb2.OUTCOME_CANCELLED, False)
        assert (hedge.target, hedge.outcome, hedge.hedged) == ("b/chat-small", chat_pb2.OUTCOME_OK, True)
        assert late.maybe_billed
        assert late.usage.estimated
        assert answer.cost_usd_nanos == late.cost_usd_nanos + hedge.cost_usd_nanos
        line = stack.logged(answer.request_id)
        assert (line["outcome"], line["target"]) == ("OK", "b/chat-small")
