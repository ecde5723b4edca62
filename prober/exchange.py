"""One HTTP exchange over a fresh connection, with every phase of it timed: the prober's only way to a provider."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import aiodns
import httpx

from router_service.core.errors import OWN_SHORTAGES
from router_service.core.health import ProbeTiming
from router_service.providers.dialect import HttpCall

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_S = 0.25
"""An error's head says nearly all of it; so long is its body waited for."""

LONGEST_CONNECT_S = 5.0
OPEN_FILES = "OPEN_FILES"
"""The fault of an exchange for which this process had no socket left: nobody was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. Without a whole answer `fault` is the class of what went wrong, and else empty.

    Header names are in lower case. `body` is None where it is larger than anybody would read; that of an error may be
    cut.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = b""
    fault: str = ""


class Exchanges:
    """Asks over HTTP. Use as an async context manager, inside the event loop."""

    def __init__(self) -> None:
        # The system's own certificates and no proxy from the environment: the router's way, so that both see the same.
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        # Not the loop's resolver: look-ups that hang would fill its few threads and make healthy providers look bad.
        self._resolver = aiodns.DNSResolver(timeout=LONGEST_CONNECT_S, tries=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()
        await self._resolver.close()

    async def ask(self, call: HttpCall, phases: Phases, *, timeout_s: float) -> Reply:
        """One answer, or what went wrong, after `timeout_s` at most. Never raises for what a network or a provider can
        do.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(call, phases, connect_s=min(timeout_s, LONGEST_CONNECT_S))
        except (TimeoutError, httpx.TimeoutException):
            fault = "TIMEOUT"
        except aiodns.error.DNSError:
            fault = "DNS" if _has_socket_left() else OPEN_FILES
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as e:
            fault = OPEN_FILES if _is_own_shortage(e) else phases.fault()
        phases.mark("end")
        return Reply(fault=fault)

    async def _ask(self, call: HttpCall, phases: Phases, *, connect_s: float) -> Reply:
        """Try one address of each family in turn: a provider whose IPv6 is dead and whose IPv4 is alive is alive."""
        url = httpx.URL(call.url)
        addresses = await self._resolve(url.host, phases)
        for address in addresses[:-1]:
            try:
                return await self._send(call, url, address, phases, connect_s=connect_s / 2)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                phases.forget_connection()
        return await self._send(call, url, addresses[-1], phases, connect_s=connect_s)

    async def _resolve(self, host: str, phases: Phases) -> list[str]:
        if _is_address(host):
            return [host]
        phases.mark("dns.started")
        found = await self._resolver.getaddrinfo(host, port=0, type=socket.SOCK_STREAM)
        phases.mark("dns.complete")
        by_family = {node.family: _address_text(node.addr[0]) for node in reversed(found.nodes)}
        first = _address_text(found.nodes[0].addr[0])
        return [first, *(address for address in by_family.values() if address != first)]

    async def _send(self, call: HttpCall, url: httpx.URL, address: str, phases: Phases, *, connect_s: float) -> Reply:
        """To `address`, with the name that `url` holds in the request and in the certificate's check."""
        headers = {**call.headers, "host": url.netloc.decode("ascii"), "accept-encoding": "identity"}
        request = self._client.build_request(
            call.method,
            url.copy_with(host=address),
            headers=headers,
            content=call.body or None,
            timeout=httpx.Timeout(None, connect=connect_s),
            extensions={"trace": phases.trace, "sni_hostname": url.host},
        )
        response = await self._client.send(request, stream=True)
        try:
            body = await _body(response)
            phases.mark("end")  # The goodbye of a TLS connection takes longer than the rest, and tells nothing.
            return Reply(status=response.status_code, headers=dict(response.headers), body=body)
        finally:
            await response.aclose()


class Phases:
    """The times at which the phases of an exchange began and ended, from httpx's trace events and our own."""

    def __init__(self) -> None:
        self._times = {"start": time.perf_counter()}

    async def trace(self, event: str, _info: object) -> None:
        self.mark(event.partition(".")[2])

    def mark(self, event: str) -> None:
        self._times[event] = time.perf_counter()

    def forget_connection(self) -> None:
        for event in [e for e in self._times if e.startswith("connect_tcp")]:
            del self._times[event]

    def timing(self, *, is_ok: bool, status_code: int) -> ProbeTiming:
        return ProbeTiming(
            dns_s=self._between("dns.started", "dns.complete"),
            connect_s=self._between("connect_tcp.started", "connect_tcp.complete"),
            tls_s=self._between("start_tls.started", "start_tls.complete"),
            first_byte_s=self._between("send_request_body.complete", "receive_response_headers.complete"),
            total_s=self._between("start", "end"),
            is_ok=is_ok,
            status_code=status_code,
        )

    def fault(self) -> str:
        """Which class of fault an error was, by the phase it fell into."""
        if "connect_tcp.complete" not in self._times:
            return "CONNECT"
        if "start_tls.started" in self._times and "start_tls.complete" not in self._times:
            return "TLS"
        return "BAD_RESPONSE"

    def _between(self, earlier: str, later: str) -> float:
        if earlier not in self._times or later not in self._times:
            return 0.0
        return max(0.0, self._times[later] - self._times[earlier])


async def _body(response: httpx.Response) -> bytes | None:
    if response.status_code == 200:
        body = await _read(response, MAX_BODY_BYTES)
        return body if len(body) <= MAX_BODY_BYTES else None
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(ERROR_BODY_S):
            return await _read(response, MAX_ERROR_BODY_BYTES)
    return b""


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    """All of the body, or a little more than `most_bytes` of it."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > most_bytes:
            break
    return bytes(body)


def _is_own_shortage(error: BaseException | None) -> bool:
    """Whether this process, or its machine, was short of something; the reason lies under the library's own errors."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in OWN_SHORTAGES:
            return True
        error = error.__cause__ or error.__context__
    return False


def _has_socket_left() -> bool:
    """A look-up that could not open a socket only says that nobody answered."""
    try:
        socket.socket().close()
    except OSError as e:
        return e.errno not in OWN_SHORTAGES
    return True


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address_text(address: bytes | str) -> str:
    return address.decode("ascii") if isinstance(address, bytes) else address
