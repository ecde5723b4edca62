"""Writes log lines to a descriptor from a thread of its own, so that a log that nobody reads stops no request."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

GATHER_S = 0.05
MAX_HELD_BYTES = 4 * 1024 * 1024
CLOSE_S = 1.0


class LineWriter:
    """Gathers lines for GATHER_S and writes many at once: a write for each would be a tenth of a request's cost.

    Beyond MAX_HELD_BYTES that nobody has taken, new lines are dropped. Once lines are taken again, a line made by
    `lost_line` from the number of lost ones stands where they are missing. A process that is killed takes along what
    it gathered last.
    """

    def __init__(self, descriptor: int, lost_line: Callable[[int], bytes]) -> None:
        self._descriptor = descriptor
        self._lost_line = lost_line
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._lost = 0
        self._told = 0
        self._is_torn = False
        self._is_closed = False
        self._has_some = threading.Event()
        self._is_pressed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-lines", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many lines were dropped since a line last told of it."""
        return self._lost

    @property
    def lost_in_all(self) -> int:
        """How many lines were dropped since the start."""
        return self._told + self._lost

    def put(self, line: bytes) -> None:
        """Hold one line, given without its end. Never waits; may be called from any thread."""
        with self._lock:
            if self._is_closed or self._held_bytes + len(line) > MAX_HELD_BYTES:
                self._lost += 1
                return
            self._held.append(line)
            self._held_bytes += len(line)
            if len(self._held) == 1:
                self._has_some.set()

    def close(self, within_s: float = CLOSE_S) -> None:
        """Write what is held, for a bounded time, and end the thread. The descriptor stays open: it is not ours."""
        with self._lock:
            self._is_closed = True
            self._has_some.set()
            self._is_pressed.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while not self._is_closed or self._held:
            self._has_some.wait()
            self._is_pressed.wait(GATHER_S)
            with self._lock:
                lines, self._held, self._held_bytes = self._held, [], 0
                lost, self._lost = self._lost, 0
                self._told += lost
                self._has_some.clear()
            if lost:
                lines.append(self._lost_line(lost))
            if lines:
                self._write(lines, lost)

    def _write(self, lines: list[bytes], lost: int) -> None:
        """Write them whole, however slowly they are taken. An error adds those that it stopped to the lost ones, and
        to `lost`, which the last line tells of if it is not zero.
        """
        torn_end = b"\n" if self._is_torn else b""
        data = torn_end + b"\n".join(lines) + b"\n"
        written = 0
        try:
            while written < len(data):
                written += self._wait_and_write(memoryview(data)[written:])
        except OSError:
            stopped = data.count(b"\n", max(written, len(torn_end)))
            with self._lock:
                self._lost += lost + stopped - (1 if lost else 0)
                self._told -= lost
        if written:
            self._is_torn = data[written - 1 : written] != b"\n"

    def _wait_and_write(self, data: memoryview) -> int:
        """As os.write, and on a descriptor that does not block, as one shared with others may be, once it can."""
        while True:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
