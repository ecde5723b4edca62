"""The error tree. Each leaf says whose fault it is, whether another target may be tried, and when to try again.

SignalboxError
├── InvalidRequest            the caller's; names each field, the reason and the remedy
├── MalformedMessage          the caller's; the bytes are not the message that the method takes
├── Unauthenticated           the caller's; no key, or none that counts here
├── NotAllowed                the caller may not do this, or not from where it calls
├── NotBuilt                  the caller asked for what does not exist yet
├── UnknownTarget             the caller named a model or a target that is not configured
├── InternalFault             a fault of ours; the caller learns that it happened, and nothing else
├── UnknownDecision           the caller names a decision that this process does not have, or no longer
├── NoTarget                  policy or capability left nobody; waiting does not help
├── ProvidersBlocked          everybody left is rate limited or out of money; waiting may help
├── ProvidersOverloaded       everybody left has failed and said when to come again; waiting helps
├── BudgetSpent               everybody left costs more than the budgets still hold; waiting may help
├── AllowanceSpent            the caller's tenant asked for all that it may in a minute, or at once; waiting helps
├── StreamLimit               the caller's tenant has as many requests open as it may, and asks for a stream
├── TargetsSaturated          everybody left has as many requests in flight as he may; waiting helps
├── CredentialsRefused        every provider left refuses our key; the operator's to mend
├── CallerDeadline            the caller's own deadline passed
├── Overloaded                this replica sheds load
├── Draining                  this replica is about to stop
├── RequestFailed             how a request ended: one of the others, and the facts that its caller is owed
├── AttemptsFailed            every attempt failed before anything was delivered; holds their causes
├── SlowReader                the caller stopped reading its stream
├── StreamInterrupted         a stream broke after something was delivered; holds its cause
└── UpstreamError             one attempt failed
    ├── ConnectFailed         provider unreachable         next target; ours where we had no socket left
    ├── KeptConnectionLost    closed between two calls     the same target, no fault of its own
    ├── NameNotResolved       provider unreachable         next target
    ├── TlsFailed             provider's certificate       next target, not by waiting
    ├── UpstreamTimeout       the target's own time limit  next target, maybe billed
    ├── TimeShareSpent        its share of the deadline    next target, maybe billed, no fault of its own
    ├── ServerFailed          5xx and their like           next target
    ├── BadResponse           no sense in the answer       next target, maybe billed
    ├── Diverged              says again what it should     next target, maybe billed, no fault of its own
    │                         have gone on with
    ├── Redirected            never followed               next target, not by waiting
    ├── RateLimited           429                          next target
    ├── MoneyGone             prepaid or limit used up     next target, not by waiting
    ├── BadCredentials        our key, never the caller's  next target, not by waiting
    ├── ModelMissing          404                          next target, not by waiting
    ├── ResponseTooLarge      over our cap                 nobody
    ├── RequestRejected       the content, by the vendor   nobody
    ├── ContextTooLong        the content is too long      a target with a larger window
    └── ContentFiltered       a filter said no             next target, where the operator allows it
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from router_service.core.chat import Usage
from router_service.core.outcome import BlockReason, Outcome


class Stage(Enum):
    """How far a call had come when it failed."""

    ADMISSION = "admission"
    SELECT = "select"
    CONNECT = "connect"
    FIRST_BYTE = "first_byte"
    STREAM = "stream"
    DECODE = "decode"


class SignalboxError(Exception):
    """Whatever we raise on purpose. Its text is fit for a caller's eyes: no key, prompt, vendor body or URL query.

    `reason` is the name of an ErrorReason of the wire contract, without its prefix.
    """

    reason: str = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that cannot stand, why, and what to do about it."""

    field: str
    description: str


SAID_VIOLATIONS = 5
"""So many of a request's faults stand in the text of its error; the rest are among the details, or only counted."""


class InvalidRequest(SignalboxError):
    reason = "INVALID_REQUEST"

    def __init__(self, violations: Sequence[Violation]) -> None:
        more = f"; and {len(violations) - SAID_VIOLATIONS} more" if len(violations) > SAID_VIOLATIONS else ""
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations[:SAID_VIOLATIONS]) + more)
        self.violations = tuple(violations)


class MalformedMessage(SignalboxError):
    reason = "MALFORMED_MESSAGE"


class Unauthenticated(SignalboxError):
    reason = "CREDENTIALS"


class NotAllowed(SignalboxError):
    reason = "ROLE"


class NotBuilt(SignalboxError):
    reason = "NOT_BUILT"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not built yet; the README's feature table says what is")


class InternalFault(SignalboxError):
    def __init__(self) -> None:
        super().__init__("an internal error; nothing is wrong with the request")


class UnknownTarget(SignalboxError):
    reason = "UNKNOWN_TARGET"


class UnknownDecision(SignalboxError):
    reason = "UNKNOWN_DECISION"


@dataclass(frozen=True, slots=True)
class Rejected:
    """One target that may not serve: the name of the filter that dropped it, and why in words."""

    target: str
    reason: str
    detail: str = ""


class NoTarget(SignalboxError):
    """`rejected` counts the targets by the filter that dropped them; `first` tells of those that came furthest."""

    reason = "NO_ELIGIBLE_TARGET"

    def __init__(self, message: str, *, rejected: Mapping[str, int], first: Sequence[Rejected] = ()) -> None:
        super().__init__(message)
        self.rejected = rejected
        self.first = tuple(first)


class ProvidersBlocked(SignalboxError):
    """`blocked` are the providers that said so themselves, `used_up` those whose limits have no room for it.
    `retry_after_s` is the shortest wait that may help; None when only money does.
    """

    reason = "PROVIDERS_RATE_LIMITED"

    def __init__(
        self, *, blocked: Mapping[str, BlockReason], used_up: Sequence[str] = (), retry_after_s: float | None
    ) -> None:
        said = [_blocks(blocked)] if blocked else []
        said += [f"{provider} has no room in its limits" for provider in used_up]
        super().__init__(f"nobody is left to ask: {', '.join(said)}")
        self.providers = tuple(dict.fromkeys((*blocked, *used_up)))
        self.retry_after_s = retry_after_s


class ProvidersOverloaded(SignalboxError):
    """Every provider left has failed and said when to come again; `retry_after_s` is the shortest of these waits."""

    reason = "UPSTREAM_5XX"

    def __init__(self, *, blocked: Mapping[str, BlockReason], retry_after_s: float | None) -> None:
        super().__init__(f"nobody is left to ask: {_blocks(blocked)}")
        self.retry_after_s = retry_after_s


class BudgetSpent(SignalboxError):
    """`subject` is whose budget it is: `tenant:NAME`, `provider:NAME`, or `server`. `retry_after_s` is the time until
    it is filled again; None where no time does that.
    """

    reason = "CALLER_QUOTA"

    def __init__(self, message: str, *, subject: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.subject = subject
        self.retry_after_s = retry_after_s


class AllowanceSpent(SignalboxError):
    """`subject` is whose allowance it is, `tenant:NAME`. `retry_after_s` is the time until it has refilled; None where
    no time does that.
    """

    reason = "CALLER_QUOTA"

    def __init__(self, message: str, *, subject: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.subject = subject
        self.retry_after_s = retry_after_s


class StreamLimit(SignalboxError):
    """When one of them ends is up to the tenant itself, so there is no time to name."""

    reason = "STREAM_LIMIT"

    def __init__(self, message: str, *, subject: str) -> None:
        super().__init__(message)
        self.subject = subject


class TargetsSaturated(SignalboxError):
    reason = "TARGETS_SATURATED"


class CredentialsRefused(SignalboxError):
    """Every provider left has refused our own key: the operator's to mend, and no fault of the caller."""

    reason = "UPSTREAM_CREDENTIALS"

    def __init__(self, *, blocked: Mapping[str, BlockReason]) -> None:
        super().__init__(f"nobody is left to ask: {_blocks(blocked)}")


class CallerDeadline(SignalboxError):
    reason = "CALLER_DEADLINE"

    def __init__(self, stage: Stage) -> None:
        super().__init__("the caller's deadline passed")
        self.stage = stage


class Overloaded(SignalboxError):
    reason = "ROUTER_OVERLOADED"


class Draining(SignalboxError):
    reason = "ROUTER_DRAINING"


class Cure(Enum):
    """Who may do better than the target at which an attempt failed."""

    ANYBODY = "anybody"
    LARGER_WINDOW = "larger_window"
    OTHER_FILTER = "other_filter"
    NOBODY = "nobody"


class UpstreamError(SignalboxError):
    """One attempt failed. `maybe_billed`: the provider may have worked for it although no answer came of it."""

    outcome: Outcome
    call_reason: ClassVar[str] = ""
    """What the call as a whole is said to have failed with, where that is not `reason`."""
    cure: ClassVar[Cure] = Cure.ANYBODY
    waiting_helps: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        stage: Stage,
        status_code: int = 0,
        maybe_billed: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.stage = stage
        self.status_code = status_code
        self.maybe_billed = maybe_billed
        self.retry_after_s = retry_after_s
        self.usage: Usage | None = None
        self.output_characters = 0

    @property
    def is_about_the_request(self) -> bool:
        """Whether the content failed, and not the target."""
        return self.cure is not Cure.ANYBODY

    def found_in(self, usage: Usage | None, *, output_characters: int) -> None:
        """The answer that it was found in had reported `usage` and had so much text: the bill goes by that."""
        self.usage = usage
        self.output_characters = output_characters


OWN_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""The operating system's words for what this process or machine is short of; they say nothing about a peer."""


class ConnectFailed(UpstreamError):
    reason = "UPSTREAM_CONNECT"
    outcome = Outcome.CONNECT

    @classmethod
    def for_want_of_our_own(cls) -> ConnectFailed:
        """Nobody was asked, since this process has no socket left: no fault of the provider, and none is counted."""
        text = "this router has as many files and connections open as it may; raise its limit (ulimit -n)"
        error = cls(text, stage=Stage.CONNECT)
        error.outcome = Outcome.CANCELLED
        return error


class KeptConnectionLost(UpstreamError):
    """A connection that had served a call before was closed when the next one went out, before any of its answer: most
    likely a server that gives up idle connections, which says nothing about it.
    """

    reason = "UPSTREAM_CONNECT"
    outcome = Outcome.CANCELLED


class NameNotResolved(UpstreamError):
    reason = "UPSTREAM_DNS"
    outcome = Outcome.CONNECT


class TlsFailed(UpstreamError):
    reason = "UPSTREAM_TLS"
    outcome = Outcome.CONNECT
    waiting_helps = False


class UpstreamTimeout(UpstreamError):
    reason = "UPSTREAM_TIMEOUT"
    outcome = Outcome.TIMEOUT


class TimeShareSpent(UpstreamError):
    """Cut off to leave time for the next target, sooner than the target's own limit: that says nothing about it."""

    reason = "UPSTREAM_TIMEOUT"
    outcome = Outcome.DEADLINE


class ServerFailed(UpstreamError):
    reason = "UPSTREAM_5XX"
    outcome = Outcome.SERVER_ERROR


class BadResponse(UpstreamError):
    reason = "UPSTREAM_BAD_RESPONSE"
    outcome = Outcome.BAD_RESPONSE


class Diverged(UpstreamError):
    """It was to go on with a text, and began it anew in other words. Of an answer alone there is nothing wrong with
    that, and a text that repeats itself looks alike: it says nothing about the target's health.
    """

    reason = "UPSTREAM_BAD_RESPONSE"
    outcome = Outcome.CANCELLED


class Redirected(UpstreamError):
    reason = "UPSTREAM_REDIRECT"
    outcome = Outcome.BAD_RESPONSE
    waiting_helps = False


class RateLimited(UpstreamError):
    reason = "PROVIDERS_RATE_LIMITED"
    outcome = Outcome.RATE_LIMITED


class MoneyGone(UpstreamError):
    reason = "PROVIDERS_OUT_OF_MONEY"
    call_reason = RateLimited.reason
    outcome = Outcome.MONEY
    waiting_helps = False


class BadCredentials(UpstreamError):
    reason = "UPSTREAM_CREDENTIALS"
    outcome = Outcome.CREDENTIALS
    waiting_helps = False


class ModelMissing(UpstreamError):
    reason = "UPSTREAM_MODEL_MISSING"
    outcome = Outcome.MODEL_MISSING
    waiting_helps = False


class ResponseTooLarge(UpstreamError):
    reason = "UPSTREAM_RESPONSE_TOO_LARGE"
    outcome = Outcome.BAD_RESPONSE
    cure = Cure.NOBODY
    waiting_helps = False


class RequestRejected(UpstreamError):
    reason = "UPSTREAM_REJECTED_REQUEST"
    outcome = Outcome.CALLER_ERROR
    cure = Cure.NOBODY
    waiting_helps = False


class ContextTooLong(UpstreamError):
    reason = "CONTEXT_TOO_LONG"
    outcome = Outcome.CONTEXT_TOO_LONG
    cure = Cure.LARGER_WINDOW
    waiting_helps = False


class ContentFiltered(UpstreamError):
    reason = "CONTENT_FILTERED"
    outcome = Outcome.CONTENT_FILTERED
    cure = Cure.OTHER_FILTER
    waiting_helps = False


class AttemptsFailed(SignalboxError):
    """Nothing was delivered. `causes` are the attempts' errors in order, each with the target it came from.

    The reason is the causes' own where they are alike, or the last one's where that is no matter of the target.
    """

    reason = "UPSTREAM_MIXED"

    def __init__(self, causes: Sequence[tuple[str, UpstreamError]]) -> None:
        tried = ", ".join(dict.fromkeys(target for target, _ in causes))
        what = "the only attempt failed" if len(causes) == 1 else f"all {len(causes)} attempts failed"
        super().__init__(f"{what} ({tried}): {causes[-1][1]}")
        self.causes = tuple(causes)
        reasons = {cause.call_reason or cause.reason for _, cause in self.causes}
        self.are_alike = len(reasons) == 1
        if self.are_alike:
            self.reason = reasons.pop()
        elif self.last.is_about_the_request:
            self.reason = self.last.reason

    @property
    def last(self) -> UpstreamError:
        return self.causes[-1][1]


class StreamInterrupted(SignalboxError):
    """Something was delivered and the rest will not come. The caller has a prefix of an answer, never a whole one."""

    reason = "STREAM_INTERRUPTED"

    def __init__(self, cause: UpstreamError) -> None:
        super().__init__(f"the stream broke after part of the answer was delivered: {cause}")
        self.cause = cause


class SlowReader(SignalboxError):
    """The caller took nothing of its stream for so long that its provider was let go. It has a prefix of an answer."""

    reason = "SLOW_READER"

    def __init__(self, waited_s: float) -> None:
        super().__init__(f"nothing of the stream was read for {waited_s:g} s; read it as it comes, or ask without one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What every error tells of the request it ended: nobody has to guess whether something was sent or billed."""

    request_id: str
    target: str = ""
    attempts: int = 0
    stage: Stage = Stage.ADMISSION
    delivered_chunks: int = 0
    was_sent: bool = False
    maybe_billed: bool = False
    cost_usd_nanos: int = 0
    """What the failed attempts cost, by the providers' own figures or by estimate."""
    overhead_s: float = 0.0
    """What the router itself took of the request's time."""


class RequestFailed(SignalboxError):
    """A request's last word when it is not an answer: the error and the facts around it."""

    def __init__(self, error: SignalboxError, facts: Facts) -> None:
        super().__init__(str(error))
        self.error = error
        self.facts = facts


def _blocks(blocked: Mapping[str, BlockReason]) -> str:
    texts = {
        BlockReason.RATE_LIMITED: "is rate limited",
        BlockReason.MONEY: "is out of money",
        BlockReason.CREDENTIALS: "refuses our credentials",
        BlockReason.OVERLOADED: "asked to be left alone for a while",
    }
    return ", ".join(f"{provider} {texts[reason]}" for provider, reason in blocked.items())
