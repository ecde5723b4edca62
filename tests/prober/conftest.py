"""What the prober's tests share: an event loop, and a stage of real processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.harness.loop import one_loop

from .stage import Stage, staged


@pytest.fixture(scope="package", autouse=True)
async def _one_loop(anyio_backend: str) -> AsyncIterator[None]:
    async with one_loop():
        yield


@pytest.fixture(scope="package")
def _shared_stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@pytest.fixture
def stage(_shared_stage: Stage) -> Iterator[Stage]:
    """A simulator and a prober that finds its three providers well; a test may break those, and not the prober."""
    _shared_stage.until_all_healthy()
    yield _shared_stage
    _shared_stage.witness.mend()


@pytest.fixture
def own_stage() -> Iterator[Stage]:
    """A stage that the test may do with as it likes."""
    with staged() as made:
        made.until_all_healthy()
        yield made
