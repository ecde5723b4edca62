"""How a process of ours says that it serves, and hears that it should stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ENDINGS = (signal.SIGTERM, signal.SIGINT)


def write_ready_file(path: Path, addresses: Iterable[tuple[str, str]]) -> None:
    """Write in one step the JSON object that whoever started us waits for: our `pid`, and each part's address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), **dict(addresses)}) + "\n", encoding="utf-8")
    draft.replace(path)


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
