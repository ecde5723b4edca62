"""What the tests of the health channel share."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="package", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for all tests: the library reports the ends of calls to a loop that may be closed by then."""
    yield
    await asyncio.sleep(0)  # the last of those ends


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="sb-") as directory:
        yield Path(directory) / "p.sock"
