"""The prober's place in the data directory, for it alone, and a directory in that which nobody else may enter."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from router_service.config.addresses import MAX_UNIX_PATH_BYTES
from router_service.core.addresses import prober_socket

CLOSED, OTHERS = 0o700, 0o077


class CannotStart(Exception):
    """The process cannot do its work where it was put; the text is one line that says why and what to do."""


@contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """The data directory with no other prober in it: made if missing, left as it is if not, and locked until the end.

    The lock ends with the process, however it ends. Without it a second prober would take over the socket's name.
    """
    try:
        directory.mkdir(mode=CLOSED, parents=True, exist_ok=True)
        lock = os.open(directory / "prober.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise CannotStart(f"{directory} cannot be used as the data directory: {e.strerror}") from e
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as e:
        raise CannotStart(f"another prober uses {directory}; stop it, or choose another --data-dir") from e
    finally:
        os.close(lock)


def socket_path(directory: Path) -> Path:
    """The Unix socket's path, free of what a killed prober left there, in a directory of this user alone."""
    path = prober_socket(directory)
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise CannotStart(f"{path} is too long for a Unix socket; choose a --data-dir with a shorter path")
    try:
        _close(path.parent)
        path.unlink(missing_ok=True)
    except OSError as e:
        raise CannotStart(f"{path} cannot be made: {e.strerror}") from e
    return path


def _close(directory: Path) -> None:
    """Who may enter it may report: so it is made closed, and one that was there before has to be."""
    with suppress(FileExistsError):
        directory.mkdir(mode=CLOSED)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise CannotStart(f"{directory} is no directory, and the prober's socket belongs in one; remove it")
    if found.st_uid != os.geteuid():
        raise CannotStart(f"{directory} belongs to another user; remove it, or choose another --data-dir")
    if found.st_mode & OTHERS:
        raise CannotStart(f"others may enter {directory}, where the prober takes reports; chmod 700 it, or remove it")
