"""Every store that there is, each fresh and empty, and closed at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from router_service.store.memory import MemoryQuotaStore
from router_service.store.ports import QuotaStore
from router_service.store.sqlite import SqliteQuotaStore


@pytest.fixture(params=["memory", "sqlite"])
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Callable[[], QuotaStore]]:
    """Opens the store; opened again it is the same one, by a second connection where it has such."""
    memory = MemoryQuotaStore()
    opened: list[QuotaStore] = []

    def open_() -> QuotaStore:
        opened.append(memory if request.param == "memory" else SqliteQuotaStore(tmp_path / "quota.db"))
        return opened[-1]

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: Callable[[], QuotaStore]) -> QuotaStore:
    return open_store()
