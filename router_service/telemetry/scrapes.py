"""Serves the page that Prometheus reads, over plain HTTP, from the event loop that counts."""

from __future__ import annotations

import asyncio
import logging
import socket
from http import HTTPStatus

from router_service.core.addresses import is_local
from router_service.telemetry.instruments import Meter
from router_service.telemetry.prometheus import Page, page

logger = logging.getLogger(__name__)

PATH = b"/metrics"
MAX_HEAD_BYTES = 16 * 1024
MAX_CONNECTIONS = 16
CONNECTION_S = 10.0
"""A whole scrape may take so long: its question, and the reading of the answer."""
RETRY_S = 5.0
"""How often a taken address is tried again."""
NO_FILES_S = 0.5
MAX_PORT = 65_535
NOTHING_HERE = Page("text/plain; charset=utf-8", b"the metrics are at /metrics\n")


class CannotServeMetrics(Exception):
    """The address is not to be had, or not to be used; the text says why and what to do."""


class Scrapes:
    """One listener. A page is put together in a thread of its own; the loop only copies figures for it."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._socket: socket.socket | None = None
        self._wanted = ""
        self._connections = 0

    def listen(self, address: str, *, allow_remote: bool) -> str:
        """Listen on `address` (HOST:PORT, port 0 for any) and return it with the port it came to be.

        Raises CannotServeMetrics where it is taken, or reaches beyond this machine without leave.
        """
        if not allow_remote and not is_local(address):
            raise CannotServeMetrics(
                f"{address} can be reached from other machines; serve metrics on 127.0.0.1, or set "
                "telemetry.allow_remote: true where the network keeps strangers out"
            )
        try:
            self._socket = _listening(address)
        except (OSError, ValueError) as e:
            reason = e.strerror if isinstance(e, OSError) else "it is no HOST:PORT"
            raise CannotServeMetrics(f"cannot serve metrics on {address}: {reason}; choose another one") from e
        return f"{address.rpartition(':')[0]}:{self._socket.getsockname()[1]}"

    def listen_later(self, address: str) -> None:
        """`run` tries from time to time to get it."""
        self._wanted = address

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._socket is None:
            self._socket = await self._awaited(self._wanted)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    try:
                        connection, _ = await loop.sock_accept(self._socket)
                    except OSError:  # most likely there are too many open files
                        await asyncio.sleep(NO_FILES_S)
                    else:
                        group.create_task(self._serve(connection))
        finally:
            self._socket.close()

    async def _awaited(self, address: str) -> socket.socket:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                found = _listening(address)
            except OSError:
                continue
            logger.info("metrics are served on %s", address)
            return found

    async def _serve(self, connection: socket.socket) -> None:
        """One question, one answer. Whatever is wrong with the asker ends here."""
        self._connections += 1
        connection.settimeout(0)
        try:
            async with asyncio.timeout(CONNECTION_S):
                await self._answer(connection)
        except (OSError, TimeoutError):
            pass
        except Exception:  # the root of a connection's task: a fault of ours in one ends no other
            logger.exception("a page of metrics could not be made")
        finally:
            self._connections -= 1
            connection.close()

    async def _answer(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        head = await _head(connection)
        method, path, *_ = *head.split(b" ", 2), b"", b""
        status, answer = HTTPStatus.OK, NOTHING_HERE
        if method not in (b"GET", b"HEAD"):
            status = HTTPStatus.METHOD_NOT_ALLOWED
        elif path.partition(b"?")[0] != PATH:
            status = HTTPStatus.NOT_FOUND
        elif self._connections > MAX_CONNECTIONS:
            status = HTTPStatus.SERVICE_UNAVAILABLE
        else:
            answer = await asyncio.to_thread(page, self._meter.collect())
        body = b"" if method == b"HEAD" else answer.body
        await loop.sock_sendall(connection, _written_head(status, answer) + body)


async def _head(connection: socket.socket) -> bytes:
    """The question up to its blank line, or as much of it as is allowed or comes."""
    loop = asyncio.get_running_loop()
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
        data = await loop.sock_recv(connection, MAX_HEAD_BYTES)
        if not data:
            raise ConnectionResetError
        head += data
    return head


def _written_head(status: HTTPStatus, answer: Page) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {answer.content_type}",
        f"content-length: {len(answer.body)}",
        "connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _listening(address: str) -> socket.socket:
    """Raises OSError, and ValueError where the address is none."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not (host and port.isascii() and port.isdigit() and int(port) <= MAX_PORT):
        raise ValueError(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.create_server((host, int(port)), family=family, backlog=MAX_CONNECTIONS)
    found.settimeout(0)
    return found
