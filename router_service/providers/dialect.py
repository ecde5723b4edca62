"""What the service needs of a wire format: values to bytes, bytes to values, failures to our errors. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from router_service.core.catalog import Target
from router_service.core.chat import Completion, Delta, Prompt, StreamEnd, Usage
from router_service.core.errors import UpstreamError


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One HTTP request as a dialect wants it sent. Headers hold the credential: never log them."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHead:
    """The beginning of an answer. Header names are lower case; of a repeated one the last counts."""

    status: int
    headers: Mapping[str, str]


class StreamDecoder(Protocol):
    """Decodes one stream. Fed in the order of arrival, in pieces cut anywhere."""

    def feed(self, data: bytes) -> Sequence[Delta]:
        """What the bytes completed: one Delta for each valid event, an empty one where an event says nothing new; none
        from where the stream failed on.
        """

    def usage(self) -> Usage | None:
        """What the stream has reported of its usage so far, for the bill of one that ends before its end."""

    def has_finished(self) -> bool:
        """Whether the model has ended its answer by itself: nothing may follow but what ends the stream."""

    def end(self) -> StreamEnd | None:
        """The stream's own end once its terminal event was seen, else None: a stream cut before is never whole.

        Raises an UpstreamError once the stream has said that it failed, or made no sense, be it at its very end.
        """


class Dialect(Protocol):
    """A pure codec, one object for all targets that speak it."""

    def encode(self, prompt: Prompt, target: Target, *, attempt_id: str, is_stream: bool) -> HttpCall:
        """The call to make. `attempt_id` goes along as `x-request-id`, so that both sides' books can be joined."""

    def decode(self, body: bytes, target: Target) -> Completion:
        """A whole unary answer of `target`. Raises an UpstreamError where it is none, with what that reports of its
        usage.
        """

    def decoder(self, target: Target) -> StreamDecoder:
        """A fresh decoder for one streamed answer of `target`."""

    def failure(self, head: HttpHead, body: bytes) -> UpstreamError:
        """What an answer that is no success means. `body` may be cut; nothing of it goes into the error's text."""
