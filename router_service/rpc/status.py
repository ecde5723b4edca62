"""The one table from our errors to gRPC statuses, and the rich form in which a caller gets them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from router_service.core import errors
from router_service.core.errors import Facts, RequestFailed, SignalboxError, UpstreamError

DOMAIN = "signalbox.dev"
DETAILS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
WAIT_S = 1.0
"""When a caller may come again where nobody named a time."""
SHED_S = 0.1
"""The same where this replica turns it away: another may take it at once."""
LEAST_PUSHBACK_MS = 1
"""Told to come again after 0 ms, gRPC's own clients do not, and keep their callers waiting until the deadline."""
MAX_DETAILS_BYTES = 3000
"""Beyond 16 KiB of trailers gRPC would replace the real status; callers' own limits may be lower."""
MAX_MESSAGE_BYTES = 1000
ENVELOPE_BYTES = 100
"""What the wrapping of one detail takes at most."""

Code = grpc.StatusCode

CODES: Mapping[type[SignalboxError], grpc.StatusCode] = {
    errors.InvalidRequest: Code.INVALID_ARGUMENT,
    errors.MalformedMessage: Code.INVALID_ARGUMENT,
    errors.NotBuilt: Code.UNIMPLEMENTED,
    errors.Unauthenticated: Code.UNAUTHENTICATED,
    errors.NotAllowed: Code.PERMISSION_DENIED,
    errors.InternalFault: Code.INTERNAL,
    errors.UnknownTarget: Code.NOT_FOUND,
    errors.UnknownDecision: Code.NOT_FOUND,
    errors.NoTarget: Code.FAILED_PRECONDITION,
    errors.ProvidersBlocked: Code.RESOURCE_EXHAUSTED,
    errors.ProvidersOverloaded: Code.UNAVAILABLE,
    errors.BudgetSpent: Code.RESOURCE_EXHAUSTED,
    errors.AllowanceSpent: Code.RESOURCE_EXHAUSTED,
    errors.StreamLimit: Code.RESOURCE_EXHAUSTED,
    errors.TargetsSaturated: Code.UNAVAILABLE,
    errors.CredentialsRefused: Code.INTERNAL,
    errors.CallerDeadline: Code.DEADLINE_EXCEEDED,
    errors.Overloaded: Code.UNAVAILABLE,
    errors.Draining: Code.UNAVAILABLE,
    errors.StreamInterrupted: Code.UNAVAILABLE,
    errors.SlowReader: Code.RESOURCE_EXHAUSTED,
    errors.ConnectFailed: Code.UNAVAILABLE,
    errors.KeptConnectionLost: Code.UNAVAILABLE,
    errors.NameNotResolved: Code.UNAVAILABLE,
    errors.TlsFailed: Code.UNAVAILABLE,
    errors.UpstreamTimeout: Code.UNAVAILABLE,
    errors.TimeShareSpent: Code.UNAVAILABLE,
    errors.ServerFailed: Code.UNAVAILABLE,
    errors.BadResponse: Code.UNAVAILABLE,
    errors.Diverged: Code.UNAVAILABLE,
    errors.Redirected: Code.UNAVAILABLE,
    errors.RateLimited: Code.RESOURCE_EXHAUSTED,
    errors.MoneyGone: Code.RESOURCE_EXHAUSTED,
    errors.BadCredentials: Code.INTERNAL,
    errors.ModelMissing: Code.FAILED_PRECONDITION,
    errors.ResponseTooLarge: Code.RESOURCE_EXHAUSTED,
    errors.RequestRejected: Code.INVALID_ARGUMENT,
    errors.ContextTooLong: Code.INVALID_ARGUMENT,
    errors.ContentFiltered: Code.INVALID_ARGUMENT,
}
"""Every leaf of the tree. AttemptsFailed is not a row: its status is that of its causes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status ready to be sent: code, text, and trailing metadata that carries the details."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


def refusal(error: SignalboxError) -> Refusal:
    """What the caller hears of `error`, with the facts of its request where it carries any."""
    facts = error.facts if isinstance(error, RequestFailed) else Facts(request_id="")
    cause = error.error if isinstance(error, RequestFailed) else error
    verdict = _verdict(cause)
    message = _cut(str(cause))
    status = status_pb2.Status(code=verdict.code.value[0], message=message)
    status.details.add().Pack(_info(verdict.reason, cause, facts))
    if verdict.retry_after_s is not None:
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=_duration(verdict.retry_after_s)))
    if particulars := _particulars(cause, room=MAX_DETAILS_BYTES - ENVELOPE_BYTES - status.ByteSize()):
        status.details.add().Pack(particulars)
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString()), *_bill(facts)]
    if facts.was_sent or facts.delivered_chunks or verdict.is_final:
        trailers.append((PUSHBACK_KEY, "-1"))
    elif verdict.retry_after_s is not None:
        trailers.append((PUSHBACK_KEY, str(max(LEAST_PUSHBACK_MS, round(verdict.retry_after_s * 1000)))))
    return Refusal(verdict.code, message, tuple(trailers))


def _bill(facts: Facts) -> Iterable[tuple[str, str]]:
    """The trailers of an answer, where anybody was tried: a call that failed may have cost as much as a good one."""
    if not facts.attempts:
        return ()
    return (
        ("x-signalbox-target", facts.target),
        ("x-signalbox-attempts", str(facts.attempts)),
        ("x-signalbox-cost-usd-nanos", str(facts.cost_usd_nanos)),
        ("x-signalbox-overhead-ms", f"{facts.overhead_s * 1000:.3f}"),
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    code: grpc.StatusCode
    reason: str
    retry_after_s: float | None
    is_final: bool  # trying again as it is cannot help


def _verdict(error: SignalboxError) -> _Verdict:
    match error:
        case errors.AttemptsFailed():
            return _of_attempts(error)
        case errors.ProvidersBlocked() | errors.ProvidersOverloaded() | errors.BudgetSpent() | errors.AllowanceSpent():
            return _Verdict(CODES[type(error)], error.reason, error.retry_after_s, error.retry_after_s is None)
        case errors.TargetsSaturated():
            return _Verdict(CODES[type(error)], error.reason, WAIT_S, is_final=False)
        case errors.StreamInterrupted():
            return _Verdict(CODES[type(error)], error.reason, None, is_final=True)
        case UpstreamError():
            return _of_upstream(error)
        case _:
            is_shed = isinstance(error, errors.Overloaded | errors.Draining)
            return _Verdict(CODES[type(error)], error.reason, SHED_S if is_shed else None, not is_shed)


def _of_attempts(error: errors.AttemptsFailed) -> _Verdict:
    """The causes' own status where they agree, or where the last one is no matter of the target. Of mixed ones:
    UNAVAILABLE if waiting alone helps, else RESOURCE_EXHAUSTED if it is quota, else FAILED_PRECONDITION.
    """
    if error.last.is_about_the_request:
        return _of_upstream(error.last)
    verdicts = [_of_upstream(cause) for _, cause in error.causes]
    if error.are_alike:
        told = [cause.retry_after_s for _, cause in error.causes if cause.retry_after_s is not None]
        waits = [v.retry_after_s for v in verdicts if v.retry_after_s is not None]
        wait_s = min(told or waits) if waits else None
        return _Verdict(verdicts[-1].code, error.reason, wait_s, wait_s is None)
    if all(v.code is Code.UNAVAILABLE for v in verdicts) or any(
        v.code is Code.UNAVAILABLE and v.retry_after_s is not None for v in verdicts
    ):
        return _mixed(Code.UNAVAILABLE, error.reason, verdicts)
    if any(v.code is Code.RESOURCE_EXHAUSTED for v in verdicts):
        return _mixed(Code.RESOURCE_EXHAUSTED, error.reason, verdicts)
    return _Verdict(Code.FAILED_PRECONDITION, error.reason, None, is_final=True)


def _mixed(code: grpc.StatusCode, reason: str, verdicts: Sequence[_Verdict]) -> _Verdict:
    """With the shortest wait of those that gave the code; where none of them passes by waiting, trying is vain."""
    waits = [v.retry_after_s for v in verdicts if v.code is code and v.retry_after_s is not None]
    return _Verdict(code, reason, min(waits, default=None), not waits)


def _of_upstream(error: UpstreamError) -> _Verdict:
    wait_s = (WAIT_S if error.retry_after_s is None else error.retry_after_s) if error.waiting_helps else None
    return _Verdict(CODES[type(error)], error.call_reason or error.reason, wait_s, not error.waiting_helps)


def _info(reason: str, error: SignalboxError, facts: Facts) -> error_details_pb2.ErrorInfo:
    metadata = {
        "request_id": facts.request_id,
        "target": facts.target,
        "attempts": str(facts.attempts),
        "stage": facts.stage.value,
        "delivered_chunks": str(facts.delivered_chunks),
        "maybe_billed": "true" if facts.maybe_billed else "false",
    }
    if facts.delivered_chunks:
        metadata["partial"] = "true"
    if isinstance(error, errors.StreamInterrupted):
        metadata |= {"partial": "true", "cause": error.cause.reason}
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


Particulars: TypeAlias = (
    error_details_pb2.BadRequest | error_details_pb2.PreconditionFailure | error_details_pb2.QuotaFailure
)
_Violation = TypeVar("_Violation", bound=Message)


def _particulars(error: SignalboxError, *, room: int) -> Particulars | None:
    """What else there is to tell, of it as much as fits into `room` bytes."""
    match error:
        case errors.InvalidRequest():
            return _bad_request(error, room)
        case errors.NoTarget():
            return _precondition_failure(error, room)
        case errors.ProvidersBlocked():
            return _quota_failure(error.providers, room)
        case errors.BudgetSpent() | errors.AllowanceSpent() | errors.StreamLimit():
            return _own_quota_failure(error.subject, str(error))
        case errors.AttemptsFailed() if error.reason == errors.RateLimited.reason:
            return _quota_failure(tuple(dict.fromkeys(target.split("/")[0] for target, _ in error.causes)), room)
        case _:
            return None


def _bad_request(error: errors.InvalidRequest, room: int) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    violations = (violation(field=v.field, description=v.description) for v in error.violations)
    return error_details_pb2.BadRequest(field_violations=_fitting(violations, room))


def _precondition_failure(error: errors.NoTarget, room: int) -> error_details_pb2.PreconditionFailure:
    violation = error_details_pb2.PreconditionFailure.Violation
    counts = (violation(type=reason, subject="targets", description=str(n)) for reason, n in error.rejected.items())
    first = (violation(type=r.reason, subject=f"target:{r.target}", description=r.detail) for r in error.first)
    return error_details_pb2.PreconditionFailure(violations=_fitting(chain(counts, first), room))


def _quota_failure(providers: tuple[str, ...], room: int) -> error_details_pb2.QuotaFailure:
    violation = error_details_pb2.QuotaFailure.Violation
    text = "the provider's rate limit or credit leaves no room"
    violations = (violation(subject=f"provider:{p}", description=text) for p in providers)
    return error_details_pb2.QuotaFailure(violations=_fitting(violations, room))


def _own_quota_failure(subject: str, text: str) -> error_details_pb2.QuotaFailure:
    violation = error_details_pb2.QuotaFailure.Violation(subject=subject, description=text)
    return error_details_pb2.QuotaFailure(violations=[violation])


def _fitting(violations: Iterable[_Violation], room: int) -> list[_Violation]:
    """The first of them that fit, each with the few bytes that frame it."""
    fitting: list[_Violation] = []
    for violation in violations:
        room -= violation.ByteSize() + 4
        if room < 0:
            break
        fitting.append(violation)
    return fitting


def _cut(text: str) -> str:
    """A status's text at a length that fits into a header."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return text
    return encoded[: MAX_MESSAGE_BYTES - 3].decode(errors="ignore") + "…"


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
