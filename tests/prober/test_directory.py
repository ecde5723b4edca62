"""The prober's directories: what it made is closed to others, and what it was given stays as it is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from prober.directory import CannotStart, own_directory, socket_path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o755, 0o1777, 0o700])
def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    given = tmp_path / "given"
    given.mkdir()
    given.chmod(mode)
    with own_directory(given):
        socket = socket_path(given)
    assert _mode(given) == mode
    assert _mode(socket.parent) == 0o700
    assert socket.is_relative_to(given)


def test_a_directory_that_was_missing_is_made_closed(tmp_path: Path) -> None:
    with own_directory(tmp_path / "new"):
        assert _mode(tmp_path / "new") == 0o700


def test_a_socket_that_a_killed_prober_left_is_removed(tmp_path: Path) -> None:
    socket = socket_path(tmp_path)
    socket.touch()
    assert not socket_path(tmp_path).exists()


def test_a_directory_for_the_socket_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    parent = socket_path(tmp_path).parent
    parent.chmod(0o755)
    with pytest.raises(CannotStart, match="chmod 700"):
        socket_path(tmp_path)
    assert _mode(parent) == 0o755


def test_a_link_in_place_of_the_directory_for_the_socket_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "sockets").symlink_to(elsewhere)
    with pytest.raises(CannotStart, match="is no directory"):
        socket_path(tmp_path)
