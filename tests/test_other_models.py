"""Failures that another model may cure: a window that is too small, and a content filter's no."""

from __future__ import annotations

import json
from collections.abc import Mapping

import grpc
import pytest

from tests.harness.raw import DONE, Case, RawStack, delta, head, raw_providers, routing_to_each, stream, whole
from tests.harness.stack import Refused, asking, refused, streaming


def says_no(code: str) -> bytes:
    body = json.dumps({"error": {"message": "no", "type": "invalid_request_error", "code": code}}).encode()
    return head("400 Bad Request", "content-type: application/json", f"content-length: {len(body)}") + body


def window(tokens: int) -> Mapping[str, object]:
    price = {"input": 1, "output": 2}
    return {"models": [{"id": "chat-small", "prices": price, "context": tokens}]}


TOO_LONG, FILTERED = [says_no("context_length_exceeded")], [says_no("content_filter")]
LET_NOTHING_THROUGH = [whole("", "content_filter")]
IN_ORDER = {"strategy": "priority", "priorities": ["a", "b", "c", "d", "e"]}
WINDOWS = {
    "a": Case(keeps=True, unary=TOO_LONG, entry=window(8_000)),
    "b": Case(keeps=True, unary=[whole()], entry=window(4_000)),
    "c": Case(keeps=True, unary=TOO_LONG, entry=window(16_000)),
    "d": Case(keeps=True, unary=[whole()], entry=window(16_000)),
    "e": Case(keeps=True, unary=[whole()], entry=window(32_000)),
}


def complete(stack: RawStack) -> list[str] | Refused:
    """The providers that were asked, or the refusal."""
    try:
        answer = stack.stub.Complete(asking("canary-0415"), timeout=10)
    except grpc.RpcError as error:
        return refused(error)
    assert [a.error_reason for a in answer.attempts[:-1]] == ["CONTEXT_TOO_LONG"] * (len(answer.attempts) - 1)
    return [a.target.partition("/")[0] for a in answer.attempts]


def test_a_prompt_that_is_too_long_goes_to_larger_windows_alone() -> None:
    with raw_providers(WINDOWS) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        assert complete(stack) == ["a", "c", "e"], "b is smaller, d no larger than one that refused"


def test_a_larger_window_is_found_beyond_the_end_of_the_chain() -> None:
    routing = {**IN_ORDER, "max_attempts": 2, "chain_length": 4}
    small = Case(entry=window(4_000))
    cases = {**WINDOWS, "c": small, "d": small}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=routing) as stack:
        assert complete(stack) == ["a", "e"]


def test_where_no_window_is_larger_the_caller_hears_it() -> None:
    cases = {"a": WINDOWS["a"], "b": WINDOWS["b"]}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=IN_ORDER) as stack:
        found = complete(stack)
        assert isinstance(found, Refused)
        assert (found.code.name, found.info.reason) == ("INVALID_ARGUMENT", "CONTEXT_TOO_LONG")
        assert raw.calls == {"a": 1}


@pytest.mark.parametrize("filtered", [FILTERED, LET_NOTHING_THROUGH], ids=["refused", "emptied"])
@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_filters_no_goes_to_the_next_target_only_where_that_is_allowed(
    filtered: list[bytes], *, is_allowed: bool
) -> None:
    cases = {"a": Case(keeps=True, unary=filtered), "b": Case(unary=[whole()])}
    routing = {**IN_ORDER, "content_filter_failover": is_allowed}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=routing) as stack:
        try:
            answer = stack.stub.Complete(asking(), timeout=10)
        except grpc.RpcError as error:
            found = refused(error)
            assert not is_allowed
            assert (found.code.name, found.info.reason) == ("INVALID_ARGUMENT", "CONTENT_FILTERED")
            assert raw.calls == {"a": 1}
        else:
            assert is_allowed
            assert [a.error_reason for a in answer.attempts] == ["CONTENT_FILTERED", ""]
            assert answer.target == "b/chat-small"


def test_a_stream_of_which_a_filter_left_nothing_goes_to_the_next_target() -> None:
    cases = {
        "a": Case(keeps=True, streamed=[stream(delta("", "content_filter"), DONE)]),
        "b": Case(keeps=True, streamed=[stream(delta("hello", "stop"), DONE)]),
    }
    routing = {**IN_ORDER, "content_filter_failover": True}
    with raw_providers(cases) as raw, routing_to_each(raw, routing=routing) as stack:
        *_, last = stack.stub.StreamComplete(streaming(), timeout=10)
        assert [a.error_reason for a in last.done.response.attempts] == ["CONTENT_FILTERED", ""]
