"""The simulator that most tests share, and a way to start one of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from .harness import Simulator, running_simulator

BEHAVIOURS = {
    "*": {},
    "late": {"latency_s": 0.15},
    "paced": {"tokens_per_s": 100, "output_tokens": 12},
    "leisurely": {"tokens_per_s": 20, "output_tokens": 12},
    "keyed": {"requires_key": True, "key": "right"},
    "strict": {"strict_models": True, "models": ["one", "two"]},
}


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator with the behaviours above; no test changes it."""
    directory = tmp_path_factory.mktemp("simulator")
    behaviours = directory / "behaviours.json"
    behaviours.write_text(json.dumps(BEHAVIOURS))
    with running_simulator(directory, ["--behaviour", str(behaviours)]) as running:
        yield running


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start simulators with arguments of one's own."""
    numbers = count()
    with ExitStack() as stack:

        def start(*arguments: str) -> Simulator:
            directory = tmp_path / str(next(numbers))
            directory.mkdir()
            return stack.enter_context(running_simulator(directory, arguments))

        yield start


@pytest.fixture
def own_simulator(start_simulator: Callable[..., Simulator]) -> Simulator:
    """A simulator that the test may change."""
    return start_simulator()


@pytest.fixture
def attempt(request: pytest.FixtureRequest) -> str:
    """An attempt id that no other test uses."""
    name: str = request.node.name
    return name.encode("ascii", "replace").decode()


@pytest.fixture
def anyio_backend() -> str:
    """Asyncio alone: the project runs on nothing else."""
    return "asyncio"
