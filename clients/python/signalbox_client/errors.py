"""What a call can fail with: one small tree, told apart by what a caller would do about it.

SignalboxError              any failure, with all that the router said of it
├── Unreachable             no router answered: look at the address, or come back later
├── Refused                 the request, the key or a limit is in the way; `retry_after_s` says whether waiting helps
├── UpstreamFailed          the providers failed, all that were tried
│   └── StreamInterrupted   any failure but a deadline after a stream had begun: what arrived is a prefix
└── DeadlineExceeded        the time given with `timeout_s` ran out
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as Detail
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

DETAILS_KEY = "grpc-status-details-bin"

REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)

AnyMessage = TypeVar("AnyMessage", bound=Message)

INTERRUPTIONS = frozenset({"STREAM_INTERRUPTED", "SLOW_READER"})
"""The second one is the caller's own doing, and what it has is a prefix all the same."""


class ViolationKind(Enum):
    """What a violation is about."""

    FIELD = "field"
    QUOTA = "quota"
    PRECONDITION = "precondition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that stands in the way of a request.

    `subject` is the field, the account or the target that it is about; `type` the gate that a precondition failed, and
    empty for the other kinds.
    """

    kind: ViolationKind
    subject: str
    description: str
    type: str = ""


class SignalboxError(Exception):
    """A call failed. Its text names no key and no prompt.

    `reason` is the name of an ErrorReason without its prefix, and empty where no router said why. `retry_after_s` is in
    seconds, None where trying again as it stands is of no use. `metadata` holds the facts of the request: target,
    attempts, stage, delivered_chunks, maybe_billed; and partial, where a part of the answer was delivered.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        request_id: str = "",
        violations: Iterable[Violation] = (),
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.metadata: Mapping[str, str] = dict(metadata or {})


class Unreachable(SignalboxError):
    """No router answered at the address."""


class Refused(SignalboxError):
    """The router would not run the request as it stands."""


class UpstreamFailed(SignalboxError):
    """The router ran the request, and every provider that it tried failed."""


class StreamInterrupted(UpstreamFailed):
    """The stream broke after it had begun. What was delivered is a prefix of an answer."""


class DeadlineExceeded(SignalboxError):
    """The time that the caller gave the call ran out."""


def from_rpc(error: grpc.RpcError, *, has_begun: bool = False) -> SignalboxError:
    """The error of the tree that stands for a failed call; `has_begun` tells that events of its stream had arrived."""
    details = _details(error)
    info = _first(details, error_details_pb2.ErrorInfo)
    retry = _first(details, error_details_pb2.RetryInfo)
    code = error.code()
    return _kind(code, info.reason if info else "", has_begun=has_begun)(
        _message(error, has_reason=info is not None),
        code=code,
        reason=info.reason if info else "",
        request_id=info.metadata.get("request_id", "") if info else "",
        violations=_violations(details),
        retry_after_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
        metadata=info.metadata if info else None,
    )


def cut_short() -> StreamInterrupted:
    """The error for a stream that ended with a good status and yet without its `done`."""
    return StreamInterrupted(
        "the stream ended without its last event; what arrived is not the whole answer", code=grpc.StatusCode.DATA_LOSS
    )


def _details(error: grpc.RpcError) -> list[Detail]:
    trailers = cast(Iterable[tuple[str, str | bytes]], error.trailing_metadata() or ())
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _first(details: Iterable[Detail], kind: type[AnyMessage]) -> AnyMessage | None:
    """The first detail of this kind; one that cannot be read counts as none."""
    for detail in details:
        message = kind()
        try:
            if detail.Unpack(message):
                return message
        except DecodeError:
            return None
    return None


def _violations(details: Iterable[Detail]) -> Iterable[Violation]:
    if bad_request := _first(details, error_details_pb2.BadRequest):
        for field in bad_request.field_violations:
            yield Violation(kind=ViolationKind.FIELD, subject=field.field, description=field.description)
    if quota_failure := _first(details, error_details_pb2.QuotaFailure):
        for quota in quota_failure.violations:
            yield Violation(kind=ViolationKind.QUOTA, subject=quota.subject, description=quota.description)
    if precondition_failure := _first(details, error_details_pb2.PreconditionFailure):
        for gate in precondition_failure.violations:
            yield Violation(
                kind=ViolationKind.PRECONDITION, type=gate.type, subject=gate.subject, description=gate.description
            )


def _kind(code: grpc.StatusCode, reason: str, *, has_begun: bool) -> type[SignalboxError]:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded
    if has_begun or reason in INTERRUPTIONS:
        return StreamInterrupted
    if code in REFUSALS:
        return Refused
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        return Unreachable
    if reason.startswith("UPSTREAM_") or reason == "TARGETS_SATURATED":
        return UpstreamFailed
    return SignalboxError


def _message(error: grpc.RpcError, *, has_reason: bool) -> str:
    """The router's own words; where the library ended the call alone, what that means."""
    text = error.details() or error.code().name
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED and not has_reason:
        return f"{text}: no answer in the time given; the router is slow or cannot be reached"
    return text
