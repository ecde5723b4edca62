"""The transport on aiohttp: its connection pool and parser, none of its timers, and its errors mapped in one place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.resolver import AsyncResolver
from aiohttp.tracing import Trace
from yarl import URL

from router_service.core.errors import (
    BadResponse,
    ConnectFailed,
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
NO_TIMERS = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


_ON_CONNECTED: ContextVar[Callable[[], None]] = ContextVar("on_connected")


class _EndingHandler(ResponseHandler):
    """Ends a body whose connection is lost: after a fault in chunked framing aiohttp's C parser leaves it waiting."""

    def connection_lost(self, exc: BaseException | None) -> None:
        payload = self._payload
        super().connection_lost(exc)
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError())


class _TellingConnector(aiohttp.TCPConnector):
    """Tells the call under way when it has its connection; aiohttp's own tracing does so at ten times the cost."""

    def __init__(self) -> None:
        super().__init__(limit=0, resolver=AsyncResolver(), keepalive_timeout=KEEP_ALIVE_S)
        handler: type[ResponseHandler] = _EndingHandler
        self._factory = partial(handler, loop=self._loop)

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _ON_CONNECTED.get()()
        return connection


class AiohttpTransport:
    """Implements Transport. Build it inside the running loop."""

    def __init__(self) -> None:
        # aiodns instead of the default resolver: hanging look-ups must not fill a small thread pool.
        self._session = aiohttp.ClientSession(
            connector=_TellingConnector(),
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

    async def open(self, call: HttpCall, *, connect_s: float, on_connected: Callable[[], None]) -> AiohttpResponse:
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=None, sock_read=None)
        _ON_CONNECTED.set(on_connected)
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
                raise _mapped(e) from e
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

    async def chunks(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except asyncio.CancelledError:
            self._response.close()
            raise
        except (aiohttp.ClientError, OSError) as e:
            raise BadResponse(_broken(e), stage=Stage.STREAM, maybe_billed=True) from e

    async def close(self, *, may_reuse: bool = True) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._transport.closed_one()
        if may_reuse and self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


def _mapped(error: Exception) -> UpstreamError:
    """aiohttp's errors before a head arrived. Texts are ours: theirs name hosts, and URLs with their queries."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return NameNotResolved("the provider's host name could not be resolved", stage=Stage.CONNECT)
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return TlsFailed("no trusted TLS connection to the provider", stage=Stage.CONNECT)
        case aiohttp.ConnectionTimeoutError():
            return ConnectFailed("no connection to the provider in time", stage=Stage.CONNECT)
        case aiohttp.ClientConnectorError():
            return ConnectFailed("no connection to the provider", stage=Stage.CONNECT)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            text = "the provider closed the connection without an answer"
            return ConnectFailed(text, stage=Stage.FIRST_BYTE, maybe_billed=True)
        case aiohttp.ClientError() | ValueError() | socket.gaierror():
            return BadResponse("the provider's answer is not valid HTTP", stage=Stage.FIRST_BYTE, maybe_billed=True)
        case _:
            raise error


def _broken(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the provider closed the connection inside its answer"
    return "the connection to the provider broke inside its answer"
