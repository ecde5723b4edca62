"""Server-sent events from bytes cut anywhere, by the framing rules of the WHATWG specification.

Only bytes are looked at: a UTF-8 character cut in two never matters, and U+2028 or U+0085 inside a payload end no line,
as they would for str.splitlines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"


_NAMED_ERROR = frozenset({b"event: error", b"event:error"})


class EventTooLarge(ValueError):
    """One event is longer than the splitter was told to hold."""


class Event(NamedTuple):
    """The payload of one event, and whether the stream calls it an error."""

    data: bytes
    is_error: bool = False


class EventSplitter:
    """Collects bytes and gives each event that they complete; comments and other fields are dropped.

    An error is an event of that name (`event: error`), or one with a field of that name instead of `data`, which the
    specification does not know and llama.cpp has sent.
    """

    __slots__ = (
        "_data",
        "_data_bytes",
        "_held",
        "_held_bytes",
        "_is_error",
        "_is_first",
        "_max_bytes",
        "_skip_newline",
    )

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_bytes = max_event_bytes
        self._held: list[bytes] = []  # pieces of a line whose end has not come yet
        self._held_bytes = 0
        self._data: list[bytes] = []  # data lines of an event whose end has not come yet
        self._data_bytes = 0
        self._is_error = False
        self._is_first = True
        self._skip_newline = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """All events that `data` completes, in order, several `data:` lines of one joined by LF. Take them all before
        the next call.

        Raises EventTooLarge where the lines of one event, or one line of any kind, hold more bytes than is allowed, and
        after the events before it; where the bytes are cut makes no difference to that.
        """
        if self._is_first:
            data = self._without_bom(data)
        if b"\r" in data or self._skip_newline:
            data = self._with_lf_only(data)
        if b"\n" not in data:
            self._held.append(data)
            self._held_bytes += len(data)
            self._check_size(self._held_bytes)
            return
        lines = (b"".join(self._held) + data if self._held else data).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line:
                self._take(line)
            else:
                if self._data:
                    yield Event(self._data[0] if len(self._data) == 1 else b"\n".join(self._data), self._is_error)
                    self._data, self._data_bytes = [], 0
                self._is_error = False
        self._held, self._held_bytes = [rest] if rest else [], len(rest)
        self._check_size(len(rest))

    def _without_bom(self, data: bytes) -> bytes:
        """The stream's first bytes less a byte order mark, held back while they may still become one."""
        start = b"".join(self._held) + data
        self._held, self._held_bytes = [], 0
        if len(start) < len(BOM) and BOM.startswith(start):
            self._held = [start]
            self._held_bytes = len(start)
            return b""
        self._is_first = False
        return start.removeprefix(BOM)

    def _with_lf_only(self, data: bytes) -> bytes:
        """Lines may end at CRLF or a bare CR too; an LF that follows the CR at the data's end ends nothing new."""
        if self._skip_newline and data:
            data = data.removeprefix(b"\n")
            self._skip_newline = False
        self._skip_newline = self._skip_newline or data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _take(self, line: bytes) -> None:
        self._check_size(len(line))
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            self._data_bytes += len(line)
        elif line == b"data":
            self._data.append(b"")
            self._data_bytes += len(line)
        elif line.startswith(b"error:"):
            self._is_error = True
            self._data.append(line[6:])
            self._data_bytes += len(line)
        elif line in _NAMED_ERROR:
            self._is_error = True

    def _check_size(self, line_bytes: int) -> None:
        if self._data_bytes + line_bytes > self._max_bytes:
            raise EventTooLarge(f"an event is longer than {self._max_bytes} bytes")
