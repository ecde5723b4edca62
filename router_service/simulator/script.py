"""A script: everything that will be sent for one request, in pieces, with its pace and its ending."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Ending(Enum):
    """What happens to the connection after the last piece."""

    KEEP = "keep"
    FIN = "fin"
    RESET = "reset"
    HANG = "hang"


class Piece(NamedTuple):
    """Bytes that go out together, and what the log counts in them.

    A tuple and no dataclass: one is made for each event, and its making would cost more than its sending.
    """

    data: bytes
    text: bytes = b""
    """The answer's own text in `data`, as UTF-8."""
    tokens: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One answer, ready to be played; without a head nothing is sent, and the status counts as 0."""

    status: int
    head: bytes = b""
    delay_s: float = 0.0
    """From the request's end to the head."""
    pieces: Iterable[Piece] = ()
    gap_s: float = 0.0
    """Between two pieces; 0 sends them as fast as the socket takes them."""
    is_one_by_one: bool = False
    """Whether each piece is a write of its own, though there is no gap."""
    tail: bytes = b""
    """The end of the body's framing, sent together with the last piece."""
    ending: Ending = Ending.KEEP
    is_whole: bool = False
    """Whether the pieces are a whole answer, with the dialect's terminal event where it has one."""
    input_tokens: int = 0
    """What the vendor would bill for the prompt."""
