"""Reads files that somebody named, and never waits for one: a pipe or a terminal in its place is refused."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "it is a directory"),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
)


class NotAFile(OSError):
    """What has the name is no regular file; `strerror` says what it is, and what to do."""


def read_file(path: Path, *, most_bytes: int = -1) -> bytes:
    """The content of a regular file, or its first `most_bytes`; -1 is all of it.

    Raises OSError where it cannot be read, and NotAFile, which is one, at once where it is of another kind.
    """
    with open(path, "rb", opener=_regular) as file:
        return file.read(most_bytes)


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
