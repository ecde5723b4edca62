"""One event loop for all tests of this package: the library's poller thread outlives a loop, and would miss it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest


@pytest.fixture(scope="package", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """A loop stays open for as long as a fixture that was set up in it."""
    yield  # noqa: PT022 - what returns does not keep the loop
