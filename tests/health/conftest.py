"""What the tests of the health channel share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio alone: the project runs on nothing else."""
    return "asyncio"


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="sb-") as directory:
        yield Path(directory) / "p.sock"
