"""The prober's picture and a router's board on one clock: what the one finds, the other does not contradict."""

from __future__ import annotations

import pytest

from prober.probe import Finding
from router_service.core.health import State
from router_service.core.outcome import Outcome
from router_service.core.settings import ProberSettings
from router_service.health.board import HealthBoard
from tests.health.making import Clock, attempt

from .pictures import Rig as PictureRig

REPORTER, TARGET = "router-under-test", "alder/small"


class Pair:
    """Both, and the channel between them played by hand."""

    def __init__(self) -> None:
        self.prober = PictureRig()
        self.clock = Clock(0.0)
        self.board = HealthBoard(sorted(self.prober.picture.targets), ProberSettings(), clock=self.clock)
        self._sequence = 0

    def after(self, seconds: float) -> Pair:
        self.clock.now += seconds
        self.prober.now = self.clock.now
        self.board.tick()
        return self

    def attempt(self, outcome: Outcome) -> None:
        attempt(self.board, TARGET, outcome)

    def publish(self) -> None:
        self._sequence += 1
        made = self.prober.picture.snapshot(
            self.clock.now, epoch=1, sequence=self._sequence, prober_id="prober", wall_time=0.0
        )
        self.board.accept(made, merged=self.prober.picture.progress().get("", {}).get(REPORTER, 0))

    def report(self) -> None:
        self.board.take_report()
        for report in self.board.unsent_reports(REPORTER):
            self.prober.picture.reported(report, self.clock.now)
            self.board.report_accepted(report.sequence)

    def state(self) -> State:
        return self.board.standings()[TARGET].state


@pytest.mark.parametrize("failed_probes", [1, 2])
def test_probes_in_doubt_and_one_failed_call_do_not_add_up_to_down(failed_probes: int) -> None:
    pair = Pair()
    pair.prober.probe(Finding.GOOD)
    pair.publish()
    for _ in range(3):
        for _ in range(failed_probes):
            pair.after(0.5).prober.probe(Finding.BAD)
        pair.publish()
        before = pair.state()
        pair.after(0.1).attempt(Outcome.SERVER_ERROR)
        assert pair.state() is before is not State.UNHEALTHY
        pair.after(0.4).report()
        pair.publish()
        assert pair.state() is pair.prober.state() is not State.UNHEALTHY
        pair.after(6.0).attempt(Outcome.OK)
        pair.prober.probe(Finding.GOOD)
        pair.report()


def test_failed_calls_that_others_reported_count_on() -> None:
    pair = Pair()
    pair.prober.probe(Finding.GOOD)
    pair.prober.report("router-2", failed=2)
    pair.publish()
    pair.attempt(Outcome.SERVER_ERROR)
    assert pair.state() is State.UNHEALTHY


@pytest.mark.parametrize("is_told", [True, False])
def test_who_failed_three_times_in_a_row_stays_down_though_the_report_ends_well(is_told: bool) -> None:
    pair = Pair()
    pair.prober.probe(Finding.GOOD)
    pair.publish()
    for outcome in (Outcome.OK, *[Outcome.SERVER_ERROR] * 3, Outcome.OK):
        pair.attempt(outcome)
    assert pair.state() is State.UNHEALTHY
    pair.after(1.0)
    if is_told:
        pair.report()
        assert pair.prober.state() is State.UNHEALTHY
    pair.publish()
    assert pair.state() is State.UNHEALTHY, "the next snapshot does not bring it back"
