"""Ctrl-C, from the first import of the command line to its last word: exit code 130, and never a traceback."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130


class Interrupt:
    """What Ctrl-C does to this process, and whether it came. One that was told to ignore it goes on doing so."""

    def __init__(self) -> None:
        self.has_come = False
        self._is_heard = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN

    def ends_the_process(self) -> None:
        """While modules load there is nothing to tidy up, and an exception would be told with its traceback."""
        if self._is_heard:
            signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(EXIT_CODE))

    def ends_the_command(self) -> None:
        """It is raised as KeyboardInterrupt, and noted: a library in the midst of something may make of it what it
        likes, another error or nothing at all.
        """
        if self._is_heard:
            signal.signal(signal.SIGINT, self._come)

    def is_too_late(self) -> None:
        """The exit code is settled; what is left is the interpreter's own end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _come(self, _number: int, _frame: FrameType | None) -> None:
        self.has_come = True
        raise KeyboardInterrupt


@contextmanager
def loading() -> Iterator[None]:
    """The body imports what a command works with, which Ctrl-C ends together with the process, as at its beginning.

    The garbage collector rests: code is loaded to stay, and looking through it took a quarter of a start.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(EXIT_CODE))
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        signal.signal(signal.SIGINT, before)
