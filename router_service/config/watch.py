"""Looks whether the configuration's files have changed, and loads them anew: a bad file leaves the old one in force."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from router_service.config.problem import ConfigError
from router_service.core.settings import Settings
from router_service.files import Stamp, stamp

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the files are looked at."""
RESTLESS_LOOKS = 5
"""After so many looks in a row, each of which found another file than the one before, somebody is told."""


class Watch:
    """Calls `adopt` with new settings whenever a file of the present ones has changed, or when asked to.

    `load` reads the files and the environment anew and raises ConfigError; `files` names those that matter to given
    settings. What is the same as before is not adopted again. `reloads` counts what was `adopted` and what `refused`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        load: Callable[[], Settings],
        files: Callable[[Settings], Iterable[Path]],
        adopt: Callable[[Settings], Awaitable[None]],
    ) -> None:
        self._started_with = settings
        self._settings = settings
        self._load = load
        self._files = files
        self._adopt = adopt
        self.reloads: Counter[str] = Counter()
        self._asked = asyncio.Event()
        self._seen = self._stamps()

    def ask(self) -> None:
        """Load again at once, whatever the files look like: a variable of the environment may have changed."""
        self._asked.set()

    @contextmanager
    def hearing_hangups(self) -> Iterator[None]:
        """Take SIGHUP for a wish to load again, as daemons do; where a terminal hung up it ends the process as ever."""
        if sys.stdin is not None and sys.stdin.isatty():
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.ask)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def run(self) -> None:
        """Look once a second until cancelled. A file is loaded when it has stood still from one look to the next, so
        that nobody reads half of one. One that never does is told of once for each time that it starts.
        """
        settling = self._seen
        restless_looks = 0
        while True:
            stamps = await asyncio.to_thread(self._stamps)
            restless_looks = restless_looks + 1 if stamps != settling else 0
            if restless_looks == RESTLESS_LOOKS:
                logger.warning(
                    "the configuration has changed at each of the last %d looks, %g s apart, and is not reloaded "
                    "before it stands still; SIGHUP loads it as it is: %s",
                    *(RESTLESS_LOOKS, LOOK_S, ", ".join(str(p) for p in stamps if stamps[p] != settling.get(p))),
                )
            if self._asked.is_set() or (stamps == settling and stamps != self._seen):
                self._asked.clear()
                self._seen = stamps
                await self._reload()
            settling = stamps
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _reload(self) -> None:
        try:
            settings = await asyncio.to_thread(self._load)
        except ConfigError as e:
            self.reloads["refused"] += 1
            logger.warning("the configuration was not reloaded, the old one stays in force: %s", e)
            return
        if settings == self._settings:
            return
        for warning in settings.warnings:
            logger.warning("%s", warning)
        if named := _needing_restart(self._started_with, settings):
            logger.warning("what changed in %s holds from the next start on", ", ".join(named))
        self._settings = settings
        await self._adopt(settings)
        self.reloads["adopted"] += 1
        self._seen = self._stamps()
        logger.info("reloaded the configuration: version %s", settings.catalog.version)

    def _stamps(self) -> dict[Path, Stamp]:
        return {path: stamp(path) for path in self._files(self._settings)}


def _needing_restart(old: Settings, new: Settings) -> list[str]:
    """The sections whose values are read once, at the start, and are others than they were then."""
    pairs = {
        "server": (old.server, new.server),
        "prober and health": (old.prober, new.prober),
        "telemetry": (old.telemetry, new.telemetry),
        "simulator": (old.simulator, new.simulator),
    }
    return [name for name, (before, after) in pairs.items() if before != after]
