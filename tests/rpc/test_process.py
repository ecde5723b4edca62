"""How a process says that it serves, and hears that it should stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from router_service.rpc.process import hearing_signals, write_ready_file

PATIENCE_S = 5.0


def test_ready_file_appears_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.ready"
    write_ready_file(path, [("router", "127.0.0.1:1"), ("prober", "unix:/a")])
    assert json.loads(path.read_text()) == {"pid": os.getpid(), "router": "127.0.0.1:1", "prober": "unix:/a"}
    assert list(path.parent.iterdir()) == [path]


def test_ready_file_of_one_part_leaves_that_of_another_with_the_same_stem(tmp_path: Path) -> None:
    for part in ("router", "prober"):
        write_ready_file(tmp_path / f"up.{part}", [(part, "127.0.0.1:1")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["up.prober", "up.router"]


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_are_heard_inside_the_block_and_as_before_after_it(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    heard: asyncio.Queue[signal.Signals] = asyncio.Queue()
    with hearing_signals(heard.put_nowait):
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE_S):
            assert await heard.get() == number
    if number is signal.SIGTERM:
        assert signal.getsignal(number) == before
