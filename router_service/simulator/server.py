"""The simulator's server: listens, serves until a signal comes, and closes what is open."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from router_service.core.simulation import SimulatorSettings

from .connection import Connection
from .log import LogFile, RequestLog
from .state import SimulatorState

_BACKLOG = 4096


class CannotListen(Exception):
    """The address is not to be had; the text says why and what to do."""


async def serve(settings: SimulatorSettings, *, ready: Callable[[str], None]) -> signal.Signals:
    """Serve until cancellation, or until SIGTERM or SIGINT, which is returned.

    `ready` is called once with `host:port` when connections are taken.

    Raises ValueError for an address that is none, CannotListen where it is not to be had, and OSError where the log
    file cannot be opened.
    """
    host, port = split_address(settings.address)
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    with _log_file(settings.log_path, loop) as file:
        log = RequestLog(capacity=settings.log_capacity, file=file)
        state = SimulatorState(behaviours=settings.behaviours, seed=settings.seed, log=log, clock=monotonic)
        try:
            server = await loop.create_server(
                lambda: Connection(state, loop, connections), host, port, backlog=_BACKLOG
            )
        except OSError as e:
            raise CannotListen(_why_not(settings.address, e)) from e
        try:
            with _stop_signals(loop) as heard:
                ready(_bound_address(server, host))
                return await heard
        finally:
            server.close()
            for connection in tuple(connections):
                connection.close()
            await server.wait_closed()


def split_address(address: str) -> tuple[str, int]:
    """Part `host:port` or `[host]:port`. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{address}: want host:port, as in 127.0.0.1:8790")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _why_not(address: str, error: OSError) -> str:
    remedy = "choose another --simulator-address, port 0 for any"
    if error.errno == errno.EADDRINUSE:
        return f"cannot listen on {address}: another process uses it, perhaps another simulator; stop that, or {remedy}"
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no such host"
    return f"cannot listen on {address}: {reason}; {remedy}"


def _bound_address(server: asyncio.Server, host: str) -> str:
    port: int = server.sockets[0].getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def _log_file(path: Path | None, loop: asyncio.AbstractEventLoop) -> Iterator[LogFile | None]:
    if path is None:
        yield None
        return
    file = LogFile(path.open("ab"), loop)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _stop_signals(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Future[signal.Signals]]:
    heard: asyncio.Future[signal.Signals] = loop.create_future()
    # Only the main thread may take signals; elsewhere the caller cancels.
    signals = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    for number in signals:
        loop.add_signal_handler(number, _hear, heard, number)
    try:
        yield heard
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _hear(heard: asyncio.Future[signal.Signals], number: signal.Signals) -> None:
    if not heard.done():
        heard.set_result(number)
