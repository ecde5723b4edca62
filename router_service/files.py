"""Files that somebody named: read without waiting, so that a pipe is refused, and one version told from another."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TypeAlias

_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


Stamp: TypeAlias = tuple[int, int, int] | None
"""What tells one version of a file from another: its inode, its size, its time; None where there is no file."""


class NotAFile(OSError):
    """What has the name is no regular file; `strerror` says what it is, and what to do."""


def read_file(path: Path, *, most_bytes: int = -1) -> bytes:
    """The content of a regular file, or its first `most_bytes`; -1 is all of it.

    Raises OSError where it cannot be read, and NotAFile, which is one, at once where it is of another kind.
    """
    with open(path, "rb", opener=_regular) as file:
        return file.read(most_bytes)


def stamp(path: Path) -> Stamp:
    """The file's as it is now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns)


def _regular(path: str, flags: int) -> int:
    """Opens a regular file. What it is, is asked of what was opened: a name may come to mean something else."""
    # Without O_NONBLOCK a pipe that nobody writes to would keep us here.
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotAFile(errno.EINVAL, f"{_kind(mode)}, and has to be a regular file: copy its content to one")
    return descriptor


def _kind(mode: int) -> str:
    return next((words for is_so, words in _KINDS if is_so(mode)), "it is something else")
