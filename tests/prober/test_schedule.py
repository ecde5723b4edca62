"""The schedule: when the next probe is due, and that one which hangs delays nobody else."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from prober.schedule import Schedule
from router_service.core.catalog import Catalog, Model, Provider, Target
from router_service.core.health import ProbeTiming, State
from router_service.core.outcome import Outcome
from router_service.core.settings import ProberSettings
from router_service.core.tally import Report, Tally

SETTINGS = ProberSettings()
PROVIDERS = tuple(
    Provider(name=name, dialect="openai", base_url="http://127.0.0.1:1") for name in ("alder", "birch", "cedar")
)
CATALOG = Catalog(targets=tuple(Target(provider, Model(id="small")) for provider in PROVIDERS))


def result(
    finding: Finding, provider: str = "alder", *, retry_after_s: float = 0.0, total_s: float = 0.0
) -> ProbeResult:
    timing = ProbeTiming(is_ok=finding is Finding.GOOD, total_s=total_s)
    return ProbeResult(provider=provider, finding=finding, timing=timing, retry_after_s=retry_after_s)


async def unused(_provider: Provider) -> ProbeResult:
    raise AssertionError("nothing is probed in this test")


class Rig:
    """A picture and a schedule that is asked and never run, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.picture = Picture(CATALOG, SETTINGS, now=0.0)
        self.schedule = schedule(self.picture, unused, SETTINGS, clock=lambda: self.now)

    def wait_after(self, finding: Finding, *, retry_after_s: float = 0.0, total_s: float = 0.0) -> float:
        made = result(finding, retry_after_s=retry_after_s, total_s=total_s)
        self.picture.probed(made, self.now)
        return self.schedule.wait_s(made, self.now)

    def state(self) -> State:
        return (
            self.picture.snapshot(self.now, epoch=1, sequence=1, prober_id="", wall_time=0.0)
            .targets["alder/small"]
            .state
        )


def schedule(
    picture: Picture,
    probe: Callable[[Provider], Awaitable[ProbeResult]],
    settings: ProberSettings,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Schedule:
    return Schedule(PROVIDERS, settings, picture=picture, probe=probe, changed=lambda: None, rng=Random(3), clock=clock)


def test_all_well_waits_an_interval_give_or_take_a_fifth() -> None:
    rig = Rig()
    waits = [rig.wait_after(Finding.GOOD) for _ in range(200)]
    assert 4.0 <= min(waits) < 4.2
    assert 5.8 < max(waits) <= 6.0


def test_a_failure_is_confirmed_soon_until_it_is_settled() -> None:
    rig = Rig()
    assert rig.wait_after(Finding.BAD) == SETTINGS.confirm_s
    assert rig.wait_after(Finding.BAD) == SETTINGS.confirm_s
    assert rig.wait_after(Finding.BAD) >= 4.0


def test_a_probe_that_hung_is_confirmed_at_once() -> None:
    rig = Rig()
    assert rig.wait_after(Finding.BAD, total_s=0.2) == pytest.approx(SETTINGS.confirm_s - 0.2)
    assert rig.wait_after(Finding.BAD, total_s=SETTINGS.timeout_s) < 0.05


def test_with_the_shipped_settings_a_provider_that_hangs_is_down_within_a_dozen_seconds() -> None:
    rig = Rig()
    hung_at = rig.now
    wait_s = rig.wait_after(Finding.GOOD)
    for _ in range(SETTINGS.rules.down_after):
        assert rig.state() is State.HEALTHY
        rig.now += wait_s + SETTINGS.timeout_s
        wait_s = rig.wait_after(Finding.BAD, total_s=SETTINGS.timeout_s)
    assert rig.state() is State.UNHEALTHY
    assert rig.now - hung_at <= 12.1


def test_a_single_failure_is_settled_by_a_good_probe() -> None:
    rig = Rig()
    rig.wait_after(Finding.BAD)
    assert rig.wait_after(Finding.GOOD) >= 4.0


def test_the_end_of_a_cooldown_is_met_and_then_confirmed() -> None:
    rig = Rig()
    for _ in range(3):
        rig.wait_after(Finding.BAD)
    rig.now = 8.0
    assert rig.wait_after(Finding.GOOD) == pytest.approx(2.01)
    rig.now = 10.01
    assert rig.wait_after(Finding.GOOD) == SETTINGS.confirm_s
    rig.now = 10.51
    assert rig.wait_after(Finding.GOOD) >= 4.0


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(0.0, 30.0), (5.0, 30.0), (120.0, 120.0), (1e9, 300.0)])
def test_a_rate_limited_probe_is_left_alone(retry_after_s: float, wait_s: float) -> None:
    assert Rig().wait_after(Finding.RATE_LIMITED, retry_after_s=retry_after_s) == wait_s


QUICK = replace(SETTINGS, interval_s=0.05, confirm_s=0.01)


class CountingProbe:
    """Counts the probes of each provider; one of them may hang, or raise."""

    def __init__(self, *, hanging: str = "", raising: str = "") -> None:
        self.counts: Counter[str] = Counter()
        self._hanging = hanging
        self._raising = raising

    async def __call__(self, provider: Provider) -> ProbeResult:
        self.counts[provider.name] += 1
        if provider.name == self._hanging:
            await asyncio.Event().wait()
        if provider.name == self._raising:
            raise RuntimeError("a fault of ours")
        return result(Finding.GOOD, provider.name)


async def run_until(made: Schedule, is_enough: Callable[[], bool]) -> None:
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            running = group.create_task(made.run())
            while True:
                await asyncio.sleep(0.005)
                if is_enough():
                    break
            running.cancel()


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["hanging", "raising"])
async def test_one_provider_delays_no_other(fault: str) -> None:
    probe = CountingProbe(hanging="birch") if fault == "hanging" else CountingProbe(raising="birch")
    made = schedule(Picture(CATALOG, QUICK, now=time.monotonic()), probe, QUICK)
    await run_until(made, lambda: min(probe.counts["alder"], probe.counts["cedar"]) >= 10)
    assert probe.counts["birch"] == 1 or fault == "raising"


@pytest.mark.anyio
async def test_real_traffic_that_goes_well_spares_probes_for_three_intervals() -> None:
    picture, probe = Picture(CATALOG, QUICK, now=time.monotonic()), CountingProbe()
    sequence = 0

    def is_enough() -> bool:
        nonlocal sequence
        sequence += 1
        tally = Tally(outcomes=Counter({Outcome.OK: 1}))
        picture.reported(
            Report(reporter_id="router-1", sequence=sequence, tallies={"alder/small": tally}), time.monotonic()
        )
        return probe.counts["birch"] >= 24

    await run_until(schedule(picture, probe, QUICK), is_enough)
    assert 5 <= probe.counts["alder"] <= 14
