"""Transformations of a body's pieces: how events are framed, where the body is cut, and how finely it is divided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, islice

from .faults import Fault
from .script import Piece
from .wire import chunk

_PING = b": ping"
_PINGS_BEFORE_FIRST = 40
_PINGS_BETWEEN = 3
_COALESCED = 64


def framed_events(payloads: Iterable[Piece], fault: Fault) -> Iterator[Piece]:
    """Yield each payload as a server-sent event, written the way the fault asks for."""
    line_end = _line_end(fault)
    if fault.bom:
        yield Piece(b"\xef\xbb\xbf")
    if not (fault.comments or fault.multi_line_data or line_end != b"\n"):
        for data, text, tokens, events in payloads:
            yield Piece(b"data: %b\n\n" % data, text, tokens, events)
        return
    for number, piece in enumerate(payloads):
        if fault.comments:
            yield Piece((_PING + line_end) * (_PINGS_BETWEEN if number else _PINGS_BEFORE_FIRST))
        lines = _split_payload(piece.data) if fault.multi_line_data else (piece.data,)
        yield piece._replace(data=b"".join(b"data: %b%b" % (line, line_end) for line in lines) + line_end)


def endless_pings(fault: Fault) -> Iterator[Piece]:
    """Yield comments for ever, and never an event."""
    line_end = _line_end(fault)
    for _ in count():
        yield Piece(_PING + line_end * 2)


def cut_events(pieces: Iterable[Piece], events: int) -> tuple[list[Piece], bool]:
    """Return the pieces of the first so many events, and whether anything was cut away."""
    kept: list[Piece] = []
    left = events
    for piece in pieces:
        if piece.events > left:
            return kept, True
        kept.append(piece)
        left -= piece.events
    return kept, False


def cut_bytes(pieces: Iterable[Piece], size: int) -> tuple[list[Piece], bool]:
    """Return the pieces of the first so many bytes, and whether anything was cut away.

    A piece that is cut counts neither as text nor as an event: its reader cannot use it.
    """
    kept: list[Piece] = []
    left = size
    for piece in pieces:
        if len(piece.data) > left:
            if left:
                kept.append(Piece(piece.data[:left]))
            return kept, True
        kept.append(piece)
        left -= len(piece.data)
    return kept, False


def single_bytes(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield a piece for each byte; the last byte of a piece carries what the whole piece counted."""
    for data, text, tokens, events in pieces:
        for at in range(len(data) - 1):
            yield Piece(data[at : at + 1])
        yield Piece(data[-1:], text, tokens, events)


def token_by_token(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces with one token each; what carries no token goes out with a neighbour."""
    waiting: list[Piece] = []
    has_token = False
    for piece in pieces:
        if piece.tokens and has_token:
            yield _joined(waiting)
            waiting, has_token = [], False
        waiting.append(piece)
        has_token = has_token or piece.tokens > 0
    if waiting:
        yield _joined(waiting)


def coalesced(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces joined by the dozen, for a body that is sent as fast as it goes."""
    source = iter(pieces)
    while some := list(islice(source, _COALESCED)):
        yield _joined(some)


def chunked(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield each piece as one chunk of a chunked body."""
    for data, text, tokens, events in pieces:
        yield Piece(chunk(data), text, tokens, events)


def _line_end(fault: Fault) -> bytes:
    if fault.crlf:
        return b"\r\n"
    return b"\r" if fault.bare_cr else b"\n"


def _split_payload(payload: bytes) -> tuple[bytes, ...]:
    # The lines join with a line feed, which JSON allows inside its outermost braces.
    if not (payload.startswith(b"{") and payload.endswith(b"}")):
        return (payload,)
    return payload[:1], payload[1:-1], payload[-1:]


def _joined(pieces: list[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return Piece(
        b"".join([piece.data for piece in pieces]),
        b"".join([piece.text for piece in pieces]),
        sum([piece.tokens for piece in pieces]),
        sum([piece.events for piece in pieces]),
    )
