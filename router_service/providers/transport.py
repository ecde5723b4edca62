"""HTTP to providers behind a small Protocol: open a call, iterate its bytes, close it, count what is open.

The transport does what it is told and no more: no retries, no redirects, no decompression, no cookies, no proxies from
the environment. Its timers are ours, since a library's read timeout starts anew at each byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from router_service.providers.dialect import HttpCall, HttpHead


@dataclass(frozen=True, slots=True)
class TransportStatistics:
    """Calls opened since the start, and those of them that are not closed yet."""

    opened: int
    open_now: int


class Response(Protocol):
    """One answer whose head has arrived."""

    @property
    def head(self) -> HttpHead:
        """Status and headers."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces cut anywhere; ends only when the body is whole by HTTP's own framing.
        Nothing of it has to be closed: `close` ends it with the answer.

        Raises BadResponse(maybe_billed) where the connection broke or closed before that.
        """

    async def close(self, *, may_reuse: bool = True) -> None:
        """Give the connection back if it may be used again and the body was read to its end, else end it at once.

        May be called twice.
        """


class Transport(Protocol):
    """Opens calls. One object for a process's life; cancelling `open` or a read closes the connection at once."""

    async def open(
        self, call: HttpCall, *, connect_s: float, on_connected: Callable[[], None], may_reuse: bool = True
    ) -> Response:
        """Send the call and wait for the head of its answer. `connect_s` bounds name, connection and TLS together;
        `on_connected` is called once there is a connection, before the first byte of the call goes out. Without
        `may_reuse` it is a new one.

        Raises ConnectFailed, NameNotResolved, TlsFailed (nothing was sent), BadResponse or ConnectFailed with
        `maybe_billed` (it was sent, at least in part, and no head came back), or of the latter KeptConnectionLost (on a
        connection that was used before, and not a byte came back).
        """

    def statistics(self) -> TransportStatistics:
        """How many calls were opened, and are open now."""

    async def close(self) -> None:
        """End everything."""
