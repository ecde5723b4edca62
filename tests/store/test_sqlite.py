"""What only a file can do: be damaged, read-only, locked, of another version, or left behind by a killed process."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest

from router_service.core.quota import QuotaRules
from router_service.core.windows import Per, WindowKey
from router_service.store import sqlite_thread
from router_service.store.ports import StoreFailed, Want
from router_service.store.sqlite import SqliteQuotaStore, open_file
from tests.store.making import HandClock, admitted, book, limit, until, used

pytestmark = pytest.mark.anyio
KEY = WindowKey("groq", "day 1")
RULES = QuotaRules(provider="groq", limits=(limit(100),))
GARBAGE = [b"not a database at all" * 300, b"\x00" * 8192, b"SQLite format 3\x00" + b"\xff" * 8192]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "quota.db"


async def fill(path: Path, amount: int = 7) -> None:
    store = SqliteQuotaStore(path)
    await store.lease([Want(key=KEY, amount=amount)])
    await store.close()


def overwrite(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def content(path: Path) -> bytes:
    return path.read_bytes()


def names_beside(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


async def count(store: SqliteQuotaStore) -> int:
    return (await store.spent([KEY]))[KEY]


async def test_the_file_and_its_directory_are_made(path: Path) -> None:
    await fill(path)
    assert names_beside(path) == ["quota.db"], "a clean close leaves one file"


@pytest.mark.parametrize("garbage", GARBAGE, ids=["text", "zeros", "header"])
async def test_a_file_that_is_no_database_is_put_aside(
    garbage: bytes, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overwrite(path, garbage)
    store = SqliteQuotaStore(path)
    assert await count(store) == 0
    await store.lease([Want(key=KEY, amount=3)])
    await store.close()
    assert content(path.with_name("quota.db.corrupt")) == garbage
    assert "is damaged" in caplog.text
    again = SqliteQuotaStore(path)
    assert await count(again) == 3
    await again.close()


async def test_a_file_damaged_while_it_is_in_use_loses_no_count(path: Path) -> None:
    clock = HandClock()
    store = SqliteQuotaStore(path)
    quotas = book(RULES, clock=clock, store=store)
    await quotas.load()
    assert admitted(quotas, 5) == 5
    await quotas.load()
    await store.close()
    overwrite(path, GARBAGE[2])
    assert admitted(quotas, 2) == 2
    await quotas.load()
    await quotas.load()
    await quotas.close()
    again = book(RULES, clock=clock, store=(last := SqliteQuotaStore(path)))
    await again.load()
    assert used(again) == 7
    await last.close()


async def test_every_damaged_page_leads_to_a_working_store(path: Path) -> None:
    """Each stretch of a real file is overwritten in turn: the store says an older count, none, or that it failed."""
    await fill(path)
    whole = content(path)
    for begin in range(0, len(whole), 512):
        overwrite(path, whole[:begin] + b"\xa5" * 512 + whole[begin + 512 :])
        store = SqliteQuotaStore(path)
        try:
            assert await count(store) >= 0
            await store.lease([Want(key=KEY, amount=1)])
        except StoreFailed:
            pass
        await store.close()


def read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


async def test_a_read_only_file_is_read_and_every_write_fails(path: Path) -> None:
    await fill(path)
    store = SqliteQuotaStore(path, connect=read_only)
    assert await count(store) == 7
    with pytest.raises(StoreFailed, match="readonly"):
        await store.lease([Want(key=KEY, amount=1)])
    with pytest.raises(StoreFailed, match="readonly"):
        await store.give_back({KEY: 1})
    assert await count(store) == 7
    await store.close()


async def test_with_a_read_only_file_counting_goes_on_in_memory(path: Path) -> None:
    clock = HandClock()
    first = book(RULES, clock=clock, store=SqliteQuotaStore(path))
    assert admitted(first, 40) == 40
    await first.close()
    quotas = book(RULES, clock=clock, store=SqliteQuotaStore(path, connect=read_only))
    await quotas.load()
    assert admitted(quotas, 100) == 60
    await quotas.close()


async def test_a_place_that_cannot_be_written_fails_without_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "quota.db", tmp_path):
        store = SqliteQuotaStore(path)
        with pytest.raises(StoreFailed):
            await store.lease([Want(key=KEY, amount=1)])
        await store.close()


async def test_a_place_that_comes_back_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    store = SqliteQuotaStore(tmp_path / "state" / "quota.db")
    with pytest.raises(StoreFailed):
        await count(store)
    (tmp_path / "state").unlink()
    assert await store.lease([Want(key=KEY, amount=1)]) == [1]
    await store.close()


async def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    await fill(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    before = content(path)
    store = SqliteQuotaStore(path)
    with pytest.raises(StoreFailed, match="newer version"):
        await count(store)
    await store.close()
    assert content(path) == before


async def test_a_locked_file_fails_in_time_and_recovers(path: Path) -> None:
    await fill(path)
    store = SqliteQuotaStore(path)
    other = open_file(path)
    other.execute("BEGIN IMMEDIATE")
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(StoreFailed, match="locked"):
        await store.lease([Want(key=KEY, amount=1)])
    assert loop.time() - began < 5.0
    assert await count(store) == 7, "who only reads does not wait for who writes"
    other.execute("ROLLBACK")
    other.close()
    assert await store.lease([Want(key=KEY, amount=1)]) == [1]
    await store.close()


async def test_a_full_queue_refuses_at_once_and_close_ends_in_time(path: Path) -> None:
    store = SqliteQuotaStore(path)
    other = open_file(path)
    other.execute("BEGIN IMMEDIATE")
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(_outcome(store)) for _ in range(sqlite_thread.QUEUE_LENGTH + 50)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert sum(task.done() for task in waiting) >= 1
        other.execute("ROLLBACK")
    other.close()
    outcomes = [task.result() for task in waiting]
    refused = sum("are waiting" in outcome for outcome in outcomes)
    assert 1 <= refused <= 50
    assert await count(store) == outcomes.count("done")
    await store.close()


async def _outcome(store: SqliteQuotaStore) -> str:
    try:
        await store.lease([Want(key=KEY, amount=1)])
    except StoreFailed as error:
        return str(error)
    return "done"


VICTIM = """
import asyncio, sys
from pathlib import Path
from router_service.store.sqlite import SqliteQuotaStore
from tests.store.making import HandClock, admitted, book, limit
from tests.store.test_sqlite import RULES

async def spend():
    quotas = book(RULES, clock=HandClock(), store=SqliteQuotaStore(Path(sys.argv[1])))
    await quotas.load()
    assert admitted(quotas, 30) == 30
    await quotas.run()

asyncio.run(spend())
"""


async def test_counts_survive_a_kill(path: Path) -> None:
    """What was counted longer ago than one write interval is there after SIGKILL, and the file is whole."""
    victim, watching = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, path), SqliteQuotaStore(path)
    key = WindowKey("limit groq requests/day", "2026-11-21")

    async def is_written() -> bool:
        return (await watching.spent([key]))[key] == 30

    try:
        await until(is_written, "the process wrote nothing")
    finally:
        victim.kill()
        await victim.wait()
        await watching.close()
    quotas = book(RULES, clock=HandClock(), store=SqliteQuotaStore(path))
    await quotas.load()
    assert used(quotas, per=Per.DAY) == 30
    assert admitted(quotas, 100) == 70
    await quotas.close()
    assert names_beside(path) == ["quota.db"]
