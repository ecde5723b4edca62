"""The prober's data directory: its own alone, with the Unix socket in it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from router_service.config.addresses import MAX_UNIX_PATH_BYTES


class CannotStart(Exception):
    """The process cannot do its work where it was put; the text is one line that says why and what to do."""


@contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """The data directory for this process alone: made if missing, closed to others, and locked until the end.

    The lock ends with the process, however it ends. Without it a second prober would take over the socket's name.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
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
    """The Unix socket's path, free of what a killed prober left there."""
    path = directory.resolve() / "prober.sock"
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise CannotStart(f"{path} is too long for a Unix socket; choose a --data-dir with a shorter path")
    path.unlink(missing_ok=True)
    return path
