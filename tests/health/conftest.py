"""What the tests of the health channel share."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.harness.loop import one_loop


@pytest.fixture(scope="package", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    async with one_loop():
        yield


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="sb-") as directory:
        yield Path(directory) / "p.sock"
