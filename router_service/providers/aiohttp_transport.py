"""The transport on aiohttp: its connection pool and parser, none of its timers, and its errors mapped in one place."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from aiohttp.resolver import AsyncResolver
from aiohttp.tracing import Trace
from yarl import URL

from router_service.core.addresses import is_metadata
from router_service.core.errors import (
    OWN_SHORTAGES,
    BadResponse,
    ConnectFailed,
    KeptConnectionLost,
    NameNotResolved,
    Stage,
    TlsFailed,
    UpstreamError,
)
from router_service.providers.dialect import HttpCall, HttpHead
from router_service.providers.transport import TransportStatistics

KEEP_ALIVE_S = 30.0
MAX_HEADER_BYTES = 32 * 1024
READ_BUFFER_BYTES = 64 * 1024
LONGEST_JOURNEY_S = 0.5
"""There and back again between this process and a provider, however far."""
NO_TIMERS = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class _Phase(Enum):
    """What a call without a connection waits for."""

    NAME = "name"
    CONNECTION = "connection"
    HANDSHAKE = "handshake"


@dataclass(slots=True)
class _Opening:
    """A call on its way to a connection."""

    is_tls: bool
    on_connected: Callable[[], None]
    may_reuse: bool
    phase: _Phase = _Phase.CONNECTION
    handler: _Handler | None = None
    is_reused: bool = False
    connected_at: float = 0.0
    """On the monotonic clock."""

    def connected(self, handler: _Handler) -> None:
        self.handler, self.is_reused, self.connected_at = handler, handler.is_used, time.monotonic()
        handler.is_used, handler.has_heard = True, False
        self.on_connected()

    @property
    def lost_a_kept_connection(self) -> bool:
        """Whether the provider closed it as the call went out, and not over the call: that takes one journey there and
        back at most.
        """
        is_unheard = self.is_reused and self.handler is not None and not self.handler.has_heard
        return is_unheard and time.monotonic() - self.connected_at < LONGEST_JOURNEY_S


_OPENING: ContextVar[_Opening] = ContextVar("opening")


class _Handler(ResponseHandler):
    """Ends a body whose connection is lost: after a fault in chunked framing aiohttp's C parser leaves it waiting.

    Knows besides whether the connection has served a call before, and whether anything came back for this one.
    """

    is_used = False
    has_heard = False

    def data_received(self, data: bytes) -> None:
        self.has_heard = True
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        payload = self._payload
        super().connection_lost(exc)
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError())


class _TellingConnector(aiohttp.TCPConnector):
    """Tells the call under way how far it is; aiohttp's own tracing does so at ten times the cost."""

    def __init__(self, resolver: AbstractResolver) -> None:
        super().__init__(limit=0, resolver=resolver, keepalive_timeout=KEEP_ALIVE_S)
        # aiohttp makes the protocol of each connection by it.
        self._factory = self._handler  # type: ignore[assignment]

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        assert isinstance(connection.protocol, _Handler)
        _OPENING.get().connected(connection.protocol)
        return connection

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        return await super()._get(key, traces) if _OPENING.get().may_reuse else None

    async def _resolve_host(self, host: str, port: int, traces: Sequence[Trace] | None = None) -> list[ResolveResult]:
        opening = _OPENING.get()
        opening.phase = _Phase.NAME
        addresses = await super()._resolve_host(host, port, traces)
        opening.phase = _Phase.CONNECTION
        # The configuration refuses such addresses; a name may still come to lead to one.
        if any(is_metadata(address["host"]) for address in addresses):
            raise OSError(errno.EADDRNOTAVAIL, "the name leads to where clouds keep a machine's credentials")
        return addresses

    def _handler(self) -> ResponseHandler:
        """Asked for once the socket is connected, and before TLS begins on it."""
        _OPENING.get().phase = _Phase.HANDSHAKE
        return _Handler(self._loop)


class AiohttpTransport:
    """Implements Transport. Build it inside the running loop."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        # aiodns instead of the default resolver: hanging look-ups must not fill a small thread pool.
        self._session = aiohttp.ClientSession(
            connector=_TellingConnector(resolver or AsyncResolver()),
            timeout=NO_TIMERS,
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("user-agent", "accept-encoding"),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            read_bufsize=READ_BUFFER_BYTES,
        )
        self._opened = 0
        self._open = 0

    async def open(
        self, call: HttpCall, *, connect_s: float, on_connected: Callable[[], None], may_reuse: bool = True
    ) -> AiohttpResponse:
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=None, sock_read=None)
        opening = _Opening(call.url.startswith("https:"), on_connected, may_reuse)
        _OPENING.set(opening)
        self._opened += 1
        self._open += 1
        try:
            response = await self._session.request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body or None,
                allow_redirects=False,
                timeout=timeout,
            )
        except BaseException as e:
            self._open -= 1
            if isinstance(e, Exception):
                raise _mapped(e, opening) from e
            raise
        return AiohttpResponse(response, self)

    def statistics(self) -> TransportStatistics:
        return TransportStatistics(opened=self._opened, open_now=self._open)

    async def close(self) -> None:
        await self._session.close()

    def closed_one(self) -> None:
        """A response was closed; it says so itself."""
        self._open -= 1


class AiohttpResponse:
    """Implements Response."""

    __slots__ = ("_is_closed", "_response", "_transport", "head")

    def __init__(self, response: aiohttp.ClientResponse, transport: AiohttpTransport) -> None:
        self._response = response
        self._transport = transport
        self._is_closed = False
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.head = HttpHead(status=response.status, headers=headers)

    def chunks(self) -> AsyncIterator[bytes]:
        return _Chunks(self._response)

    async def close(self, *, may_reuse: bool = True) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._transport.closed_one()
        if may_reuse and self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class _Chunks:
    """The body's pieces. No generator, which whoever stops inside a body would have to close."""

    __slots__ = ("_response",)

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._response.content.readany()
        except asyncio.CancelledError:
            self._response.close()
            raise
        except (aiohttp.ClientError, OSError) as e:
            raise BadResponse(_broken(e), stage=Stage.STREAM, maybe_billed=True) from e
        if not chunk:
            raise StopAsyncIteration
        return chunk


def _mapped(error: Exception, opening: _Opening) -> UpstreamError:
    """aiohttp's errors before a head arrived. Texts are ours: theirs name hosts, and URLs with their queries."""
    match error:
        case OSError() if _is_own_shortage(error):
            return ConnectFailed.for_want_of_our_own()
        case aiohttp.ClientConnectorDNSError():
            return NameNotResolved("the provider's host name could not be resolved", stage=Stage.CONNECT)
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return TlsFailed("no trusted TLS connection to the provider", stage=Stage.CONNECT)
        case aiohttp.ConnectionTimeoutError():
            return _too_late(opening)
        case aiohttp.ClientConnectorError():
            return ConnectFailed("no connection to the provider", stage=Stage.CONNECT)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            if opening.lost_a_kept_connection:
                text = "the provider had closed a connection that was kept for the next call"
                return KeptConnectionLost(text, stage=Stage.FIRST_BYTE, maybe_billed=True)
            text = "the provider closed the connection without an answer"
            return ConnectFailed(text, stage=Stage.FIRST_BYTE, maybe_billed=True)
        case aiohttp.ClientError() | ValueError() | socket.gaierror():
            return BadResponse("the provider's answer is not valid HTTP", stage=Stage.FIRST_BYTE, maybe_billed=True)
        case _:
            raise error


def _is_own_shortage(error: OSError) -> bool:
    """Whether the call failed for want of something of ours, a socket as a rule, before it went anywhere.

    A look-up that fails does not tell why: then it is tried whether a socket is to be had.
    """
    if not isinstance(error, aiohttp.ClientConnectorDNSError):
        return isinstance(error, aiohttp.ClientConnectorError) and error.errno in OWN_SHORTAGES
    try:
        socket.socket().close()
    except OSError as e:
        return e.errno in OWN_SHORTAGES
    return False


def _too_late(opening: _Opening) -> UpstreamError:
    match opening.phase:
        case _Phase.NAME:
            return NameNotResolved("the provider's host name was not resolved in time", stage=Stage.CONNECT)
        case _Phase.HANDSHAKE if opening.is_tls:
            return TlsFailed("the provider did not finish the TLS handshake in time", stage=Stage.CONNECT)
        case _:
            return ConnectFailed("no connection to the provider in time", stage=Stage.CONNECT)


def _broken(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the provider closed the connection inside its answer"
    return "the connection to the provider broke inside its answer"
