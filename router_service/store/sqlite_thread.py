"""The one thread that touches an SQLite file: jobs go in through a bounded queue, answers come back as futures."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from router_service.store.ports import StoreFailed

QUEUE_LENGTH = 256
CLOSE_S = 2.0
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class SqliteThread:
    """Runs jobs one after another, each a transaction of its own, in the order in which they were handed in.

    The file is opened at the first job, and again at the next one after an error. A job once handed in is done, also
    when its caller is cancelled. A full queue refuses at once: nothing here ever blocks the event loop.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(QUEUE_LENGTH)
        self._connection: sqlite3.Connection | None = None
        self._thread: threading.Thread | None = None

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` returns, which only reads. Raises StoreFailed."""
        return await self._do(work, begin="BEGIN")

    async def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` returns; all that it wrote is kept, or nothing where it fails. Raises StoreFailed."""
        return await self._do(work, begin="BEGIN IMMEDIATE")

    async def close(self) -> None:
        """Finish the jobs that are waiting and close the file. A thread that hangs is left to the process's end."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with suppress(queue.Full):
            self._jobs.put_nowait(None)
            await asyncio.to_thread(thread.join, CLOSE_S)

    async def _do(self, work: Callable[[sqlite3.Connection], _T], *, begin: str) -> _T:
        answer: Future[_T] = Future()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"sqlite {self._path.name}", daemon=True)
            self._thread.start()
        try:
            self._jobs.put_nowait(lambda: self._answer(answer, work, begin))
        except queue.Full:
            raise StoreFailed(f"{self._path.name}: {QUEUE_LENGTH} jobs are waiting") from None
        return await asyncio.shield(asyncio.wrap_future(answer))

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
        self._disconnect()

    def _answer(self, answer: Future[_T], work: Callable[[sqlite3.Connection], _T], begin: str) -> None:
        try:
            answer.set_result(self._attempt(work, begin))
        except Exception as error:  # noqa: BLE001 the root of all that the thread does; it goes to whoever asked
            answer.set_exception(error)

    def _attempt(self, work: Callable[[sqlite3.Connection], _T], begin: str) -> _T:
        """One transaction; a second one, on a new file, where the first shows that the file is damaged."""
        try:
            try:
                return self._transact(work, begin)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", None) not in DAMAGED:
                    raise
                self._put_aside(error)
            return self._transact(work, begin)
        except (sqlite3.Error, OSError) as error:
            raise StoreFailed(f"{self._path.name}: {error}") from error

    def _transact(self, work: Callable[[sqlite3.Connection], _T], begin: str) -> _T:
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.execute(begin)
            result = work(self._connection)
            self._connection.execute("COMMIT")
        except BaseException:
            self._disconnect()
            raise
        return result

    def _disconnect(self) -> None:
        """Close the file, which also takes back what was begun and not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        name = self._path.name
        _log.error("%s is damaged (%s): it is kept as %s.corrupt, and counting begins anew", name, error, name)
        self._path.replace(self._path.with_name(f"{name}.corrupt"))
        for suffix in ("-wal", "-shm"):
            self._path.with_name(name + suffix).unlink(missing_ok=True)
