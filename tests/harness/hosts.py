"""Providers of raw bytes, each at an address of its own: a script plays the server's side of every connection.

A script is an ordinary function over blocking sockets, so that it can do whatever a server can: leave a handshake
hanging, send one byte at a time, reset. What it heard and whether its client has gone is kept for the test.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

PATIENCE_S = 10.0
"""How long a script waits for its client at most."""
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent: the line and headers, and its JSON, if any."""

    head: bytes
    body: Mapping[str, object]

    @property
    def is_stream(self) -> bool:
        return bool(self.body.get("stream"))


Script = Callable[["Peer"], None]


@dataclass(slots=True)
class Host:
    """One listener and what happened there."""

    script: Script
    port: int = 0
    contexts: Mapping[str, ssl.SSLContext] = field(default_factory=dict)
    elsewhere_port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    """All that came, less what belongs to TLS where a handshake was made."""
    open_now: int = 0
    is_over: bool = False
    _seen: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def saw(self) -> None:
        """The caller has another piece of this host's answer."""
        with self._changed:
            self._seen += 1
            self._changed.notify_all()

    def begun(self) -> None:
        with self._changed:
            self.connections += 1
            self.open_now += 1

    def ended(self) -> None:
        with self._changed:
            self.open_now -= 1

    def await_seen(self, pieces: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._seen >= pieces or self.is_over, PATIENCE_S)

    def wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.is_over, seconds)

    def close(self) -> None:
        with self._changed:
            self.is_over = True
            self._changed.notify_all()


class Peer:
    """The server's end of one connection. Each method raises OSError once the client has gone."""

    def __init__(self, connection: socket.socket, host: Host) -> None:
        self._socket = connection
        self.host = host

    def encrypt(self, context: str) -> None:
        """Make the handshake with that context's certificate."""
        self._socket = self.host.contexts[context].wrap_socket(self._socket, server_side=True)

    def read(self) -> bytes:
        """Whatever comes next; empty where the client closed."""
        data = self._socket.recv(READ_BYTES)
        self.host.heard += data
        return data

    def request(self) -> Request:
        """Read one whole request."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += self._some()
        request = Request(head, json.loads(body) if body else {})
        self.host.requests.append(request)
        return request

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._socket.sendall(piece)

    def wait(self, seconds: float) -> None:
        self.host.wait(seconds)
        if self.host.is_over:
            raise ConnectionAbortedError

    def await_seen(self, pieces: int) -> None:
        """Go on once the caller has so many pieces of the answer."""
        self.host.await_seen(pieces)

    def await_gone(self) -> None:
        """Return when the client has closed the connection, politely or not."""
        while self.read():
            pass

    def reset(self) -> None:
        """End the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        """End the connection in order, with all that was sent."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _some(self) -> bytes:
        if data := self.read():
            return data
        raise ConnectionAbortedError


class Hosts:
    """Many listeners served by one thread, and each connection by one of its own."""

    def __init__(self, contexts: Mapping[str, ssl.SSLContext] | None = None) -> None:
        """`contexts` are what its hosts can encrypt with, by name. `elsewhere` is one that all of them can point at."""
        self._contexts = contexts or {}
        self._selector = selectors.DefaultSelector()
        self._hosts: list[Host] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.elsewhere = self.add(Peer.await_gone)

    def add(self, script: Script, *, backlog: int = 256) -> Host:
        """A host that plays the script to everybody who connects; so many may wait to be accepted."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        elsewhere_port = self.elsewhere.port if self._hosts else 0
        host = Host(script, listener.getsockname()[1], self._contexts, elsewhere_port)
        self._hosts.append(host)
        self._selector.register(listener, selectors.EVENT_READ, partial(self._play, host))
        return host

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Accepts for as long as the block lasts, in which no host may be added."""
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join(PATIENCE_S)
            for host in self._hosts:
                host.close()
            for key in list(self._selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()
            self._selector.close()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            for key, _ in self._selector.select(0.05):
                assert isinstance(key.fileobj, socket.socket)
                connection, _ = key.fileobj.accept()
                threading.Thread(target=key.data, args=(connection,), daemon=True).start()

    @staticmethod
    def _play(host: Host, connection: socket.socket) -> None:
        host.begun()
        connection.settimeout(PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(connection, host)
        with suppress(OSError):  # a client that leaves is within its rights
            host.script(peer)
        peer.close()
        host.ended()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens; it is bound, so that nobody begins to."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        yield port


@contextmanager
def full_port() -> Iterator[tuple[int, frozenset[int]]]:
    """A port that neither accepts nor refuses, since its backlog is full, and the ports of those who fill it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port: int = listener.getsockname()[1]
        with filled(port) as fillers:
            yield port, fillers


@contextmanager
def filled(port: int) -> Iterator[frozenset[int]]:
    """Nobody else gets in where the backlog is none; gives the ports of those who wait."""
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    try:
        yield frozenset(one.getsockname()[1] for one in waiting)
    finally:
        for one in waiting:
            one.close()
