"""Ctrl-C between two items: what is waited for is read in a thread of its own, so that no library is interrupted.

An interrupt raised where a thread happens to be may hit gRPC or rich while they hold half of something: most of the
time it arrives as it is, sometimes as another error, and sometimes not at all.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

import click

T = TypeVar("T")


class Interruptible(Generic[T]):
    """Hands out items as they come, and raises click.Abort where Ctrl-C came.

    Ctrl-C does that and nothing else while the block lasts; where it is ignored it stays so.
    """

    def __init__(self) -> None:
        self._mail: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, lambda _number, _frame: self._mail.put(click.Abort()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def items(self, source: Iterable[T]) -> Iterator[T]:
        """Those of `source`, with its own error at the end if it has one. What ends the source's waiting, such as a
        client that is closed, has to be done by whoever leaves.
        """
        threading.Thread(target=self._read, args=(source,), daemon=True).start()
        while (mail := self._mail.get()) is not None:
            if isinstance(mail, BaseException):
                raise mail
            yield mail[0]

    def _read(self, source: Iterable[T]) -> None:
        try:
            for item in source:
                self._mail.put((item,))
        except BaseException as error:  # noqa: BLE001 - the root of a thread: whatever it is belongs to the reader
            self._mail.put(error)
        else:
            self._mail.put(None)
