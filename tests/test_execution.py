"""What becomes of each upstream fault, through gRPC against real processes; the simulator's log is the judge."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Iterable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from tests.harness.processes import SLOWER_IN_CI, wait_until
from tests.harness.stack import Refused, Stack, asking, raw_provider, refused, routing, routing_to, streaming

SLOW = {"*": {"tokens_per_s": 50, "output_tokens": 100}}
PACED = {"*": {"tokens_per_s": 400}}
"""Slow enough for tokens to arrive one by one: an error that arrives together with the first is still invisible."""
UNBLOCKED = {"down_after": 1000, "degraded_failures": 1000, "healthy_ratio": 0.0}
"""Faults come one after the other here: each test must meet every target, whatever the last one broke."""
IN_ORDER = {"weights": {"health": 0, "latency": 0}}
"""By price alone: the first target stays the first, however often it is broken."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Stack]:
    with routing(health=UNBLOCKED, routing=IN_ORDER, behaviours=PACED) as stack:
        yield stack


@pytest.fixture(scope="module")
def single() -> Iterator[Stack]:
    with routing(names=("alder",), health=UNBLOCKED) as stack:
        yield stack


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"pair", "single"} & set(request.fixturenames):
        stack: Stack = request.getfixturevalue(name)
        stack.witness.mend()
        stack.witness.forget()


def complete_refused(stack: Stack, request: router_pb2.CompleteRequest, timeout_s: float = 10) -> Refused:
    with pytest.raises(grpc.RpcError) as error:
        stack.stub.Complete(request, timeout=timeout_s)
    return refused(error.value)


def stream_until_error(stack: Stack, timeout_s: float = 10) -> tuple[list[router_pb2.StreamCompleteResponse], Refused]:
    events: list[router_pb2.StreamCompleteResponse] = []
    try:
        for event in stack.stub.StreamComplete(streaming(), timeout=timeout_s):
            events.append(event)
    except grpc.RpcError as error:
        return events, refused(error)
    raise AssertionError("the stream ended well")


FAILING_OVER = [
    ("status=503", "UPSTREAM_5XX", chat_pb2.OUTCOME_SERVER_ERROR, False),
    ("reset", "UPSTREAM_CONNECT", chat_pb2.OUTCOME_CONNECT, True),
    ("garbage", "UPSTREAM_BAD_RESPONSE", chat_pb2.OUTCOME_BAD_RESPONSE, True),
]
"""One of each kind, for what the provider's own log tells; all of them are in tests/faults."""


def but_for_kept_connections(attempts: Iterable[router_pb2.Attempt]) -> list[router_pb2.Attempt]:
    """A kept connection that is closed on a call says nothing yet: the call comes again on a new one."""
    return [a for a in attempts if (a.error_reason, a.outcome) != ("UPSTREAM_CONNECT", chat_pb2.OUTCOME_CANCELLED)]


@pytest.mark.parametrize(("fault", "reason", "outcome", "maybe_billed"), FAILING_OVER)
def test_a_fault_at_one_provider_is_cured_by_the_next(
    pair: Stack, fault: str, reason: str, outcome: int, maybe_billed: bool
) -> None:
    pair.witness.break_provider("alder", fault)
    answer = pair.stub.Complete(asking(), timeout=10)
    failed, succeeded = but_for_kept_connections(answer.attempts)
    assert answer.target == succeeded.target == "birch/chat-small"
    assert (failed.target, failed.error_reason, failed.outcome) == ("alder/chat-small", reason, outcome)
    assert failed.maybe_billed == maybe_billed
    assert (failed.cost_usd_nanos > 0) == maybe_billed
    assert failed.usage.output_tokens or reason != "UPSTREAM_TIMEOUT", "it has probably written an answer unseen"
    assert answer.cost_usd_nanos == sum(a.cost_usd_nanos for a in answer.attempts)
    assert [f"{r.provider}/chat-small" for r in pair.witness.rows()] == [a.target for a in answer.attempts]


def test_mixed_causes_say_that_waiting_helps(pair: Stack) -> None:
    pair.witness.show([{"provider": "alder", "fault": "status=404"}, {"provider": "birch", "fault": "status=503"}])
    error = complete_refused(pair, asking())
    assert (error.code.name, error.info.reason, error.facts["attempts"]) == ("UNAVAILABLE", "UPSTREAM_MIXED", "2")


def test_fallback_is_the_callers_to_refuse(pair: Stack) -> None:
    pair.witness.break_provider("alder", "status=503")
    request = asking()
    request.routing.disable_fallback = True
    assert complete_refused(pair, request).facts["attempts"] == "1"
    request.routing.disable_fallback = False
    request.routing.max_attempts = 1
    assert complete_refused(pair, request).facts["attempts"] == "1"
    assert [r.provider for r in pair.witness.rows()] == ["alder", "alder"]


# Streams


def grammar(events: list[router_pb2.StreamCompleteResponse]) -> str:
    return "".join({"started": "S", "delta": "D", "done": "E"}[str(e.WhichOneof("event"))] for e in events)


def text(events: list[router_pb2.StreamCompleteResponse]) -> str:
    return "".join(e.delta.content for e in events)


@pytest.mark.parametrize("fault", ["", "one-byte", "usage-in-every-chunk"])
def test_a_stream_arrives_whole_and_says_what_it_took(single: Stack, fault: str) -> None:
    if fault:
        single.witness.break_provider("alder", fault)
    call = single.stub.StreamComplete(streaming("say something unicode"), timeout=10)
    events = list(call)
    [row] = single.witness.rows()
    done = events[-1].done.response
    assert grammar(events).replace("D", "") == "SE"
    assert hashlib.sha256(text(events).encode()).hexdigest() == row.text_sha256
    assert (done.usage.input_tokens, done.usage.output_tokens) == (row.input_tokens, row.output_tokens)
    assert done.message.content == ""
    assert dict(call.initial_metadata())["x-signalbox-request-id"] == done.request_id == events[0].started.request_id
    trailers = dict(call.trailing_metadata())
    assert trailers["x-signalbox-target"] == done.target == "alder/chat-small"
    assert trailers["x-signalbox-cost-usd-nanos"] == str(done.cost_usd_nanos)
    assert f"{row.attempt_id}" == f"{done.request_id}.1"


IN_A_STREAM = {"garbage": "ignore-stream"}
FAILING_OVER_STREAMED = [(IN_A_STREAM.get(f, f), *rest) for f, *rest in FAILING_OVER]


@pytest.mark.parametrize(("fault", "reason", "outcome", "maybe_billed"), FAILING_OVER_STREAMED)
def test_failover_before_the_first_delta_is_invisible(
    pair: Stack, fault: str, reason: str, outcome: int, maybe_billed: bool
) -> None:
    pair.witness.break_provider("alder", fault)
    events = list(pair.stub.StreamComplete(streaming(), timeout=10))
    assert grammar(events).replace("D", "") == "SE"
    assert events[0].started.target == "birch/chat-small"
    [failed] = but_for_kept_connections(events[0].started.attempts)
    assert (failed.target, failed.error_reason, failed.outcome) == ("alder/chat-small", reason, outcome)
    assert events[-1].done.response.cost_usd_nanos > 0


# Time


def test_the_callers_deadline_ends_it_and_says_so() -> None:
    with routing(health=UNBLOCKED, routing=IN_ORDER, behaviours=PACED) as stack:
        for _ in range(3):
            for model in ("alder/chat-small", "birch/chat-small"):
                stack.stub.Complete(asking(model=model), timeout=5)
        stack.witness.break_provider("*", "silence")

        def attempts() -> str:
            began = time.monotonic()
            error = complete_refused(stack, asking(max_output_tokens=1), timeout_s=0.6)
            assert error.code.name == "DEADLINE_EXCEEDED"
            assert time.monotonic() - began < 0.8 * SLOWER_IN_CI
            assert error.info.reason == "CALLER_DEADLINE", "we end before the deadline, so that details arrive"
            return error.facts["attempts"]

        # What is usual is measured once a report; from then on each of two that are known to be quick gets its half.
        wait_until(lambda: attempts() == "2", within_s=5, what="the time is shared between the two")


def test_a_healthy_target_gets_the_time_it_usually_takes() -> None:
    """A fair share of a short deadline would cut it off, and the next one, and the next."""
    with routing(names=("alder", "birch", "cedar"), behaviours={"*": {"latency_s": 0.6}}) as stack:
        for _ in range(3):
            answer = stack.stub.Complete(asking(), timeout=1.2)
            assert [a.target for a in answer.attempts] == ["alder/chat-small"]
        assert len(stack.witness.rows()) == 3


def test_a_share_of_the_time_that_is_spent_is_no_fault_of_the_target() -> None:
    """Cut off by its share before its own limit and before it is unusually slow: nobody knows whether it was ill."""
    with routing(behaviours={"alder": {"latency_s": 0.3}}, health={"down_after": 2}, routing=IN_ORDER) as stack:
        for _ in range(3):
            stack.stub.Complete(asking(model="alder/chat-small"), timeout=5)
        stack.witness.break_provider("alder", "slow=0.2")
        cut: list[router_pb2.Attempt] = []

        def is_cut() -> bool:
            attempts = stack.stub.Complete(asking(max_output_tokens=1), timeout=0.8).attempts
            cut.extend(a for a in attempts if a.target == "alder/chat-small" and a.error_reason == "UPSTREAM_TIMEOUT")
            return len(cut) >= 3

        wait_until(is_cut, within_s=10, what="the first target's share is spent three times")
        assert {a.outcome for a in cut} == {chat_pb2.OUTCOME_DEADLINE}
        last = stack.stub.Complete(asking(max_output_tokens=1), timeout=5)
        assert last.target == "alder/chat-small", "two failures would have ended it"


@pytest.mark.parametrize("status", [429, 500, 401])
def test_an_error_whose_body_never_comes_is_what_its_head_says(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-length: 100\r\nretry-after: 7\r\n\r\n".encode()
    with raw_provider(head) as address, routing_to(address) as stub:
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as error:
            stub.Complete(asking(), timeout=10)
        reasons = {429: "PROVIDERS_RATE_LIMITED", 500: "UPSTREAM_5XX", 401: "UPSTREAM_CREDENTIALS"}
        assert refused(error.value).info.reason == reasons[status]
        assert refused(error.value).facts["maybe_billed"] == "false"
        assert time.monotonic() - began < 0.6 * SLOWER_IN_CI


def test_an_answer_that_no_caller_could_receive_is_refused_not_lost() -> None:
    with routing(names=("alder",)) as stack:
        stack.witness.break_provider("alder", "body-mib=6")
        error = complete_refused(stack, asking())
        assert (error.code.name, error.info.reason) == ("RESOURCE_EXHAUSTED", "UPSTREAM_RESPONSE_TOO_LARGE")
        stack.witness.break_provider("alder", "huge-line=6")
        with grpc.insecure_channel(stack.address) as ordinary:
            stub = router_pb2_grpc.RouterStub(ordinary)
            events = list(stub.StreamComplete(streaming(), timeout=30))
        assert len(text(events)) > 5_000_000
        assert grammar(events).replace("D", "") == "SE"


def test_a_refused_key_stays_our_fault_while_the_provider_rests() -> None:
    with routing(names=("alder",)) as stack:
        stack.witness.break_provider("alder", "status=401", first=1)
        for attempts in ("1", "0"):
            error = complete_refused(stack, asking())
            assert (error.code.name, error.info.reason) == ("INTERNAL", "UPSTREAM_CREDENTIALS")
            assert error.facts["attempts"] == attempts


def test_the_log_says_what_the_caller_heard(single: Stack) -> None:
    single.witness.break_provider("alder", "status=503")
    error = complete_refused(single, asking(request_id="req-in-the-log"))
    wait_until(lambda: "req-in-the-log" in single.router.stderr(), within_s=2, what="the request is on record")
    [line] = [json.loads(x) for x in single.router.stderr().splitlines() if "req-in-the-log" in x]
    assert line["outcome"] == error.info.reason == "UPSTREAM_5XX"


def test_a_deadline_too_short_calls_nobody(pair: Stack) -> None:
    error = complete_refused(pair, asking(), timeout_s=0.001)
    assert error.code.name == "DEADLINE_EXCEEDED"
    assert pair.witness.rows() == []


# The caller leaves


@pytest.fixture(scope="module")
def slow() -> Iterator[Stack]:
    with routing(names=("alder",), behaviours=SLOW) as stack:
        yield stack


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_caller_that_hangs_up_ends_the_upstream_call(slow: Stack, is_stream: bool) -> None:
    slow.witness.forget()
    if is_stream:
        stream = slow.stub.StreamComplete(streaming(), timeout=30)
        assert [e.WhichOneof("event") for _, e in zip(range(3), stream, strict=False)] == ["started", "delta", "delta"]
        stream.cancel()
    else:
        call = slow.stub.Complete.future(asking(), timeout=30)
        wait_until(lambda: slow.witness.in_flight() == 1, within_s=5, what="the call is upstream")
        call.cancel()
    took = wait_until(lambda: slow.witness.in_flight() == 0, within_s=5, what="the upstream is closed")
    assert took <= 0.25 * SLOWER_IN_CI
    [row] = slow.witness.rows()
    assert (row.closed_by, row.terminal) == ("client", False)
    assert slow.witness.sockets() == 0
    wait_until(lambda: '"CANCELLED"' in slow.router.stderr(), within_s=5, what="the cancelled request is on record")


def test_a_caller_that_stops_reading_and_leaves_ends_the_upstream_call() -> None:
    """Blocked in a write the router hears of it in another shape than when it waits for the provider."""
    with routing(names=("alder",)) as stack:
        stack.witness.break_provider("alder", "endless")
        call = stack.stub.StreamComplete(streaming(), timeout=30)
        next(call)
        wait_until(lambda: stack.witness.in_flight() == 1, within_s=5, what="the stream flows")
        call.cancel()
        took = wait_until(lambda: stack.witness.sockets() == 0, within_s=5, what="the upstream is closed")
        assert took <= 0.25 * SLOWER_IN_CI
        assert "Traceback" not in stack.router.stderr()


def test_what_the_drain_cannot_wait_for_hears_so() -> None:
    """R01: leftovers end by our own word, with details, before the library's bare one."""
    with routing(names=("alder",), behaviours=SLOW, server={"drain_s": 1, "lame_duck_s": 0}) as stack:
        call = stack.stub.StreamComplete(streaming(), timeout=30)
        next(call)
        stack.router.signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as error:
            list(call)
        ended = refused(error.value)
        assert (ended.code.name, ended.info.reason) == ("UNAVAILABLE", "ROUTER_DRAINING")
        assert ended.facts["request_id"].startswith("req-")
        assert (ended.facts["maybe_billed"], ended.pushback_ms) == ("true", "-1")
        assert (ended.facts["attempts"], ended.facts["target"]) == ("1", "alder/chat-small")
        assert int(ended.facts["delivered_chunks"]) > 0
        assert stack.router.wait(within_s=3 * SLOWER_IN_CI) == 0
        assert '"ROUTER_DRAINING"' in stack.router.stderr()
        assert stack.witness.sockets() == 0


def test_a_second_signal_ends_it_at_once() -> None:
    with routing(names=("alder",), behaviours=SLOW, server={"drain_s": 20, "lame_duck_s": 5}) as stack:
        call = stack.stub.StreamComplete(streaming(), timeout=30)
        next(call)
        stack.router.signal(signal.SIGTERM)
        wait_until(lambda: not is_serving(stack), within_s=3, what="the drain begins")
        stack.router.signal(signal.SIGTERM)
        assert stack.router.wait(within_s=1 * SLOWER_IN_CI) != 0


def is_serving(stack: Stack) -> bool:
    checked = health_pb2_grpc.HealthStub(stack.channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return bool(checked.status == health_pb2.HealthCheckResponse.SERVING)


def test_a_caller_that_stops_reading_holds_a_provider_until_its_deadline_at_most() -> None:
    """Without a deadline of its own the server's default holds."""
    server, output = {"default_deadline_s": 1.5, "drain_s": 1}, {"max_output_mib": 1024}
    with routing(names=("alder",), server=server, routing=output) as stack:
        stack.witness.break_provider("alder", "endless")
        call = stack.stub.StreamComplete(streaming(request_id="req-slow"))
        next(call)
        wait_until(lambda: stack.witness.in_flight() == 1, within_s=5, what="the stream flows")
        wait_until(lambda: stack.witness.sockets() == 0, within_s=3 * SLOWER_IN_CI, what="the provider is let go")
        with pytest.raises(grpc.RpcError) as error:
            list(call)
        assert refused(error.value).info.reason == "CALLER_DEADLINE"
        wait_until(lambda: "req-slow" in stack.router.stderr(), within_s=2, what="the request is on record")
        assert '"CALLER_DEADLINE"' in stack.router.stderr()


@pytest.mark.slow
def test_a_burst_is_served_or_turned_away_by_our_word() -> None:
    """Beyond some thousand calls that wait, gRPC would drop them without one."""
    with routing(timeouts_s={"answer": 30}) as stack:
        calls = [stack.stub.Complete.future(asking(), timeout=30) for _ in range(2000)]
        codes = {call.code() for call in calls}
        assert codes == {grpc.StatusCode.OK}
        assert len(stack.witness.rows()) == 2000


def test_calls_beyond_the_bound_are_turned_away_with_reason() -> None:
    bound = {"max_in_flight": 5, "drain_s": 1}
    with routing(names=("alder",), behaviours={"*": {"latency_s": 0.6}}, server=bound) as stack:
        calls = [stack.stub.Complete.future(asking(), timeout=10) for _ in range(20)]
        shed = [refused(error) for call in calls if isinstance(error := call.exception(), grpc.RpcError)]
        assert len(shed) == 15
        assert {(e.code.name, e.info.reason, e.pushback_ms) for e in shed} == {
            ("UNAVAILABLE", "ROUTER_OVERLOADED", "100")
        }
        assert len(stack.witness.rows()) == 5
