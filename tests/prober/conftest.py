"""What the prober's tests share: an event loop, and a stage of real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stage import Stage, staged


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio alone: the project runs on nothing else."""
    return "asyncio"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A simulator and a prober that watches its three providers, all timers short."""
    with staged() as made:
        yield made
