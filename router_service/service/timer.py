"""The clock beside one attempt: bounds each wait on its upstream, and says whose time it was that ended."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from router_service.core.errors import CallerDeadline, Stage, UpstreamTimeout
from router_service.service.tries import Try


class Timer:
    """Used as `async with timer:` around each wait on an upstream, again and again, and by one task at a time. Raises
    CallerDeadline, or the UpstreamError that the silence amounts to.

    Between two waits it stands still, so the time that the caller takes to read is nobody's gap.
    """

    __slots__ = ("_attempt", "_deadline", "_timeout", "_until")

    def __init__(self, attempt: Try, deadline: float) -> None:
        self._attempt = attempt
        self._deadline = deadline
        self._until = attempt.silent_until

    def allow(self, seconds: float) -> None:
        """The next wait may last so long."""
        self._until = time.monotonic() + seconds

    async def __aenter__(self) -> None:
        self._timeout = asyncio.timeout_at(min(self._until, self._deadline))
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            if self._until >= self._deadline:
                raise CallerDeadline(self._attempt.stage) from None
            if self._attempt.stage is Stage.STREAM:
                text = "the provider fell silent inside its answer"
                raise UpstreamTimeout(text, stage=Stage.STREAM, maybe_billed=True) from None
            raise self._attempt.too_slow() from None
