"""HTTP/1.1 answers as bytes: the head, and the framing of a body."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus

JSON = b"application/json"
EVENTS = b"text/event-stream; charset=utf-8"
HTML = b"text/html; charset=utf-8"
NDJSON = b"application/x-ndjson"

LAST_CHUNK = b"0\r\n\r\n"


class Framing(Enum):
    """How the reader of a body knows where it ends, besides a stated length."""

    CHUNKED = b"transfer-encoding: chunked\r\n"
    UNTIL_FIN = b"connection: close\r\n"


def head(status: int, content_type: bytes, *, body: int | Framing, fields: bytes = b"") -> bytes:
    """Return a status line and header block; `body` is a length in bytes or a framing, `fields` whole header lines."""
    framing = b"content-length: %d\r\n" % body if isinstance(body, int) else body.value
    return b"%bcontent-type: %b\r\n%b%b\r\n" % (_STATUS_LINES[status], content_type, fields, framing)


def header(name: bytes, value: str) -> bytes:
    """Return one header line; a value that is not Latin-1 is sent with question marks."""
    return b"%b: %b\r\n" % (name, value.encode("latin-1", "replace"))


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; `data` must not be empty, because an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _phrase(status: int) -> str:
    # Vendors invent numbers, such as 498 and 529, that the registry does not know.
    return next((known.phrase for known in HTTPStatus if known == status), "Unregistered")


def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {_phrase(status)}\r\nserver: signalbox-simulator\r\n".encode()


_STATUS_LINES = {status: _status_line(status) for status in range(200, 600)}
