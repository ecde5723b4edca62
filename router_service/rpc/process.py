"""What every process of ours has in common: it says that it serves, hears that it should stop, and how that ends it."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import resource
import signal
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

GOOD, INTERRUPTED = 0, 130
ENDINGS = (signal.SIGTERM, signal.SIGINT)


MOST_OPEN_FILES = 65_536

logger = logging.getLogger(__name__)


class CannotSayReady(Exception):
    """The ready file cannot be written; the text says which, why and what to do."""


def check_ready_file(path: Path) -> None:
    """Find out before anything is started whether the ready file can be written later. Raises CannotSayReady."""
    with _writing(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with TemporaryFile(dir=path.parent):
            pass


def write_ready_file(path: Path, addresses: Iterable[tuple[str, str]]) -> None:
    """Write in one step the JSON object that whoever started us waits for: our `pid`, and each part's address.

    Raises CannotSayReady.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with _writing(path):
        try:
            draft.write_text(json.dumps({"pid": os.getpid(), **dict(addresses)}) + "\n", encoding="utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def raise_open_files() -> int:
    """Let this process have as many files and connections open as the system allows it, in reason; returns how many.

    The usual limit, 1 024, is for the sake of programs that call select(), and a hundredth of what a router may need.
    """
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN_FILES if most == resource.RLIM_INFINITY else min(most, MOST_OPEN_FILES)
    if limit != resource.RLIM_INFINITY and limit < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        except (OSError, ValueError) as e:  # some systems have a limit of their own below the one that they tell
            logger.warning("the limit of %d open files cannot be raised: %s", limit, e)
        else:
            limit = wanted
    logger.info("up to %s files and connections may be open", "any number of" if limit < 0 else limit)
    return limit


def exit_code(heard: Collection[signal.Signals]) -> int:
    """What a process ends with that was told to stop by these signals: 130 where Ctrl-C was among them."""
    return INTERRUPTED if signal.SIGINT in heard else GOOD


@contextmanager
def hearing_signals(heard: Callable[[signal.Signals], None]) -> Iterator[None]:
    """While the block runs, SIGTERM and SIGINT come to `heard`, in the running loop, instead of ending the process."""
    loop = asyncio.get_running_loop()
    for number in ENDINGS:
        loop.add_signal_handler(number, heard, number)
    try:
        yield
    finally:
        for number in ENDINGS:
            loop.remove_signal_handler(number)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """The body writes to `path`, whose directory is made for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as e:
        # Python's word for a parent that is a file would read as if the ready file were there already.
        reason = os.strerror(errno.ENOTDIR) if isinstance(e, FileExistsError) else e.strerror
        remedy = "name a file in a directory that this user may write to"
        raise CannotSayReady(f"--ready-file: {path} cannot be written: {reason}; {remedy}") from e
