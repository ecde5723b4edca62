"""Quota counts in an SQLite file: they survive the process, also when it is killed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from router_service.core.windows import WindowKey
from router_service.store.memory import KEPT_WINDOWS
from router_service.store.ports import StoreFailed, Want
from router_service.store.sqlite_thread import SqliteThread

SCHEMA_VERSION = 1
LOCK_WAIT_S = 1.0
MOST_TAKEN = 10**18
"""SQLite turns a sum beyond 64 bits into a float; counts stop short of it."""


class SqliteQuotaStore:
    """A QuotaStore in one file. A write is in the file's log before its call returns: killing the process loses none
    of it. The log is not forced to the disk each time, so the machine's own death may lose the last seconds.

    A file that is no database, or a damaged one, is put aside as `NAME.corrupt`, and counting begins anew.
    """

    def __init__(self, path: Path, *, connect: Callable[[Path], sqlite3.Connection] | None = None) -> None:
        opener = connect or open_file
        self._thread = SqliteThread(path, lambda: opener(path))

    async def lease(self, wants: Sequence[Want]) -> Sequence[int]:
        return await self._thread.write(lambda db: [_lease(db, want) for want in wants])

    async def give_back(self, amounts: Mapping[WindowKey, int]) -> None:
        rows = [(amount, key.scope, key.window) for key, amount in amounts.items()]
        update = "UPDATE windows SET taken = MAX(0, taken - ?) WHERE scope = ? AND name = ?"
        await self._thread.write(lambda db: db.executemany(update, rows).rowcount)

    async def spent(self, keys: Sequence[WindowKey]) -> Mapping[WindowKey, int]:
        return await self._thread.read(lambda db: {key: _taken(db, key) or 0 for key in keys})

    async def close(self) -> None:
        await self._thread.close()


def open_file(path: Path) -> sqlite3.Connection:
    """The file at `path`, made where there is none, ready to be used. Raises sqlite3.Error, OSError or StoreFailed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    with closing(db.execute("PRAGMA user_version")) as row:
        (version,) = row.fetchone()
    if version > SCHEMA_VERSION:
        raise StoreFailed(f"the file was written by a newer version (schema {version}, known is {SCHEMA_VERSION})")
    if version == SCHEMA_VERSION:
        return
    db.executescript(
        f"""
        BEGIN IMMEDIATE;
        CREATE TABLE IF NOT EXISTS windows (
            scope TEXT NOT NULL,
            name TEXT NOT NULL,
            taken INTEGER NOT NULL,
            PRIMARY KEY (scope, name)
        );
        PRAGMA user_version = {SCHEMA_VERSION};
        COMMIT;
        """
    )


def _taken(db: sqlite3.Connection, key: WindowKey) -> int | None:
    found = db.execute("SELECT taken FROM windows WHERE scope = ? AND name = ?", (key.scope, key.window)).fetchone()
    return None if found is None else int(found[0])


def _lease(db: sqlite3.Connection, want: Want) -> int:
    scope, name = want.key.scope, want.key.window
    before = _taken(db, want.key)
    granted = want.granted(before or 0)
    after = min(MOST_TAKEN, (before or 0) + granted)
    if before is not None:
        db.execute("UPDATE windows SET taken = ? WHERE scope = ? AND name = ?", (after, scope, name))
        return granted
    db.execute("INSERT INTO windows (scope, name, taken) VALUES (?, ?, ?)", (scope, name, after))
    db.execute(
        "DELETE FROM windows WHERE scope = ? AND rowid NOT IN"
        " (SELECT rowid FROM windows WHERE scope = ? ORDER BY rowid DESC LIMIT ?)",
        (scope, scope, KEPT_WINDOWS),
    )
    return granted
