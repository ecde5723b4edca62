"""How a process says that it serves, and hears that it should stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from router_service.rpc.process import CannotSayReady, check_ready_file, exit_code, hearing_signals, write_ready_file

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


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("directory", "Is a directory"),
        ("file/ready", "Not a directory"),
        ("/proc/nothing/ready", "No such file or directory"),
    ],
)
def test_ready_file_that_cannot_be_written_is_named_with_reason_and_remedy(
    tmp_path: Path, place: str, reason: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    path = tmp_path / place
    said = re.escape(f"--ready-file: {path} cannot be written: {reason}; name a file in a directory")
    with pytest.raises(CannotSayReady, match=said):
        check_ready_file(path)
    with pytest.raises(CannotSayReady, match=said):
        write_ready_file(path, [("router", "127.0.0.1:1")])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["directory", "file"], "no draft stays"


def test_ready_file_is_checked_without_being_written(tmp_path: Path) -> None:
    check_ready_file(tmp_path / "new" / "a.ready")
    assert list((tmp_path / "new").iterdir()) == []


def test_router_that_cannot_say_that_it_serves_ends_with_2_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    program = (
        "import pathlib, sys; from router_service.main import ServeOptions, serve; "
        "sys.exit(serve(ServeOptions(router_address='127.0.0.1:0', ready_file=pathlib.Path(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert f"--ready-file: {path} cannot be written: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("heard", "code"),
    [([signal.SIGTERM], 0), ([signal.SIGINT], 130), ([signal.SIGTERM, signal.SIGINT], 130), ([], 0)],
)
def test_interrupted_process_says_so_with_its_exit_code(heard: Sequence[signal.Signals], code: int) -> None:
    assert exit_code(heard) == code


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
