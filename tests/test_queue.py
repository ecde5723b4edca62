"""Targets that are full, through gRPC: who waits and is served, and who is turned away at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from tests.harness.processes import SLOWER_IN_CI
from tests.harness.raw import Case, RawStack, raw_providers, routing_to_each, whole
from tests.harness.stack import Refused, asking, refused

SLOW = (whole()[:20], whole()[20:])
NARROW = {"max_concurrency": 1}


def busy(pause_s: float) -> Case:
    return Case(unary=SLOW, pause_s=pause_s, entry=NARROW)


def outcomes(stack: RawStack, calls: int, *, timeout_s: float = 10) -> list[str | Refused]:
    """What becomes of so many calls at once: the target that served, or the refusal."""

    def call(_: int) -> str | Refused:
        try:
            return str(stack.stub.Complete(asking(), timeout=timeout_s).target)
        except grpc.RpcError as error:
            return refused(error)

    with ThreadPoolExecutor(calls) as pool:
        return list(pool.map(call, range(calls)))


def test_a_few_wait_and_the_rest_are_shed_with_a_time_to_come_again() -> None:
    settings = {"queue_length": 2, "queue_wait_s": 5}
    with raw_providers({"a": busy(0.3)}) as raw, routing_to_each(raw, routing=settings) as stack:
        found = outcomes(stack, 5)
        assert found.count("a/chat-small") == raw.calls["a"] == 3, "one is under way, two wait"
        shed = [each for each in found if isinstance(each, Refused)]
        assert [(each.code.name, each.info.reason) for each in shed] == [("UNAVAILABLE", "TARGETS_SATURATED")] * 2
        assert all(each.retry_s is not None and each.facts["attempts"] == "0" for each in shed)
        assert all(each.facts["stage"] == "select" and each.pushback_ms != "-1" for each in shed)


def test_who_loses_a_kept_connection_waits_for_the_slot_again() -> None:
    closing = Case(unary=SLOW, pause_s=0.1, entry=NARROW, keeps=True, once=True)
    with raw_providers({"a": closing}) as raw, routing_to_each(raw) as stack:
        assert outcomes(stack, 4) == ["a/chat-small"] * 4
        assert raw.calls["a"] > 4, "some were closed on"


def test_nobody_waits_while_another_target_has_room() -> None:
    cases = {"a": busy(1.0), "b": Case(unary=[whole()])}
    with raw_providers(cases) as raw, routing_to_each(raw, routing={"strategy": "priority", "priorities": ["a"]}) as s:
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(s.stub.Complete, asking(), timeout=10)
            while not raw.calls["a"]:
                assert time.monotonic() - began < 5
            second = s.stub.Complete(asking(), timeout=10)
            assert second.target == "b/chat-small"
            assert not first.done()
            assert first.result().target == "a/chat-small"


def test_a_wait_ends_by_itself_and_with_the_callers_deadline() -> None:
    settings = {"queue_wait_s": 0.2}
    with raw_providers({"a": busy(2.0)}) as raw, routing_to_each(raw, routing=settings) as stack:
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(stack.stub.Complete, asking(), timeout=10)
            while not raw.calls["a"]:
                assert time.monotonic() - began < 5
            began = time.monotonic()
            [late] = outcomes(stack, 1)
            waited_s = time.monotonic() - began
            [short] = outcomes(stack, 1, timeout_s=0.15)
            assert first.result().target == "a/chat-small"
    assert isinstance(late, Refused)
    assert late.info.reason == "TARGETS_SATURATED"
    assert 0.15 < waited_s < 0.8 * SLOWER_IN_CI
    assert isinstance(short, Refused)
    assert (short.info.reason, short.facts["stage"], short.facts["attempts"]) == ("CALLER_DEADLINE", "select", "0")
