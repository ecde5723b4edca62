"""Which target is probed deep, and when: where neither real traffic nor cheap probes tell, and less often each time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

from prober.deep import DeepAnswer
from prober.funds import Unaffordable
from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from prober.recipes import first_rung
from router_service.core.catalog import Catalog, Kind, Target
from router_service.core.record import Need
from router_service.core.settings import ProberSettings

logger = logging.getLogger(__name__)

LOOK_S = 0.5
JITTER = 0.2
LONGEST_REST = 8
"""A target that answers every time is looked at less and less often, down to every so many intervals."""

REFUSED_WAIT_S = 60.0

Probe = Callable[[Target, int], Awaitable[DeepAnswer | Unaffordable]]


@dataclass(slots=True, eq=False)
class Turn:
    """When a target may be probed next, by which recipe, and how long it may go unseen."""

    target: Target
    rung: int
    rest_s: float
    retry_s: float = 0.0
    not_before: float = -inf
    refused_until: float = -inf

    def wait(self, now: float, wait_s: float) -> None:
        self.not_before = now + wait_s

    def refuse(self, now: float, wait_s: float) -> None:
        self.not_before = self.refused_until = now + wait_s


class DeepSchedule:
    """Probes for as long as `run` runs, one target of a provider at a time; tells `picture` and calls `changed`."""

    def __init__(
        self,
        catalog: Catalog,
        settings: ProberSettings,
        *,
        picture: Picture,
        probe: Probe,
        changed: Callable[[], None],
        rng: Random,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._picture = picture
        self._probe = probe
        self._changed = changed
        self._rng = rng
        self._clock = clock
        self._turns: dict[str, Turn] = {}
        self._of_provider: dict[str, Sequence[Turn]] = {}
        self._adopted = asyncio.Event()
        self.adopt(catalog)

    def adopt(self, catalog: Catalog) -> None:
        """Go by another catalogue from now on; a target that is as it was keeps its turn."""
        fit = [target for target in catalog.targets if may_be_probed(target)]
        before, interval_s = self._turns, self._settings.deep.interval_s
        self._turns = {t.id: self._kept(before.get(t.id), t) or Turn(t, first_rung(t.model), interval_s) for t in fit}
        self._of_provider = {
            name: [turn for turn in self._turns.values() if turn.target.provider.name == name]
            for name in dict.fromkeys(target.provider.name for target in fit)
        }
        self._adopted.set()

    async def run(self) -> None:
        """Probe until cancelled."""
        running: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for name in running.keys() - self._of_provider.keys():
                    running.pop(name).cancel()
                    self._picture.entrust(name, ())
                for name in self._of_provider.keys() - running.keys():
                    running[name] = tasks.create_task(self._keep_probing(name))
                self._adopted.clear()
                await self._adopted.wait()

    async def _keep_probing(self, provider: str) -> None:
        # What costs nothing comes first: by then a cheap probe and the routers' first reports have told.
        await asyncio.sleep(self._settings.interval_s * self._rng.uniform(1, 2))
        while True:
            now = self._clock()
            self._picture.entrust(provider, self.entrusted(provider, now))
            if (turn := self.next_turn(provider, now)) is not None:
                await self.take(turn)
            await asyncio.sleep(min(LOOK_S, self._settings.confirm_s))

    async def take(self, turn: Turn) -> None:
        """Make the probe whose turn it is."""
        need = self._picture.deep_need(turn.target.id, self._clock(), unseen_s=turn.rest_s)
        try:
            answer = await self._probe(turn.target, turn.rung)
        except Exception:  # the root of a provider's task: a fault of ours in one stops no other
            logger.exception("the deep probe of %s could not be made", turn.target.id)
            turn.refuse(self._clock(), REFUSED_WAIT_S)
            return
        self.told(turn, answer, need, self._clock())

    def entrusted(self, provider: str, now: float) -> frozenset[str]:
        """The targets that a deep probe can be afforded of: it is for such a one to show that they serve again."""
        return frozenset(t.target.id for t in self._of_provider.get(provider, ()) if t.refused_until <= now)

    def next_turn(self, provider: str, now: float) -> Turn | None:
        """Whose turn it is, the most urgent need first."""
        due = [turn for turn in self._of_provider.get(provider, ()) if turn.not_before <= now]
        needs = [(self._picture.deep_need(turn.target.id, now, unseen_s=turn.rest_s), turn) for turn in due]
        wanted = [(need.value, turn.not_before, turn) for need, turn in needs if need is not None]
        return min(wanted, key=lambda each: each[:2])[2] if wanted else None

    def told(self, turn: Turn, answer: DeepAnswer | Unaffordable, need: Need | None, now: float) -> None:
        """A probe ended, or was not made: pass on what it says, and set when the target's next turn is."""
        if isinstance(answer, Unaffordable):
            turn.refuse(now, max(self._settings.interval_s, answer.retry_in_s))
            logger.debug("no deep probe of %s for %.0f s: there is no room for one", turn.target.id, answer.retry_in_s)
            return
        self._picture.probed_deep(answer.result, now)
        self._picture.counted(answer.result.provider, answer.windows, now)
        self._changed()
        if answer.wants_more:
            self._climb(turn, now)
        elif answer.result.finding.says_nothing:
            turn.refuse(now, self._untold_s(turn, answer.result))
        else:
            turn.wait(now, self._wait_s(turn, answer.result.finding, need))

    def _climb(self, turn: Turn, now: float) -> None:
        turn.rung += 1
        turn.wait(now, self._settings.confirm_s)
        logger.info("%s does not answer so small a question; it is asked a larger one", turn.target.id)

    def _wait_s(self, turn: Turn, finding: Finding, need: Need | None) -> float:
        """Seconds to the next turn, where the need remains; how long the target may go unseen is set in `turn`."""
        interval_s, rules = self._settings.deep.interval_s, self._settings.rules
        if finding is Finding.BAD:
            turn.rest_s = interval_s
            if need is not Need.PROOF:
                return self._settings.confirm_s
            turn.retry_s = min(rules.max_cooldown_s, 2 * turn.retry_s or rules.cooldown_s)
            return turn.retry_s
        turn.retry_s = 0.0
        if need is Need.UNSEEN:
            rest_s = min(LONGEST_REST * interval_s, turn.rest_s * 2)
            turn.rest_s = rest_s * self._rng.uniform(1 - JITTER, 1 + JITTER)
        return self._settings.confirm_s

    def _untold_s(self, turn: Turn, result: ProbeResult) -> float:
        """Seconds to the next turn of a target of which the probe could say nothing; longer each time."""
        if result.finding is Finding.UNANSWERED:
            turn.rest_s = min(LONGEST_REST * self._settings.deep.interval_s, turn.rest_s * 2)
            return max(REFUSED_WAIT_S, turn.rest_s)
        turn.retry_s = min(self._settings.rules.max_cooldown_s, max(REFUSED_WAIT_S, 2 * turn.retry_s))
        return max(turn.retry_s, result.retry_after_s)

    def _kept(self, turn: Turn | None, target: Target) -> Turn | None:
        return turn if turn is not None and turn.target == target else None


def may_be_probed(target: Target) -> bool:
    """Whether a deep probe makes sense and what it costs is known: a price that nobody knows cannot be capped."""
    provider, model = target.provider, target.model
    is_priced = provider.is_unpriced or provider.is_self_hosted or model.prices.blended is not None
    return provider.is_callable and model.is_enabled and model.kind is Kind.CHAT and is_priced
