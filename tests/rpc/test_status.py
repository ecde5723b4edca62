"""The table from errors to statuses, and the rich form in which a caller gets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from router_service.core import errors
from router_service.core.errors import (
    AttemptsFailed,
    Facts,
    InvalidRequest,
    NoTarget,
    ProvidersBlocked,
    Rejected,
    RequestFailed,
    SignalboxError,
    Stage,
    StreamInterrupted,
    UpstreamError,
    Violation,
)
from router_service.core.outcome import BlockReason
from router_service.rpc.status import CODES, DETAILS_KEY, DOMAIN, PUSHBACK_KEY, Refusal, refusal

Code = grpc.StatusCode
DETAILS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.QuotaFailure,
    error_details_pb2.PreconditionFailure,
)
MAX_DETAILS_BYTES = 3 * 1024
FACTS = Facts(request_id="req-1", target="a/x", attempts=2, stage=Stage.STREAM, delivered_chunks=3, maybe_billed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A refusal as a caller's library takes it apart."""

    code: grpc.StatusCode
    message: str
    info: error_details_pb2.ErrorInfo
    retry_after_s: float | None
    pushback: str | None
    bad_request: error_details_pb2.BadRequest | None
    quota: error_details_pb2.QuotaFailure | None
    precondition: error_details_pb2.PreconditionFailure | None


def heard(error: SignalboxError) -> Heard:
    refused = refusal(error)
    trailers: Mapping[str, str | bytes] = dict(refused.trailers)
    status = details_of(refused)
    assert status.code == refused.code.value[0]
    assert status.message == refused.message
    found: dict[type[Message], Message] = {}
    for detail in status.details:
        kind = next(k for k in DETAILS if detail.Is(k.DESCRIPTOR))
        assert kind not in found, "a kind of detail comes once at most"
        found[kind] = kind.FromString(detail.value)
    retry: Any = found.get(error_details_pb2.RetryInfo)
    pushback = trailers.get(PUSHBACK_KEY)
    return Heard(
        code=refused.code,
        message=refused.message,
        info=found[error_details_pb2.ErrorInfo],
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
        pushback=pushback if isinstance(pushback, str) else None,
        bad_request=found.get(error_details_pb2.BadRequest),
        quota=found.get(error_details_pb2.QuotaFailure),
        precondition=found.get(error_details_pb2.PreconditionFailure),
    )


def details_of(refused: Refusal) -> status_pb2.Status:
    raw = dict(refused.trailers)[DETAILS_KEY]
    assert isinstance(raw, bytes)
    assert len(raw) < MAX_DETAILS_BYTES
    return status_pb2.Status.FromString(raw)


def upstream(kind: type[UpstreamError], retry_after_s: float | None = None) -> UpstreamError:
    return kind("it failed", stage=Stage.FIRST_BYTE, retry_after_s=retry_after_s)


def failed(*causes: UpstreamError) -> AttemptsFailed:
    return AttemptsFailed([(f"p{i}/m", cause) for i, cause in enumerate(causes)])


def leaves(root: type[SignalboxError]) -> Iterator[type[SignalboxError]]:
    if not root.__subclasses__():
        yield root
    for child in root.__subclasses__():
        yield from leaves(child)


WRAPPERS = {AttemptsFailed, RequestFailed}
"""Their status is that of what they hold."""


def test_every_leaf_of_the_tree_has_a_row() -> None:
    assert set(CODES) == set(leaves(SignalboxError)) - WRAPPERS


@pytest.mark.parametrize(
    ("error", "code", "reason", "retry_after_s", "pushback"),
    [
        (InvalidRequest([Violation("a", "b")]), Code.INVALID_ARGUMENT, "INVALID_REQUEST", None, "-1"),
        (errors.MalformedMessage("bytes"), Code.INVALID_ARGUMENT, "MALFORMED_MESSAGE", None, "-1"),
        (errors.NotAllowed("no"), Code.PERMISSION_DENIED, "ROLE", None, "-1"),
        (errors.UnknownTarget("x"), Code.NOT_FOUND, "UNKNOWN_TARGET", None, "-1"),
        (errors.NotBuilt("x"), Code.UNIMPLEMENTED, "NOT_BUILT", None, "-1"),
        (errors.InternalFault(), Code.INTERNAL, "INTERNAL", None, "-1"),
        (NoTarget("nobody", rejected={}), Code.FAILED_PRECONDITION, "NO_ELIGIBLE_TARGET", None, "-1"),
        (
            ProvidersBlocked(blocked={"a": BlockReason.RATE_LIMITED}, retry_after_s=7.5),
            Code.RESOURCE_EXHAUSTED,
            "PROVIDERS_RATE_LIMITED",
            7.5,
            "7500",
        ),
        (
            ProvidersBlocked(blocked={"a": BlockReason.RATE_LIMITED}, retry_after_s=None),
            Code.RESOURCE_EXHAUSTED,
            "PROVIDERS_RATE_LIMITED",
            None,
            "-1",
        ),
        (
            errors.ProvidersOverloaded(blocked={"a": BlockReason.OVERLOADED}, retry_after_s=7.5),
            Code.UNAVAILABLE,
            "UPSTREAM_5XX",
            7.5,
            "7500",
        ),
        (
            errors.CredentialsRefused(blocked={"a": BlockReason.CREDENTIALS}),
            Code.INTERNAL,
            "UPSTREAM_CREDENTIALS",
            None,
            "-1",
        ),
        (errors.CallerDeadline(Stage.SELECT), Code.DEADLINE_EXCEEDED, "CALLER_DEADLINE", None, "-1"),
        (errors.Overloaded("full"), Code.UNAVAILABLE, "ROUTER_OVERLOADED", 0.1, "100"),
        (errors.Draining("ends"), Code.UNAVAILABLE, "ROUTER_DRAINING", 0.1, "100"),
        (StreamInterrupted(upstream(errors.BadResponse)), Code.UNAVAILABLE, "STREAM_INTERRUPTED", None, "-1"),
        (failed(upstream(errors.ConnectFailed)), Code.UNAVAILABLE, "UPSTREAM_CONNECT", 1.0, "1000"),
        (failed(upstream(errors.NameNotResolved)), Code.UNAVAILABLE, "UPSTREAM_DNS", 1.0, "1000"),
        (failed(upstream(errors.TlsFailed)), Code.UNAVAILABLE, "UPSTREAM_TLS", None, "-1"),
        (failed(upstream(errors.UpstreamTimeout)), Code.UNAVAILABLE, "UPSTREAM_TIMEOUT", 1.0, "1000"),
        (failed(upstream(errors.ServerFailed)), Code.UNAVAILABLE, "UPSTREAM_5XX", 1.0, "1000"),
        (failed(upstream(errors.ServerFailed, 4.0)), Code.UNAVAILABLE, "UPSTREAM_5XX", 4.0, "4000"),
        (failed(upstream(errors.BadResponse)), Code.UNAVAILABLE, "UPSTREAM_BAD_RESPONSE", 1.0, "1000"),
        (failed(upstream(errors.Diverged)), Code.UNAVAILABLE, "UPSTREAM_BAD_RESPONSE", 1.0, "1000"),
        (failed(upstream(errors.Redirected)), Code.UNAVAILABLE, "UPSTREAM_REDIRECT", None, "-1"),
        (failed(upstream(errors.RateLimited)), Code.RESOURCE_EXHAUSTED, "PROVIDERS_RATE_LIMITED", 1.0, "1000"),
        (failed(upstream(errors.RateLimited, 0.0)), Code.RESOURCE_EXHAUSTED, "PROVIDERS_RATE_LIMITED", 0.0, "1"),
        (failed(upstream(errors.MoneyGone)), Code.RESOURCE_EXHAUSTED, "PROVIDERS_RATE_LIMITED", None, "-1"),
        (failed(upstream(errors.BadCredentials)), Code.INTERNAL, "UPSTREAM_CREDENTIALS", None, "-1"),
        (failed(upstream(errors.ModelMissing)), Code.FAILED_PRECONDITION, "UPSTREAM_MODEL_MISSING", None, "-1"),
        (
            failed(upstream(errors.ResponseTooLarge)),
            Code.RESOURCE_EXHAUSTED,
            "UPSTREAM_RESPONSE_TOO_LARGE",
            None,
            "-1",
        ),
        (upstream(errors.ResponseTooLarge), Code.RESOURCE_EXHAUSTED, "UPSTREAM_RESPONSE_TOO_LARGE", None, "-1"),
        (failed(upstream(errors.RequestRejected)), Code.INVALID_ARGUMENT, "UPSTREAM_REJECTED_REQUEST", None, "-1"),
        (failed(upstream(errors.ContextTooLong)), Code.INVALID_ARGUMENT, "CONTEXT_TOO_LONG", None, "-1"),
        (failed(upstream(errors.ContentFiltered)), Code.INVALID_ARGUMENT, "CONTENT_FILTERED", None, "-1"),
    ],
    ids=lambda value: value.reason if isinstance(value, SignalboxError) else "",
)
def test_row(
    error: SignalboxError, code: grpc.StatusCode, reason: str, retry_after_s: float | None, pushback: str
) -> None:
    found = heard(RequestFailed(error, Facts(request_id="req-1")))
    assert (found.code, found.info.reason, found.info.domain) == (code, reason, DOMAIN)
    assert (found.retry_after_s, found.pushback) == (retry_after_s, pushback)
    assert found.message == str(error)


CONNECT, TLS, REDIRECT = errors.ConnectFailed, errors.TlsFailed, errors.Redirected
RATE, MONEY, KEY, MODEL = errors.RateLimited, errors.MoneyGone, errors.BadCredentials, errors.ModelMissing
MIXED = "UPSTREAM_MIXED"
LIMITED = "PROVIDERS_RATE_LIMITED"


@pytest.mark.parametrize(
    ("causes", "code", "reason", "retry_after_s"),
    [
        pytest.param([(CONNECT, None), (errors.ServerFailed, 9.0)], Code.UNAVAILABLE, MIXED, 1.0, id="both-pass"),
        pytest.param([(CONNECT, None), (RATE, 9.0)], Code.UNAVAILABLE, MIXED, 1.0, id="waiting-alone-helps"),
        pytest.param([(KEY, None), (CONNECT, None)], Code.UNAVAILABLE, MIXED, 1.0, id="waiting-helps-one"),
        pytest.param([(TLS, None), (REDIRECT, None)], Code.UNAVAILABLE, MIXED, None, id="none-is-reachable"),
        pytest.param([(TLS, None), (CONNECT, None)], Code.UNAVAILABLE, MIXED, 1.0, id="one-is-reachable-later"),
        pytest.param([(TLS, None), (RATE, 9.0)], Code.RESOURCE_EXHAUSTED, MIXED, 9.0, id="quota-and-tls"),
        pytest.param([(RATE, 9.0), (MONEY, None)], Code.RESOURCE_EXHAUSTED, LIMITED, 9.0, id="quota-and-money"),
        pytest.param([(KEY, None), (MONEY, None)], Code.RESOURCE_EXHAUSTED, MIXED, None, id="money-and-key"),
        pytest.param([(KEY, None), (MODEL, None)], Code.FAILED_PRECONDITION, MIXED, None, id="key-and-model"),
        pytest.param([(TLS, None), (KEY, None)], Code.FAILED_PRECONDITION, MIXED, None, id="tls-and-key"),
        pytest.param([(RATE, 9.0), (RATE, 3.0)], Code.RESOURCE_EXHAUSTED, RATE.reason, 3.0, id="smallest-wait"),
        pytest.param(
            [(RATE, None), (RATE, 3.0)], Code.RESOURCE_EXHAUSTED, RATE.reason, 3.0, id="the-wait-that-is-told"
        ),
        pytest.param([(KEY, None), (KEY, None)], Code.INTERNAL, KEY.reason, None, id="our-keys"),
        pytest.param(
            [(errors.ServerFailed, 9.0), (errors.RequestRejected, None)],
            Code.INVALID_ARGUMENT,
            errors.RequestRejected.reason,
            None,
            id="the-callers-own-fault-wins",
        ),
    ],
)
def test_causes(
    causes: list[tuple[type[UpstreamError], float | None]],
    code: grpc.StatusCode,
    reason: str,
    retry_after_s: float | None,
) -> None:
    found = heard(failed(*(upstream(kind, wait) for kind, wait in causes)))
    assert (found.code, found.info.reason, found.retry_after_s) == (code, reason, retry_after_s)
    assert found.pushback == ("-1" if retry_after_s is None else str(round(retry_after_s * 1000)))


def test_wait_of_no_time_is_told_as_one_that_a_library_keeps() -> None:
    """Told to come again after 0 ms, gRPC's own clients wait for their deadline instead."""
    assert heard(errors.ProvidersBlocked(blocked={}, retry_after_s=0.0002)).pushback == "1"


def test_info_tells_the_facts() -> None:
    found = heard(RequestFailed(failed(upstream(errors.ServerFailed)), FACTS))
    assert dict(found.info.metadata) == {
        "request_id": "req-1",
        "target": "a/x",
        "attempts": "2",
        "stage": "stream",
        "delivered_chunks": "3",
        "maybe_billed": "true",
        "partial": "true",
    }


def test_failure_after_an_attempt_tells_its_cost_as_an_answer_does() -> None:
    facts = replace(FACTS, cost_usd_nanos=1234)
    trailers = dict(refusal(RequestFailed(failed(upstream(errors.ServerFailed)), facts)).trailers)
    assert trailers["x-signalbox-target"] == "a/x"
    assert trailers["x-signalbox-attempts"] == "2"
    assert trailers["x-signalbox-cost-usd-nanos"] == "1234"


def test_failure_without_an_attempt_has_no_bill() -> None:
    trailers = dict(refusal(RequestFailed(errors.Overloaded("full"), Facts(request_id="r"))).trailers)
    assert not [key for key in trailers if key.startswith("x-signalbox-")]


def test_info_without_facts_has_every_key() -> None:
    assert dict(heard(errors.Overloaded("full")).info.metadata) == {
        "request_id": "",
        "target": "",
        "attempts": "0",
        "stage": "admission",
        "delivered_chunks": "0",
        "maybe_billed": "false",
    }


def test_interrupted_stream_is_partial_and_names_its_cause() -> None:
    metadata = heard(StreamInterrupted(upstream(errors.UpstreamTimeout))).info.metadata
    assert (metadata["partial"], metadata["cause"]) == ("true", "UPSTREAM_TIMEOUT")


@pytest.mark.parametrize(
    ("facts", "pushback"),
    [
        (Facts(request_id="r"), "1000"),
        (Facts(request_id="r", was_sent=True), "-1"),
        (Facts(request_id="r", delivered_chunks=1), "-1"),
        (Facts(request_id="r", attempts=3), "1000"),
    ],
)
def test_who_was_sent_upstream_is_not_to_be_repeated_by_a_library(facts: Facts, pushback: str) -> None:
    found = heard(RequestFailed(failed(upstream(errors.ConnectFailed)), facts))
    assert found.pushback == pushback
    assert found.retry_after_s == 1.0


def test_bad_request_names_each_field() -> None:
    found = heard(InvalidRequest([Violation("a", "is wrong"), Violation("b[1].c", "is missing")])).bad_request
    assert found is not None
    assert [(v.field, v.description) for v in found.field_violations] == [("a", "is wrong"), ("b[1].c", "is missing")]


def test_no_target_counts_reasons_and_names_the_first() -> None:
    error = NoTarget(
        "nobody",
        rejected={"model": 3, "blocked": 1},
        first=[Rejected("a/x", "model"), Rejected("b/y", "blocked", "for 3 s")],
    )
    found = heard(error).precondition
    assert found is not None
    assert [(v.type, v.subject, v.description) for v in found.violations] == [
        ("model", "targets", "3"),
        ("blocked", "targets", "1"),
        ("model", "target:a/x", ""),
        ("blocked", "target:b/y", "for 3 s"),
    ]


@pytest.mark.parametrize(
    ("error", "subjects"),
    [
        (
            ProvidersBlocked(blocked={"a": BlockReason.RATE_LIMITED, "b": BlockReason.MONEY}, retry_after_s=1.0),
            ["provider:a", "provider:b"],
        ),
        (failed(upstream(RATE), upstream(RATE)), ["provider:p0", "provider:p1"]),
        (AttemptsFailed([("a/x", upstream(RATE)), ("a/y", upstream(RATE))]), ["provider:a"]),
        (failed(upstream(MONEY)), ["provider:p0"]),
    ],
)
def test_quota_failure_names_each_provider(error: SignalboxError, subjects: list[str]) -> None:
    found = heard(error).quota
    assert found is not None
    assert [v.subject for v in found.violations] == subjects


def test_mixed_causes_blame_no_quota() -> None:
    assert heard(failed(upstream(RATE), upstream(KEY))).quota is None


LONG = "ł" * 400
MANY = [
    pytest.param(InvalidRequest([Violation(f"messages[{i}].role", "must be set") for i in range(1000)]), id="fields"),
    pytest.param(InvalidRequest([Violation(LONG * 20, LONG * 20)]), id="one-long-field"),
    pytest.param(
        NoTarget(
            "nobody", rejected={f"reason-{i}": i for i in range(5000)}, first=[Rejected(LONG, "model", LONG)] * 5000
        ),
        id="rejected",
    ),
    pytest.param(NoTarget(LONG * 100, rejected={"model": 5000}), id="a-long-text"),
    pytest.param(
        ProvidersBlocked(blocked={f"provider-{i}": BlockReason.MONEY for i in range(1000)}, retry_after_s=1),
        id="providers",
    ),
    pytest.param(AttemptsFailed([(f"p{i}/m", upstream(RATE)) for i in range(1000)]), id="attempts"),
]


@pytest.mark.parametrize("error", MANY)
def test_details_stay_small_however_much_there_is_to_tell(error: SignalboxError) -> None:
    facts = Facts(request_id="r" * 128, target="t" * 256)
    found = heard(RequestFailed(error, facts))
    assert found.info.metadata["request_id"] == "r" * 128
    assert len(found.message.encode()) <= 1000
    whole = sum(len(key) + len(value) for key, value in refusal(error).trailers) + len(found.message.encode())
    assert whole < 8 * 1024, "callers' libraries take 8 KiB of trailers by default"


def test_as_many_violations_are_named_as_fit() -> None:
    error = InvalidRequest([Violation(f"messages[{i}].role", "must be set") for i in range(1000)])
    found = heard(error).bad_request
    assert found is not None
    assert len(found.field_violations) > 20
    assert found.field_violations[0].field == "messages[0].role"
