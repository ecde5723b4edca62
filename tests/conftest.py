"""Fixtures and settings of the whole suite."""

from __future__ import annotations

import hypothesis
import pytest

# An example that takes long on a busy machine is no fault, and a failed one is to be repeated elsewhere.
hypothesis.settings.register_profile("signalbox", deadline=None, print_blob=True)
hypothesis.settings.load_profile("signalbox")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, the only loop that the project knows."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stories come first: test processes begin with a long stretch each, so that one of them has all chapters."""
    items.sort(key=lambda item: item.get_closest_marker("story") is None)
