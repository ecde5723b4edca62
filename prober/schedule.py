"""When to probe: each provider on a clock of its own, so that one that hangs delays nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from random import Random

from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from router_service.core.catalog import Provider
from router_service.core.settings import ProberSettings

logger = logging.getLogger(__name__)

JITTER = 0.2
LONGEST_START_S = 1.0
RATE_LIMITED_WAIT_S, LONGEST_WAIT_S = 30.0, 300.0
MOST_INTERVALS = 3
"""So long a provider is left unprobed while its real traffic goes well."""

TIMER_SLACK_S = 0.01
"""A timer of the event loop may fire this much before its time by the monotonic clock."""

Probe = Callable[[Provider], Awaitable[ProbeResult]]


class Schedule:
    """Probes `providers` for as long as `run` runs, and tells `picture` of each probe, then calls `changed`."""

    def __init__(
        self,
        providers: Iterable[Provider],
        settings: ProberSettings,
        *,
        picture: Picture,
        probe: Probe,
        changed: Callable[[], None],
        rng: Random,
        clock: Callable[[], float],
    ) -> None:
        self._providers = tuple(providers)
        self._adopted = asyncio.Event()
        self._settings = settings
        self._picture = picture
        self._probe = probe
        self._changed = changed
        self._rng = rng
        self._clock = clock
        self._is_short = False

    def adopt(self, providers: Iterable[Provider]) -> None:
        """Probe these from now on; the clock of a provider that is as it was goes on."""
        self._providers = tuple(providers)
        self._adopted.set()

    async def run(self) -> None:
        """Probe until cancelled."""
        running: dict[Provider, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for provider in running.keys() - set(self._providers):
                    running.pop(provider).cancel()
                for provider in self._providers:
                    if provider not in running:
                        running[provider] = tasks.create_task(self._keep_probing(provider))
                self._adopted.clear()
                await self._adopted.wait()

    async def _keep_probing(self, provider: Provider) -> None:
        await asyncio.sleep(self._rng.uniform(0, min(LONGEST_START_S, self._settings.interval_s)))
        while True:
            try:
                result = await self._probe(provider)
            except Exception:  # the root of a provider's task: a fault of ours in one stops no other
                logger.exception("the probe of %s could not be made", provider.name)
                await asyncio.sleep(self._interval_s())
                continue
            probed_at = self._clock()
            self._note_shortage(result)
            self._picture.probed(result, probed_at)
            self._changed()
            await self._rest(result, probed_at)

    def _note_shortage(self, result: ProbeResult) -> None:
        is_short = result.finding is Finding.UNASKED
        if is_short and not self._is_short:
            logger.warning(
                "the prober has no open files left to probe with, so nothing is known from now on of what only probes "
                "tell; raise its limit (ulimit -n)"
            )
        self._is_short = is_short

    async def _rest(self, result: ProbeResult, probed_at: float) -> None:
        wait_s = self.wait_s(result, probed_at)
        while wait_s > 0:
            await asyncio.sleep(wait_s)
            wait_s = self._interval_s() if self._may_be_left(result.provider, probed_at) else 0.0

    def wait_s(self, result: ProbeResult, now: float) -> float:
        """Seconds from `result` to its provider's next probe: soon while something is to be settled."""
        if result.finding is Finding.RATE_LIMITED:
            return min(LONGEST_WAIT_S, max(RATE_LIMITED_WAIT_S, result.retry_after_s))
        interval_s = self._interval_s()
        wanted_in_s = self._picture.probe_wanted_in_s(result.provider, now)
        if wanted_in_s is None:
            return interval_s
        # A probe that hung has waited already: what confirms it need not wait as well.
        confirm_s = max(0.0, self._settings.confirm_s - result.timing.total_s)
        return min(interval_s, max(confirm_s, wanted_in_s + TIMER_SLACK_S))

    def _may_be_left(self, provider: str, probed_at: float) -> bool:
        """Real traffic of the last interval says more than a probe, while it goes well and not for ever."""
        now, interval_s = self._clock(), self._settings.interval_s
        is_recent = now + interval_s <= probed_at + MOST_INTERVALS * interval_s
        return is_recent and self._picture.is_traffic_well(provider, now, within_s=interval_s)

    def _interval_s(self) -> float:
        return self._settings.interval_s * self._rng.uniform(1 - JITTER, 1 + JITTER)
