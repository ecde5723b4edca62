"""An event loop for tests of grpc.aio, which reports to all loops of a process through one thread and one queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def one_loop() -> AsyncIterator[None]:
    """For a fixture of a whole package: its loop stays open as long as the block, and is spared what others left.

    The end of a call may be reported after the loop that made it is closed. Whichever loop is there then hears of it,
    cannot pass it on, and fails the test that happens to run.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if _is_about_a_closed_loop(context):
            return
        (before or asyncio.AbstractEventLoop.default_exception_handler)(loop, context)

    loop.set_exception_handler(tell)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


def _is_about_a_closed_loop(context: dict[str, Any]) -> bool:
    is_reported = "PollerCompletionQueue" in context.get("message", "")
    return is_reported and str(context.get("exception")) == "Event loop is closed"
