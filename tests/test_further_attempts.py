"""The budget of further attempts at work: whichever way a call comes again, a storm is not multiplied by it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from router_service.service.retries import MOST, SHARE
from tests.harness.processes import wait_until
from tests.harness.raw import Case, RawStack, head, raw_providers, routing_to_each, whole
from tests.harness.stack import asking, refused

FAILING = head("503 Service Unavailable", "content-length: 0")
LIMITED = head("429 Too Many Requests", "retry-after: 30", "content-length: 0")
NO = b'{"error": {"code": "content_filter", "message": "no"}}'
FILTERED = head("400 Bad Request", "content-type: application/json", f"content-length: {len(NO)}") + NO
NO_TRIALS = {"cooldown_s": 60}
IN_ORDER = {"strategy": "priority", "priorities": ["a", "b"]}


def outcomes(stack: RawStack, calls: int) -> Counter[str]:
    """How so many calls at once end, by reason; OK where they succeed."""

    def call(_: int) -> str:
        try:
            stack.stub.Complete(asking(), timeout=20)
        except grpc.RpcError as error:
            return str(refused(error).info.reason)
        return "OK"

    with ThreadPoolExecutor(calls) as pool:
        return Counter(pool.map(call, range(calls)))


def test_a_kept_connection_that_was_lost_after_a_failover_costs_no_slot() -> None:
    failing = Case(unary=[FAILING])
    closing = Case(unary=[whole()], keeps=True, once=True, entry={"max_concurrency": 1})
    with raw_providers({"a": failing, "b": closing}) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        assert [outcomes(stack, 1) for _ in range(6)] == [{"OK": 1}] * 6
        assert raw.calls["b"] > 6, "some were closed on"


def test_a_burst_on_the_only_target_does_not_double_itself() -> None:
    failing = Case(unary=[FAILING], keeps=True)
    with raw_providers({"a": failing}) as raw, routing_to_each(raw, health=NO_TRIALS) as stack:
        assert outcomes(stack, 60).keys() == {"UPSTREAM_5XX"}
        assert raw.calls["a"] <= 60 * (1 + SHARE) + MOST


def test_who_waits_in_queues_goes_by_the_budget_too() -> None:
    narrow = Case(unary=[b"", FAILING], keeps=True, entry={"max_concurrency": 2})
    with raw_providers(dict.fromkeys("abcd", narrow)) as raw, routing_to_each(raw, health=NO_TRIALS) as stack:
        counts = []
        for _ in range(3):
            before = raw.calls.total()
            outcomes(stack, 40)
            counts.append(raw.calls.total() - before)
    assert counts[0] <= 2 * 40 + 4 * MOST, "before it is known who fails, everybody may go elsewhere once"
    assert max(counts[1:]) <= 40 * (1 + SHARE) + MOST, counts


def test_kept_connections_that_a_failing_provider_closes_are_charged_to_it() -> None:
    closing = Case(unary=[FAILING], keeps=True, once=True)
    with raw_providers({"a": closing}) as raw, routing_to_each(raw, health=NO_TRIALS) as stack:
        for _ in range(100):
            outcomes(stack, 1)
        assert raw.calls["a"] <= 100 * (1 + SHARE) + MOST + 1


def test_many_kept_connections_that_are_lost_at_once_fail_nobody() -> None:
    closing = Case(unary=[b"", whole()], keeps=True, once=True)
    with raw_providers({"a": closing}) as raw, routing_to_each(raw) as stack:
        assert [outcomes(stack, 60) for _ in range(2)] == [{"OK": 60}] * 2
        assert raw.calls["a"] > 120 + MOST, "many were closed on"


def test_the_target_that_lost_a_connection_comes_again_and_not_its_hedge() -> None:
    cases = {"a": Case(unary=[whole()], keeps=True), "b": Case(unary=[LIMITED], keeps=True)}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        for _ in range(40):
            stack.stub.Complete(asking(model="a/chat-small"), timeout=5)
        cases["a"] = Case(unary=[whole()], keeps=True, once=True, holds_s=0.3)
        raw.calls.clear()
        hedged, served = asking(), set()
        hedged.routing.hedge = True

        def is_hedged() -> bool:
            served.add(stack.stub.Complete(hedged, timeout=5).target)
            return raw.calls["b"] > 0

        wait_until(is_hedged, within_s=10, what="it is known how long is usual, and a hedge goes out")
        assert (served, raw.calls["b"]) == ({"a/chat-small"}, 1)


def test_who_is_only_asked_third_is_asked_again_after_an_outage() -> None:
    cases = {name: Case(unary=[FAILING], keeps=True) for name in "abc"}
    rules = {"strategy": "priority", "priorities": ["a", "b", "c"], "content_filter_failover": True}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=rules) as stack:
        outcomes(stack, 60)
        cases.update({name: Case(unary=[whole()], keeps=True) for name in "abc"})
        wait_until(lambda: outcomes(stack, 1) == {"OK": 1}, within_s=30, what="the first one is well again")
        cases.update({name: Case(unary=[FILTERED], keeps=True) for name in "ab"})
        wait_until(lambda: outcomes(stack, 1) == {"OK": 1}, within_s=30, what="the third is on trial")
        assert [outcomes(stack, 1) for _ in range(3 * round(MOST))] == [{"OK": 1}] * 3 * round(MOST)


def test_a_call_that_its_provider_had_is_an_attempt_like_any_other() -> None:
    holding, one = Case(unary=[whole()], keeps=True, once=True, holds_s=0.7), {"max_attempts": 1}
    with raw_providers({"a": holding}) as raw, routing_to_each(raw, routing=one) as stack:
        assert outcomes(stack, 1) == {"OK": 1}
        with pytest.raises(grpc.RpcError) as caught:
            stack.stub.Complete(asking(), timeout=5)
        told = refused(caught.value)
        assert told.info.reason == "UPSTREAM_CONNECT"
        assert (told.facts["maybe_billed"], told.facts["attempts"]) == ("true", "1")
        assert raw.calls["a"] == 2


def test_a_target_of_which_nothing_is_known_leaves_the_next_one_time() -> None:
    cases = {"a": Case(unary=[b"", whole()], pause_s=10), "b": Case(unary=[whole()])}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        assert stack.stub.Complete(asking(), timeout=1.0).target == "b/chat-small"
