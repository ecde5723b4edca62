"""One line of the matrix: a provider's fault, and how a call ends that meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from tests.harness.hosts import Script

if TYPE_CHECKING:
    from tests.faults.stage import Played, Stage

QUICK_S, SHORT_S = 0.1, 0.25
"""Bounds of the matrix: of what is known at once, and of what takes a look at the answer."""

PATIENT = {"connect": 6, "first_byte": 6, "gap": 6, "answer": 6}
"""For faults that must not be taken for a timeout, however busy the machine."""
CONNECT_S, ANSWER_S = 0.25, 0.3
QUICKLY_CONNECTED = {**PATIENT, "connect": CONNECT_S}
SOON_ANSWERED = {**PATIENT, "first_byte": ANSWER_S, "gap": ANSWER_S, "answer": ANSWER_S}

DEADLINE_S = 20.0

CODES = {
    "": "OK",
    "UPSTREAM_CONNECT": "UNAVAILABLE",
    "UPSTREAM_DNS": "UNAVAILABLE",
    "UPSTREAM_TLS": "UNAVAILABLE",
    "UPSTREAM_TIMEOUT": "UNAVAILABLE",
    "UPSTREAM_5XX": "UNAVAILABLE",
    "UPSTREAM_BAD_RESPONSE": "UNAVAILABLE",
    "UPSTREAM_REDIRECT": "UNAVAILABLE",
    "STREAM_INTERRUPTED": "UNAVAILABLE",
    "PROVIDERS_RATE_LIMITED": "RESOURCE_EXHAUSTED",
    "UPSTREAM_RESPONSE_TOO_LARGE": "RESOURCE_EXHAUSTED",
    "UPSTREAM_MODEL_MISSING": "FAILED_PRECONDITION",
    "UPSTREAM_REJECTED_REQUEST": "INVALID_ARGUMENT",
    "CONTEXT_TOO_LONG": "INVALID_ARGUMENT",
    "CONTENT_FILTERED": "INVALID_ARGUMENT",
    "UPSTREAM_CREDENTIALS": "INTERNAL",
    "CALLER_DEADLINE": "DEADLINE_EXCEEDED",
}
"""The status that the contract has for each reason."""

OUTCOMES = {
    "UPSTREAM_CONNECT": "CONNECT",
    "UPSTREAM_DNS": "CONNECT",
    "UPSTREAM_TLS": "CONNECT",
    "UPSTREAM_TIMEOUT": "TIMEOUT",
    "UPSTREAM_5XX": "SERVER_ERROR",
    "UPSTREAM_BAD_RESPONSE": "BAD_RESPONSE",
    "UPSTREAM_REDIRECT": "BAD_RESPONSE",
    "UPSTREAM_MODEL_MISSING": "MODEL_MISSING",
    "UPSTREAM_CREDENTIALS": "CREDENTIALS",
    "PROVIDERS_RATE_LIMITED": "RATE_LIMITED",
    "PROVIDERS_OUT_OF_MONEY": "MONEY",
}
"""How an attempt is on record that another could cure."""

FINAL = {
    "",
    "STREAM_INTERRUPTED",
    "UPSTREAM_RESPONSE_TOO_LARGE",
    "UPSTREAM_REJECTED_REQUEST",
    "CONTEXT_TOO_LONG",
    "CONTENT_FILTERED",
    "CALLER_DEADLINE",
}
"""How a call ends whoever else could serve it."""

PASSING = {"UPSTREAM_CONNECT", "UPSTREAM_DNS", "UPSTREAM_TIMEOUT", "UPSTREAM_5XX", "UPSTREAM_BAD_RESPONSE"}
"""What waiting may cure: the caller is told when to come again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a call ends for its caller where nobody else can serve; `reason` is empty where it is served.

    `text` is what was delivered, where that is certain. `attempt_reason` is what the attempt is on record with, where
    that is not `reason`; `cause` is that of an interrupted stream. `retry_s` is when to come again, where that is not
    a second from now.
    """

    reason: str
    text: str | None = ""
    is_billed: bool = True
    within_s: float = SHORT_S
    cause: str = ""
    attempt_reason: str = ""
    retry_s: float | None = None

    @property
    def code(self) -> str:
        return CODES[self.reason]

    @property
    def is_final(self) -> bool:
        return self.reason in FINAL

    @property
    def waits_s(self) -> float | None:
        return 1.0 if self.reason in PASSING else self.retry_s


class Place(Enum):
    """What there is at a provider's address."""

    HOST = "a server that plays the fault"
    CLOSED = "nobody"
    FULL = "a server whose backlog is full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`row` is that of the matrix. `unary` and `streamed` say how a call of that form ends, None where the fault has no
    meaning there. `script` is the server's side, `url` where it is found, by `port`. `limits_s` are the timeouts of its
    provider; `timeout_s` is the caller's deadline. `also` asserts the row's last column. `most_mib` is how much the
    router may grow meanwhile. `is_sent` is whether the provider gets the request.
    """

    row: str
    name: str
    script: Script
    unary: Seen | None
    streamed: Seen | None
    place: Place = Place.HOST
    url: str = "http://127.0.0.1:{port}/v1"
    limits_s: Mapping[str, float] = field(default_factory=lambda: PATIENT)
    timeout_s: float = DEADLINE_S
    is_sent: bool = True
    most_mib: float | None = None
    also: Callable[[Stage, Trial, Played], None] | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to meet a fault: in either form of call, alone or with a second target that is well."""

    fault: Fault
    seen: Seen
    is_stream: bool
    has_second: bool

    @property
    def id(self) -> str:
        form = "streamed" if self.is_stream else "unary"
        return f"{self.fault.row}-{self.fault.name}-{form}-{'with-a-second' if self.has_second else 'alone'}"

    @property
    def provider(self) -> str:
        return self.id.lower()

    @property
    def waits(self) -> bool:
        """Whether a timer ends it, so that it takes as long on the quickest machine."""
        return self.fault.limits_s is not PATIENT or self.fault.timeout_s < DEADLINE_S


def trials(fault: Fault) -> Iterator[Trial]:
    """All that the fault has a meaning for. A target that serves is asked alone, and so is one that a short deadline
    would let the decision pass over.
    """
    for seen, is_stream in ((fault.unary, False), (fault.streamed, True)):
        if seen is not None:
            yield Trial(fault, seen, is_stream, has_second=False)
            if seen.reason not in ("", "CALLER_DEADLINE"):
                yield Trial(fault, seen, is_stream, has_second=True)
