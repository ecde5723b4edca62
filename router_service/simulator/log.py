"""The request log: one row a request, bounded in memory, and appended to a file where one is named."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime
from itertools import islice
from typing import BinaryIO

import msgspec


class LogRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one request; times with `_s` and `started` are seconds since the server's start.

    A msgspec struct and no dataclass, because one is made for each request and written as JSON as it stands.
    """

    time: datetime
    """When the request's first byte came, on the wall clock."""
    connection: int
    attempt_id: str
    provider: str
    model: str
    complete_request: bool
    status: int
    """What the head said; 0 where no head was sent."""
    events: int
    """Whole events handed to the socket; an answer that is not streamed has none."""
    input_tokens: int
    output_tokens: int
    terminal: bool
    closed_by: str
    """`none` where the connection was kept, else `client` or `server`."""
    text_sha256: str
    """Of the text handed to the socket, as UTF-8; empty where there was none."""
    path: str
    stream: bool
    fault: str
    started: float
    first_byte_s: float | None
    ended_s: float


class RequestLog:
    """The rows in order of their ends; each has a number, counted from 1 and never used twice."""

    def __init__(self, *, capacity: int, file: LogFile | None) -> None:
        """Keep at most `capacity` rows."""
        self._rows: deque[LogRow] = deque(maxlen=capacity)
        self._last_number = 0
        self._file = file
        self.dropped = 0
        """Rows that fell out of memory since the log was last emptied."""

    def append(self, row: LogRow) -> None:
        """Add a row, and drop the oldest if there is no room."""
        if len(self._rows) == self._rows.maxlen:
            self.dropped += 1
        self._rows.append(row)
        self._last_number += 1
        if self._file is not None:
            self._file.append(row)

    def read(self, after: int) -> tuple[bytes, int]:
        """Return the rows numbered higher than `after` as NDJSON, and the number to go on from."""
        first_kept = self._last_number - len(self._rows)
        rows = list(islice(self._rows, max(0, after - first_kept), None))
        return _ENCODER.encode_lines(rows), self._last_number

    def empty(self) -> None:
        """Forget all rows; the numbers go on."""
        self._rows.clear()
        self.dropped = 0


class LogFile:
    """A file that rows are appended to a little later, in batches, so that answers do not wait for it."""

    def __init__(self, file: BinaryIO, loop: asyncio.AbstractEventLoop) -> None:
        """Take over `file`, which is open for appending."""
        self._file = file
        self._loop = loop
        self._waiting: deque[LogRow] = deque()
        self._timer: asyncio.Handle | None = None

    def append(self, row: LogRow) -> None:
        """Have the row written within about a tenth of a second."""
        self._waiting.append(row)
        if self._timer is None:
            self._timer = self._loop.call_later(_FLUSH_AFTER_S, self._flush)

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._timer is not None:
            self._timer.cancel()
        self._write(len(self._waiting))
        self._file.close()

    def _flush(self) -> None:
        self._write(_BATCH)
        # A backlog goes on in the loop's next round, after the answers that are due by then; a few rows wait for more.
        if len(self._waiting) >= _BATCH:
            self._timer = self._loop.call_soon(self._flush)
        else:
            self._timer = self._loop.call_later(_FLUSH_AFTER_S, self._flush) if self._waiting else None

    def _write(self, limit: int) -> None:
        rows = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._file.write(_ENCODER.encode_lines(rows))
        self._file.flush()


_ENCODER = msgspec.json.Encoder()
_FLUSH_AFTER_S = 0.1
_BATCH = 1000
