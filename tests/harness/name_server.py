"""A name server on loopback that fails as the first label of a name says, and a router that asks it."""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.harness.processes import Process

ADDRESS_RECORD, LOOPBACK = 1, bytes([127, 0, 0, 1])
RESPONSE_CODES = {"servfail": 2, "nxdomain": 3}
SILENT = "hanging"


@dataclass(slots=True)
class NameServer:
    """Where it listens, and the names that it was asked for."""

    port: int = 0
    asked: set[str] = field(default_factory=set)


@contextmanager
def name_server() -> Iterator[NameServer]:
    """Knows every name as 127.0.0.1, but `nxdomain…`, `servfail…`, and `hanging…`, which it does not answer."""
    server = NameServer()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, socket = self.request
            name = _name(query)
            server.asked.add(name)
            if not name.startswith(SILENT):
                socket.sendto(_answer(query, name), self.client_address)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as udp:
        server.port = udp.server_address[1]
        thread = threading.Thread(target=udp.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            udp.shutdown()
            thread.join(5)


def asking(server: NameServer, router: Process) -> Process:
    """The same router, looking names up there."""
    script = str(Path(__file__).with_name("router_asking.py"))
    return replace(router, command=[sys.executable, script, str(server.port), *router.command[1:]])


def _name(query: bytes) -> str:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower()


def _answer(query: bytes, name: str) -> bytes:
    """One address where one is asked for, nothing for other kinds, or the error that the name asks for."""
    end = query.index(0, 12) + 5
    code = RESPONSE_CODES.get(name.partition(".")[0], 0)
    is_found = not code and int.from_bytes(query[end - 4 : end - 2]) == ADDRESS_RECORD
    head = query[:2] + (0x8180 | code).to_bytes(2) + bytes([0, 1, 0, is_found, 0, 0, 0, 0])
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + LOOPBACK
    return head + query[12:end] + (record if is_found else b"")
