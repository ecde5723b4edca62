"""The error tree: that its picture is true, and what its members say of themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest
from signalbox.v1 import error_reason_pb2

from router_service.core import errors
from router_service.core.errors import (
    AttemptsFailed,
    BadCredentials,
    ConnectFailed,
    Cure,
    Facts,
    InvalidRequest,
    MoneyGone,
    RateLimited,
    RequestFailed,
    RequestRejected,
    ServerFailed,
    SignalboxError,
    Stage,
    StreamInterrupted,
    UpstreamError,
    Violation,
)
from router_service.core.outcome import BLOCKS, FAILURES, Outcome


def tree(root: type[SignalboxError]) -> Iterator[type[SignalboxError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


ALL = list(tree(SignalboxError))
UPSTREAM = [e for e in tree(UpstreamError) if e is not UpstreamError]


def failed(kind: type[UpstreamError], text: str = "it failed", *, retry_after_s: float | None = None) -> UpstreamError:
    return kind(text, stage=Stage.FIRST_BYTE, retry_after_s=retry_after_s)


def test_docstring_draws_every_error_and_no_other() -> None:
    drawn = re.findall(r"^[ │├└─]*(\w+)", inspect.getdoc(errors) or "", flags=re.MULTILINE)
    names = [name for name in drawn if inspect.isclass(getattr(errors, name, None))]
    assert sorted(names) == sorted(e.__name__ for e in ALL)


@pytest.mark.parametrize("error", ALL)
def test_reason_is_a_name_of_the_wire_contract(error: type[SignalboxError]) -> None:
    assert f"ERROR_REASON_{error.reason}" in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name


@pytest.mark.parametrize("error", UPSTREAM)
def test_upstream_error_says_what_it_counts_as(error: type[UpstreamError]) -> None:
    assert isinstance(error.outcome, Outcome)
    assert error.outcome is not Outcome.OK
    assert not error.waiting_helps or error.cure is Cure.ANYBODY, "what waiting cures, another target cures too"


def test_upstream_error_keeps_its_facts() -> None:
    error = ServerFailed("down", stage=Stage.STREAM, status_code=503, maybe_billed=True, retry_after_s=2.0)
    assert (str(error), error.stage, error.status_code) == ("down", Stage.STREAM, 503)
    assert (error.maybe_billed, error.retry_after_s) == (True, 2.0)


def test_want_of_our_own_sockets_counts_against_nobody() -> None:
    error = ConnectFailed.for_want_of_our_own()
    assert error.outcome not in FAILURES | set(BLOCKS)
    assert (error.stage, error.maybe_billed, error.cure) == (Stage.CONNECT, False, Cure.ANYBODY)
    assert ConnectFailed("refused", stage=Stage.CONNECT).outcome is Outcome.CONNECT


def test_attempts_failed_names_each_target_once_and_the_last_cause() -> None:
    error = AttemptsFailed(
        [("a/x", failed(ServerFailed)), ("a/x", failed(ServerFailed)), ("b/y", failed(ServerFailed, "last"))]
    )
    assert "(a/x, b/y)" in str(error)
    assert str(error).endswith("last")
    assert error.last is error.causes[-1][1]


def test_causes_that_agree_give_their_reason() -> None:
    same = AttemptsFailed([("a/x", failed(RateLimited)), ("b/y", failed(MoneyGone))])
    mixed = AttemptsFailed([("a/x", failed(RateLimited)), ("b/y", failed(BadCredentials))])
    final = AttemptsFailed([("a/x", failed(RateLimited)), ("b/y", failed(RequestRejected))])
    assert (same.reason, same.are_alike) == ("PROVIDERS_RATE_LIMITED", True)
    assert (mixed.reason, mixed.are_alike) == ("UPSTREAM_MIXED", False)
    assert (final.reason, final.are_alike) == ("UPSTREAM_REJECTED_REQUEST", False)


def test_invalid_request_names_every_field() -> None:
    error = InvalidRequest([Violation("a", "is wrong"), Violation("b[1]", "is missing")])
    assert str(error) == "a: is wrong; b[1]: is missing"
    assert len(error.violations) == 2


def test_wrapping_errors_speak_with_the_text_of_what_they_wrap() -> None:
    cause = failed(ServerFailed, "the provider failed")
    assert "the provider failed" in str(StreamInterrupted(cause))
    assert str(RequestFailed(cause, Facts(request_id="r"))) == "the provider failed"
