"""Who is probed deep, and when: where nothing cheaper tells, and less often each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from prober.deep import DeepAnswer
from prober.deep_schedule import LONGEST_REST, REFUSED_WAIT_S, DeepSchedule, may_be_probed
from prober.funds import Unaffordable
from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from prober.recipes import FIRST_FOR_REASONING
from router_service.core.catalog import Catalog, Kind, Model, Prices, Provider, Target
from router_service.core.health import ProbeTiming, Snapshot, State
from router_service.core.outcome import BlockReason, Outcome
from router_service.core.settings import DeepSettings, ProberSettings
from router_service.core.tally import Report, Tally

SETTINGS = ProberSettings(deep=DeepSettings(is_enabled=True, interval_s=900.0))
COOLDOWN_S, CONFIRM_S = SETTINGS.rules.cooldown_s, SETTINGS.confirm_s
ALDER = Provider(name="alder", dialect="openai", base_url="http://127.0.0.1:1")
PRICED = Prices(input=1.0, output=2.0)
CATALOG = Catalog(tuple(Target(ALDER, Model(id=name, prices=PRICED)) for name in ("small", "large")))


class Even(Random):
    """Chance without a choice: the middle of every range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class Rig:
    """A picture and a deep schedule over a clock that is moved by hand; `answers` says what a target is found to be."""

    def __init__(self, catalog: Catalog = CATALOG) -> None:
        self.now = 0.0
        self.picture = Picture(catalog, SETTINGS, now=0.0)
        self.asked: list[tuple[str, int]] = []
        self.answers: dict[str, Finding | Unaffordable] = {}
        self.wants_more: set[str] = set()
        self._sequence = 0
        self.schedule = DeepSchedule(
            catalog,
            SETTINGS,
            picture=self.picture,
            probe=self._probe,
            changed=lambda: None,
            rng=Even(),
            clock=lambda: self.now,
        )

    async def _probe(self, target: Target, rung: int) -> DeepAnswer | Unaffordable:
        self.asked.append((target.model.id, rung))
        finding = self.answers.get(target.model.id, Finding.GOOD)
        if isinstance(finding, Unaffordable):
            return finding
        timing = ProbeTiming(is_ok=finding is Finding.GOOD)
        result = ProbeResult(provider="alder", target=target.id, finding=finding, timing=timing, retry_after_s=7.0)
        return DeepAnswer(result=result, wants_more=target.model.id in self.wants_more)

    async def pass_time(self, seconds: float, *, cheap: Finding | None = Finding.GOOD) -> list[str]:
        """Let time pass half a second at a time, with a cheap probe every five; returns who was probed deep."""
        first = len(self.asked)
        for _ in range(round(seconds * 2)):
            if cheap is not None and self.now % SETTINGS.interval_s == 0:
                timing = ProbeTiming(is_ok=cheap is Finding.GOOD)
                self.picture.probed(ProbeResult(provider="alder", finding=cheap, timing=timing), self.now)
            self.picture.entrust("alder", self.schedule.entrusted("alder", self.now))
            if (turn := self.schedule.next_turn("alder", self.now)) is not None:
                await self.schedule.take(turn)
            self.now += 0.5
        return [name for name, _ in self.asked[first:]]

    def traffic(self, model: str, outcome: Outcome, *, times: int = 1) -> None:
        self._sequence += 1
        trailing = 0 if outcome is Outcome.OK else times
        tally = Tally(outcomes=Counter({outcome: times}), trailing_failures=trailing)
        self.picture.reported(
            Report(reporter_id="router-1", sequence=self._sequence, tallies={f"alder/{model}": tally}), self.now
        )

    def state(self, model: str) -> State:
        return self._snapshot().targets[f"alder/{model}"].state

    def block(self) -> BlockReason | None:
        return self._snapshot().providers["alder"].block_reason

    def _snapshot(self) -> Snapshot:
        return self.picture.snapshot(self.now, epoch=1, sequence=1, prober_id="p", wall_time=0.0)


pytestmark = pytest.mark.anyio


async def test_models_that_nobody_calls_are_seen_once_and_then_less_and_less_often() -> None:
    rig = Rig()
    assert sorted(await rig.pass_time(5)) == ["large", "small"]
    at: list[float] = []
    while rig.now < 50_000 and len(at) < 5:
        asked = await rig.pass_time(60, cheap=None)
        at += [rig.now] * asked.count("small")
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert [round(gap / 900) for gap in gaps[:3]] == [4, 8, 8]
    assert max(gaps) <= LONGEST_REST * 900 + 120


async def test_where_real_traffic_tells_no_money_is_spent() -> None:
    rig = Rig()
    for _ in range(20):
        rig.traffic("small", Outcome.OK)
        assert "small" not in await rig.pass_time(300)


async def test_where_cheap_probes_fail_there_is_nothing_to_ask() -> None:
    rig = Rig()
    assert await rig.pass_time(2000, cheap=Finding.BAD) == []


async def test_where_cheap_probes_tell_nothing_deep_ones_do() -> None:
    rig = Rig()
    await rig.pass_time(5, cheap=Finding.RATE_LIMITED)
    assert rig.state("small") is rig.state("large") is State.HEALTHY


async def test_a_model_that_fails_alone_is_found_down_within_moments() -> None:
    rig = Rig()
    rig.answers["small"] = Finding.BAD
    asked = await rig.pass_time(5)
    assert asked.count("small") == 3
    assert (rig.state("small"), rig.state("large")) == (State.UNHEALTHY, State.HEALTHY)


async def test_what_calls_took_down_comes_back_by_deep_probes_alone() -> None:
    rig = Rig()
    await rig.pass_time(5)
    rig.traffic("small", Outcome.SERVER_ERROR, times=3)
    assert rig.state("small") is State.UNHEALTHY
    rig.answers["small"] = Finding.BAD
    assert "small" not in await rig.pass_time(COOLDOWN_S)
    failing = await rig.pass_time(65)
    assert 3 <= failing.count("small") <= 4, "each failure doubles the wait"
    assert rig.state("small") is State.UNHEALTHY
    rig.answers["small"] = Finding.GOOD
    assert (await rig.pass_time(90)).count("small") == SETTINGS.rules.up_after
    assert rig.state("small") in (State.RECOVERING, State.HEALTHY)


async def test_where_no_deep_probe_can_be_paid_cheap_ones_bring_back_as_before() -> None:
    rig = Rig()
    await rig.pass_time(5)
    rig.answers["small"] = Unaffordable(retry_in_s=300.0)
    rig.traffic("small", Outcome.SERVER_ERROR, times=3)
    await rig.pass_time(COOLDOWN_S + 15)
    assert rig.state("small") in (State.RECOVERING, State.HEALTHY)


@pytest.mark.parametrize("finding", [Finding.UNANSWERED, Finding.UNASKED])
async def test_what_deep_probes_cannot_tell_is_left_to_cheap_ones(finding: Finding) -> None:
    rig = Rig()
    await rig.pass_time(5)
    rig.answers["small"] = finding
    rig.traffic("small", Outcome.SERVER_ERROR, times=3)
    await rig.pass_time(COOLDOWN_S + 15)
    assert rig.state("small") in (State.RECOVERING, State.HEALTHY)


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (Finding.RATE_LIMITED, BlockReason.RATE_LIMITED),
        (Finding.MONEY_GONE, BlockReason.MONEY),
        (Finding.KEY_REFUSED, BlockReason.CREDENTIALS),
    ],
)
async def test_a_refusal_blocks_the_provider_at_once_and_is_not_repeated(finding: Finding, reason: BlockReason) -> None:
    rig = Rig()
    rig.answers = {"small": finding, "large": finding}
    assert len(await rig.pass_time(1, cheap=None)) == 1, "a blocked provider is not asked about its next model"
    assert rig.block() is reason
    assert rig.state("small") is State.UNKNOWN
    assert len(await rig.pass_time(REFUSED_WAIT_S - 5, cheap=None)) <= 1


async def test_a_question_that_a_model_does_not_answer_is_repeated_less_and_less_often() -> None:
    rig = Rig(Catalog(CATALOG.targets[:1]))
    rig.answers["small"] = Finding.UNANSWERED
    assert len(await rig.pass_time(900 * (2 + 4 + 8 + 8), cheap=None)) == 4


async def test_a_cheap_probe_does_not_lift_what_a_deep_one_was_refused_for() -> None:
    rig = Rig()
    rig.answers = {"small": Finding.MONEY_GONE, "large": Finding.MONEY_GONE}
    await rig.pass_time(20)
    assert rig.block() is BlockReason.MONEY


async def test_a_model_that_wants_more_is_asked_for_more() -> None:
    rig = Rig()
    rig.answers, rig.wants_more = {"small": Finding.UNANSWERED}, {"small"}
    await rig.pass_time(2)
    rig.wants_more.clear()
    rungs = [rung for name, rung in rig.asked if name == "small"]
    assert rungs == list(range(len(rungs)))
    assert len(rungs) >= 2
    rig.answers["small"] = Finding.GOOD
    await rig.pass_time(5)
    assert rig.asked[-1] == ("small", len(rungs)), "and what it answered to is remembered"


async def test_a_model_that_reasons_is_asked_for_more_from_the_start() -> None:
    thinker = Model(id="thinker", prices=PRICED, capabilities=frozenset({"reasoning"}))
    rig = Rig(Catalog((Target(ALDER, thinker),)))
    await rig.pass_time(2)
    assert rig.asked == [("thinker", FIRST_FOR_REASONING)]


@pytest.mark.parametrize(
    ("provider", "model", "fits"),
    [
        pytest.param(ALDER, Model(id="m", prices=PRICED), True, id="priced"),
        pytest.param(ALDER, Model(id="m", prices=Prices(input=0.0, output=0.0)), True, id="free"),
        pytest.param(ALDER, Model(id="m"), False, id="price-unknown"),
        pytest.param(replace(ALDER, is_unpriced=True), Model(id="m"), True, id="unpriced"),
        pytest.param(replace(ALDER, tier="local"), Model(id="m"), True, id="self-hosted"),
        pytest.param(ALDER, Model(id="m", prices=PRICED, kind=Kind.EMBEDDING), False, id="embedding"),
        pytest.param(ALDER, Model(id="m", prices=PRICED, is_enabled=False), False, id="model-off"),
        pytest.param(replace(ALDER, is_enabled=False), Model(id="m", prices=PRICED), False, id="provider-off"),
    ],
)
async def test_only_what_has_a_known_price_and_answers_text_is_probed(
    provider: Provider, model: Model, fits: bool
) -> None:
    assert may_be_probed(Target(provider, model)) is fits


async def test_a_reload_keeps_turns_and_forgets_who_went() -> None:
    rig = Rig()
    await rig.pass_time(5)
    rig.schedule.adopt(Catalog(CATALOG.targets[:1]))
    rig.picture.adopt(Catalog(CATALOG.targets[:1]), rig.now)
    assert await rig.pass_time(60) == []
    assert rig.schedule.entrusted("alder", rig.now) == {"alder/small"}


async def test_it_runs_until_it_is_cancelled_and_survives_faults_of_its_own() -> None:
    asked = asyncio.Event()

    async def broken(_target: Target, _rung: int) -> DeepAnswer | Unaffordable:
        asked.set()
        raise RuntimeError("a fault of ours")

    settings = replace(SETTINGS, interval_s=0.01, confirm_s=0.01)
    picture, clock = Picture(CATALOG, settings, now=0.0), asyncio.get_running_loop().time
    schedule = DeepSchedule(
        CATALOG, settings, picture=picture, probe=broken, changed=lambda: None, rng=Random(1), clock=clock
    )
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(schedule.run())
        await asked.wait()
        schedule.adopt(Catalog(()))
        await asyncio.sleep(0)
        assert not running.done()
        running.cancel()
