"""Who was kept out of which method, in the log: now and then, so that a flood of calls is no flood of lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

QUIET_S = 10.0
"""Nobody is told of twice in that time for the same method."""
MOST_TOLD = 100
"""So many lines in that time, whoever calls."""


class KeptOut:
    """One per server. `clock` gives monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._quiet_until: dict[tuple[str, str], float] = {}
        self._untold = 0

    def note(self, method: str, tenant: str, peer: str, reason: str) -> None:
        """`tenant` is empty where no key told; then the host of `peer`, as gRPC names it, stands for who called."""
        now = self._clock()
        self._forget(now)
        who = f"tenant {tenant}" if tenant else f"a caller at {_host(peer)}"
        if (who, method) in self._quiet_until or len(self._quiet_until) >= MOST_TOLD:
            self._untold += 1
            return
        self._quiet_until[who, method] = now + QUIET_S
        others = f"; {self._untold} more since the last such line" if self._untold else ""
        self._untold = 0
        logger.warning("%s was kept out of %s: %s%s", who, method.removeprefix("/"), reason, others)

    def _forget(self, now: float) -> None:
        """The oldest come first, since none is put in twice."""
        while self._quiet_until and self._quiet_until[oldest := next(iter(self._quiet_until))] <= now:
            del self._quiet_until[oldest]


def _host(peer: str) -> str:
    """Without the port, which is another for each connection."""
    return peer if peer.startswith("unix:") else peer.rpartition(":")[0]
