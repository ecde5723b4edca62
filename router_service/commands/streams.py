"""The standard streams of a command: there whatever the shell did to them, and honest about what they lose."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, Literal, TextIO

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLost(Exception):
    """An answer could not be written to stdout.

    No OSError, so that neither click nor rich takes it for something of theirs and ends the process in their own way.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.is_reader_gone = error.errno == errno.EPIPE


def prepare() -> None:
    """UTF-8 wherever output goes, a stream in the place of each that is closed, and an stdout that raises OutputLost.

    A descriptor that stayed closed (`>&-`) would be given to the next socket, and whatever somebody writes to it
    would go to whoever is at that socket's other end.
    """
    # Each is opened for the wrong direction, so that using it fails as it does for any other program; what people
    # would be told may go nowhere.
    sys.stdin = sys.stdin or _opened(0, os.O_WRONLY, "r")
    sys.stdout = sys.stdout or _opened(1, os.O_RDONLY, "w")
    sys.stderr = sys.stderr or _opened(2, os.O_WRONLY, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Whoever calls from within a process, as tests do, may have put something else there.
    if sys.__stdout__ is None or sys.stdout is sys.__stdout__:
        sys.stdout = _telling_of_losses(sys.stdout)


def say(text: str) -> None:
    """Tell people something on stderr; that nobody hears it stops nothing."""
    try:
        click.echo(text, err=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Send to nowhere what a broken stream still holds: it would fail again, and with it the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Output(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputLost(error) from error


def _telling_of_losses(stream: TextIO) -> TextIO:
    buffer = io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(
        buffer, encoding="utf-8", errors="backslashreplace", line_buffering=bool(stream.line_buffering)
    )


def _opened(number: int, flags: int, mode: Literal["r", "w"]) -> TextIO:
    descriptor = os.open(os.devnull, flags)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.set_inheritable(number, True)  # noqa: FBT003 - it takes no names
    return os.fdopen(number, mode, encoding="utf-8", closefd=False)
