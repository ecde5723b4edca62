"""The player: sends one script over one connection, in the script's time and no faster than the reader reads."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from hashlib import sha256
from typing import assert_never

from .script import Ending, Piece, Script

_PIECES_A_TURN = 16
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Player:
    """One script under way; what it has sent so far can be read at any time.

    No task runs behind it: each step is a callback of the event loop, so that an answer without a delay is sent whole
    while its request is still being read.
    """

    __slots__ = (
        "_ahead",
        "_began_s",
        "_clock",
        "_ended",
        "_hash",
        "_is_paused",
        "_loop",
        "_pieces",
        "_script",
        "_timer",
        "_transport",
        "_turns",
        "events",
        "first_byte_s",
        "is_done",
        "output_tokens",
    )

    def __init__(
        self,
        script: Script,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        *,
        clock: Callable[[], float],
        ended: Callable[[Ending], None],
    ) -> None:
        """Prepare to send; `ended` is called once the last byte was handed over and the connection dealt with.

        A script that hangs never calls it.
        """
        self._script = script
        self._transport = transport
        self._loop = loop
        self._ended = ended
        self._clock = clock
        self._pieces = iter(script.pieces)
        self._ahead = next(self._pieces, None)
        self._hash = sha256()
        self._timer: asyncio.Handle | None = None
        self._is_paused = False
        self._began_s = 0.0
        self._turns = 0
        self.events = 0
        self.output_tokens = 0
        self.first_byte_s: float | None = None
        """The clock when the head went out; None before."""
        self.is_done = False
        """Whether every piece was handed to the socket."""

    def start(self) -> None:
        """Begin, now or after the script's delay."""
        if self._script.delay_s > 0.0:
            self._timer = self._loop.call_later(self._script.delay_s, self._begin)
        else:
            self._begin()

    def stop(self) -> None:
        """Send nothing more."""
        self._is_paused = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pause(self) -> None:
        """Wait: the reader is behind."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on after a pause."""
        self._is_paused = False
        if self.first_byte_s is not None and not self.is_done and self._timer is None:
            self._timer = self._loop.call_soon(self._turn)

    def text_sha256(self) -> str:
        """Return the hash of the text sent so far, or nothing if there was none."""
        return self._hash.hexdigest() if self.output_tokens else ""

    def _begin(self) -> None:
        self._began_s = self._clock()
        if self._script.head:
            self.first_byte_s = self._began_s
        self._play(self._script.head)

    def _turn(self) -> None:
        self._play(b"")

    def _play(self, head: bytes) -> None:
        self._timer = None
        pieces = self._take(self._due())
        is_last = self._ahead is None
        self._send(head, pieces, self._script.tail if is_last else b"")
        if is_last:
            self.is_done = True
            self._finish()
        elif not self._is_paused:
            self._wait()

    def _take(self, count: int) -> list[Piece]:
        # One piece is always fetched ahead, because the last one goes out together with the tail and the ending.
        taken: list[Piece] = []
        while self._ahead is not None and len(taken) < count:
            taken.append(self._ahead)
            self._ahead = next(self._pieces, None)
        return taken

    def _due(self) -> int:
        # Paced pieces are counted from the beginning, so that a late turn sends what is overdue and the pace holds.
        if self._script.gap_s:
            due = int((self._clock() - self._began_s) / self._script.gap_s + 1e-6) + 1 - self._turns
            self._turns += max(0, due)
            return max(0, due)
        return 1 if self._script.is_one_by_one else _PIECES_A_TURN

    def _send(self, head: bytes, pieces: list[Piece], tail: bytes) -> None:
        for piece in pieces:
            self.events += piece.events
            self.output_tokens += piece.tokens
            if piece.text:
                self._hash.update(piece.text)
        data = b"".join((head, *[piece.data for piece in pieces], tail))
        if data:
            self._transport.write(data)

    def _wait(self) -> None:
        if self._script.gap_s:
            due_s = self._began_s + self._turns * self._script.gap_s
            self._timer = self._loop.call_later(max(0.0, due_s - self._clock()), self._turn)
        else:
            self._timer = self._loop.call_soon(self._turn)

    def _finish(self) -> None:
        match self._script.ending:
            case Ending.KEEP:
                self._ended(Ending.KEEP)
            case Ending.FIN:
                self._transport.close()
                self._ended(Ending.FIN)
            case Ending.RESET:
                self._reset_once_sent()
            case Ending.HANG:
                pass
            case _:
                assert_never(self._script.ending)

    def _reset_once_sent(self) -> None:
        # What still waits in this process would be lost with the reset, and the reader is owed so many events.
        if self._transport.get_write_buffer_size():
            self._timer = self._loop.call_later(0.001, self._reset_once_sent)
            return
        reset(self._transport)
        self._ended(Ending.RESET)


def reset(transport: asyncio.Transport) -> None:
    """Close the connection with RST instead of FIN."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
