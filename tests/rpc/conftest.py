"""One event loop for all tests of this package: the library's poller thread outlives a loop, and would miss it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.harness.loop import one_loop


@pytest.fixture(scope="package", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    async with one_loop():
        yield
