"""Files that people name: what is no regular file is refused at once, by every command, with a word on what it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from router_service.files import NotAFile, read_file

TIMEOUT_S = 20.0
COMMANDS = (
    ("router_service", "config", "check", "--config"),
    ("router_service", "serve", "--config"),
    ("router_service", "config", "import", "--from", "litellm"),
    ("router_service", "complete", "Hello", "--schema"),
    ("router_service", "complete", "Hello", "--image"),
    ("router_service.simulator", "--behaviour"),
    ("prober", "--config"),
)


@pytest.fixture(params=["a named pipe", "a directory", "a device"])
def strange(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "strange"
    match request.param:
        case "a named pipe":
            os.mkfifo(path)
        case "a directory":
            path.mkdir()
        case _:
            path = Path(os.devnull)
    return path, request.param


def test_what_is_no_regular_file_is_refused_without_waiting(strange: tuple[Path, str]) -> None:
    path, kind = strange
    with pytest.raises(NotAFile, match=f"it is {kind}"):
        read_file(path)


def test_a_regular_file_is_read_whole_or_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(path)
    assert read_file(tmp_path / "link") == b"abc"
    assert read_file(path, most_bytes=2) == b"ab"
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "missing")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_refuses_a_pipe_that_nobody_writes_to(command: Sequence[str], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = [sys.executable, "-m", *command, str(pipe)]
    finished = subprocess.run(line, capture_output=True, text=True, timeout=TIMEOUT_S, cwd=tmp_path)
    told = finished.stdout + finished.stderr
    assert finished.returncode == 2
    assert f"{pipe}" in told
    assert "cannot be read: it is a named pipe, and has to be a regular file" in told
    assert "Traceback" not in told
