"""The picture: probes and reports merged, each once, none louder than it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from prober.probe import Finding
from router_service.core.catalog import Catalog, Provider, Secret
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.record import Need
from router_service.core.tally import Report, Tally
from tests.prober.pictures import Rig, catalog, in_order, outcomes


def test_a_probe_speaks_for_all_targets_of_its_provider() -> None:
    rig = Rig()
    for _ in range(3):
        rig.probe(Finding.BAD)
    states = {target: health.state for target, health in rig.snapshot().targets.items()}
    assert states == {
        "alder/small": State.UNHEALTHY,
        "alder/large": State.UNHEALTHY,
        "birch/small": State.UNKNOWN,
    }


def test_a_report_speaks_for_its_target_alone() -> None:
    rig = Rig()
    rig.report(failed=3)
    assert (rig.state(), rig.state("alder/large")) == (State.UNHEALTHY, State.UNKNOWN)


def test_a_duplicate_is_dropped_and_answered_with_what_is_merged() -> None:
    rig = Rig()
    report = Report(reporter_id="router-1", sequence=5, tallies={"alder/small": outcomes(ok=4)})
    assert rig.picture.reported(report, 0.0) == 5
    assert rig.picture.reported(report, 0.0) == 5
    assert rig.picture.reported(Report(reporter_id="router-1", sequence=4, tallies=report.tallies), 0.0) == 5
    assert rig.samples() == pytest.approx(4.0)
    assert rig.snapshot().merged_sequences == {"router-1": 5}


def test_reports_of_two_reporters_add_up() -> None:
    rig = Rig()
    rig.report("router-1", ok=3, in_flight=2)
    rig.report("router-2", ok=4, in_flight=5)
    assert rig.samples() == pytest.approx(7.0)
    assert rig.snapshot().targets["alder/small"].in_flight == 7
    rig.report("router-2")
    assert rig.snapshot().targets["alder/small"].in_flight == 2


DOWN = "failed failed failed ok"


@pytest.mark.parametrize(
    ("reports", "state"),
    [
        ([f"ok {DOWN}"], State.UNHEALTHY),
        (["ok failed failed", "failed ok"], State.UNHEALTHY),
        (["ok failed failed", "ok failed ok"], State.DEGRADED),
        (["ok failed ok failed failed ok"], State.DEGRADED),
        (["ok", DOWN, "ok ok"], State.UNHEALTHY),
    ],
)
def test_failures_in_a_row_count_wherever_a_report_begins_and_ends(reports: list[str], state: State) -> None:
    rig = Rig()
    for calls in reports:
        rig.tell("router-1", in_order(calls))
    assert rig.state() is state


def test_two_of_three_who_saw_it_fail_in_a_row_are_believed_though_it_answers_again() -> None:
    rig = Rig()
    for reporter in ("router-1", "router-2", "router-3"):
        rig.tell(reporter, in_order("ok ok ok ok"))
    rig.tell("router-1", in_order(DOWN))
    assert rig.state() is not State.UNHEALTHY, "it may be its own network"
    rig.tell("router-2", in_order(DOWN))
    assert rig.state() is State.UNHEALTHY


def test_a_silent_reporter_is_forgotten() -> None:
    rig = Rig()
    rig.report("router-1", in_flight=2)
    rig.now = 200.0
    rig.report("router-2", in_flight=1)
    rig.now = 301.0
    rig.picture.forget_silent_reporters(rig.now)
    assert rig.snapshot().merged_sequences == {"router-2": 1}
    assert rig.snapshot().targets["alder/small"].in_flight == 1


def test_an_old_report_is_measured_by_its_age_and_judges_nobody() -> None:
    rig = Rig()
    rig.now = 400.0
    rig.report(failed=8, age_s=40.0)
    assert rig.state() is State.UNKNOWN
    assert rig.samples() == pytest.approx(2.0)


def test_a_recent_report_of_before_a_restart_judges() -> None:
    rig = Rig()
    rig.now = 5.0
    rig.report(failed=3, age_s=10.0)
    assert rig.state() is State.UNHEALTHY


def test_one_of_two_reporters_may_take_a_target_down() -> None:
    rig = Rig()
    rig.report("router-2", ok=5)
    rig.report("router-1", failed=5)
    assert rig.state() is State.UNHEALTHY


def test_one_of_three_reporters_alone_degrades_and_does_not_take_down() -> None:
    rig = Rig()
    for _ in range(5):
        rig.now += 1.0
        rig.report("router-2", ok=5)
        rig.report("router-3", ok=5)
        rig.report("router-1", failed=50)
        assert rig.state() in (State.HEALTHY, State.DEGRADED)
    assert rig.state() is State.DEGRADED


def test_one_of_three_reporters_weighs_no_more_than_the_others_together() -> None:
    rig = Rig()
    rig.report("router-2", ok=5)
    rig.report("router-3", ok=5)
    rig.report("router-1", failed=1000)
    health = rig.snapshot().targets["alder/small"]
    assert health.samples == pytest.approx(20.0)
    assert health.success_rate == pytest.approx(0.5)


def test_two_of_three_reporters_take_a_target_down() -> None:
    rig = Rig()
    rig.report("router-3", ok=5)
    rig.report("router-2", failed=2)
    rig.report("router-1", failed=2)
    assert rig.state() is State.UNHEALTHY


def test_reporters_of_other_targets_do_not_count() -> None:
    rig = Rig()
    rig.report("router-2", target="birch/small", ok=5)
    rig.report("router-3", target="birch/small", ok=5)
    rig.report("router-1", failed=3)
    assert rig.state() is State.UNHEALTHY


def test_failing_probes_degrade_while_real_traffic_goes_well() -> None:
    rig = Rig()
    for _ in range(6):
        rig.now += 1.0
        rig.report(ok=20)
        rig.probe(Finding.BAD)
    assert rig.state() is State.DEGRADED
    assert rig.state("alder/large") is State.UNHEALTHY


def test_good_probes_do_not_bring_back_what_real_traffic_took_down() -> None:
    rig = Rig()
    rig.probe(Finding.GOOD)
    rig.report(failed=3)
    for _ in range(9):
        rig.now += 1.0
        rig.probe(Finding.GOOD)
        assert rig.state() is State.UNHEALTHY


def test_a_rate_limited_probe_says_nothing() -> None:
    rig = Rig()
    for _ in range(5):
        rig.probe(Finding.RATE_LIMITED)
    assert rig.state() is State.UNKNOWN
    assert rig.snapshot().providers["alder"].block_reason is None


@pytest.mark.parametrize("finding", [Finding.RATE_LIMITED, Finding.KEY_REFUSED])
def test_what_traffic_took_down_comes_back_though_no_probe_can_tell(finding: Finding) -> None:
    rig = Rig()
    rig.report(failed=3)
    shares = []
    for _ in range(6):
        rig.now += 5.0
        rig.probe(finding)
        rig.report(ok=1)
        shares.append(rig.snapshot().targets["alder/small"].traffic_share)
    assert shares == [0.0, 0.05, 0.25, 1.0, 1.0, 1.0]
    assert rig.state() is State.HEALTHY


def test_what_fails_its_live_trials_rests_longer_each_time() -> None:
    rig = Rig()
    rig.report(failed=3)
    trials = 0
    for _ in range(240):
        rig.now += 5.0
        rig.probe(Finding.RATE_LIMITED)
        if rig.state() is State.RECOVERING:
            trials += 1
            rig.report(failed=2)
        assert rig.state() is State.UNHEALTHY
    assert trials == 7  # after 10, 20, 40, 80, 160 and 300 s, then every 300 s


def test_a_key_that_is_refused_twice_blocks_the_provider_until_a_probe_is_let_in() -> None:
    rig = Rig()
    rig.probe(Finding.KEY_REFUSED)
    assert rig.snapshot().providers["alder"].block_reason is None
    assert rig.picture.probe_wanted_in_s("alder", rig.now) == 0.0, "the second probe comes soon"
    rig.probe(Finding.KEY_REFUSED)
    block = rig.snapshot().providers["alder"]
    assert (block.block_reason, block.blocked_for_s) == (BlockReason.CREDENTIALS, 60.0)
    assert rig.state() is State.UNKNOWN
    rig.probe(Finding.GOOD)
    assert rig.snapshot().providers["alder"].block_reason is None


def test_a_good_probe_does_not_lift_what_traffic_was_refused_for() -> None:
    rig = Rig()
    tally = Tally(blocked_for_s=30.0, block_reason=BlockReason.MONEY)
    rig.picture.reported(Report(reporter_id="router-1", sequence=1, tallies={"alder/small": tally}, age_s=10.0), 0.0)
    rig.probe(Finding.GOOD)
    block = rig.snapshot().providers["alder"]
    assert (block.block_reason, block.blocked_for_s) == (BlockReason.MONEY, 20.0)
    rig.now = 20.0
    assert rig.snapshot().providers["alder"].block_reason is None


def test_what_matters_changes_with_states_shares_and_blocks_only() -> None:
    rig = Rig()
    rig.probe(Finding.GOOD)
    before = rig.picture.what_matters(rig.now)
    rig.probe(Finding.GOOD)
    rig.report(ok=2, in_flight=4)
    rig.now += 1.0
    assert rig.picture.what_matters(rig.now) == before
    rig.probe(Finding.KEY_REFUSED, "birch")
    rig.probe(Finding.KEY_REFUSED, "birch")
    blocked = rig.picture.what_matters(rig.now)
    assert blocked != before
    rig.report(failed=3)
    assert rig.picture.what_matters(rig.now) != blocked


def test_a_longer_block_of_the_same_reason_matters() -> None:
    rig = Rig()
    rig.refuse("router-1", BlockReason.RATE_LIMITED, for_s=10.0)
    before = rig.picture.what_matters(rig.now)
    rig.refuse("router-1", BlockReason.RATE_LIMITED, for_s=10.1)
    assert rig.picture.what_matters(rig.now) == before, "the same reset, heard of a moment later"
    rig.refuse("router-1", BlockReason.RATE_LIMITED, for_s=60.0)
    assert rig.picture.what_matters(rig.now) != before


def test_traffic_is_well_while_all_of_a_provider_is_healthy() -> None:
    rig = Rig()
    rig.probe(Finding.GOOD)
    assert not rig.picture.is_traffic_well("alder", rig.now, within_s=5)
    rig.report(ok=1)
    assert rig.picture.is_traffic_well("alder", rig.now, within_s=5)
    rig.report(target="alder/large", failed=3)
    assert not rig.picture.is_traffic_well("alder", rig.now, within_s=5)


def test_traffic_is_not_well_while_a_router_waits_for_it() -> None:
    rig = Rig()
    rig.probe(Finding.GOOD)
    rig.report(ok=3, in_flight=2)
    assert rig.picture.is_traffic_well("alder", rig.now, within_s=5)
    rig.now += 1.0
    rig.report(in_flight=2)
    assert not rig.picture.is_traffic_well("alder", rig.now, within_s=5)
    rig.now += 1.0
    rig.report(ok=2)
    assert rig.picture.is_traffic_well("alder", rig.now, within_s=5)


def test_a_success_that_a_router_reports_lifts_what_a_probe_was_refused_for() -> None:
    rig = Rig()
    rig.probe(Finding.KEY_REFUSED)
    rig.probe(Finding.KEY_REFUSED)
    assert rig.snapshot().providers["alder"].block_reason is BlockReason.CREDENTIALS
    rig.report(ok=1)
    assert rig.snapshot().providers["alder"].block_reason is None
    rig.now += 5.0
    rig.probe(Finding.KEY_REFUSED)
    assert rig.snapshot().providers["alder"].block_reason is None


@pytest.mark.parametrize(
    ("reason", "is_believed"),
    [
        (BlockReason.OVERLOADED, False),
        (BlockReason.RATE_LIMITED, False),
        (BlockReason.MONEY, True),
        (BlockReason.CREDENTIALS, True),
    ],
)
def test_only_what_is_refused_for_key_or_money_lets_a_refused_list_be_believed(
    reason: BlockReason, *, is_believed: bool
) -> None:
    rig = Rig()
    rig.report(ok=1)
    rig.now += 1.0
    rig.refuse("router-1", reason, for_s=5.0)
    assert rig.block is reason
    rig.now += 10.0
    rig.probe(Finding.KEY_REFUSED)
    rig.probe(Finding.KEY_REFUSED)
    assert rig.block is (reason if is_believed else None)


def test_a_block_lifts_by_itself_though_the_list_stays_refused_so_that_calls_can_tell() -> None:
    rig = Rig()
    rig.refuse("router-1", BlockReason.MONEY)
    held_s = 0.0
    for _ in range(120):
        rig.now += 5.0
        rig.probe(Finding.KEY_REFUSED)
        if rig.block is not None:
            held_s = rig.now
            assert rig.block is BlockReason.MONEY
    assert held_s == 2 * 5.0 + 55.0, "60 s from the second refused list on"
    assert rig.picture.deep_need("alder/small", rig.now, unseen_s=60.0) is Need.UNSEEN


@pytest.mark.parametrize(
    "change",
    [
        lambda provider: replace(provider, key=Secret(_value="another")),
        lambda provider: replace(provider, base_url="http://127.0.0.1:2"),
    ],
)
def test_another_key_or_address_of_a_provider_lifts_its_block(
    change: Callable[[Provider], Provider],
) -> None:
    rig = Rig()
    rig.probe(Finding.KEY_REFUSED)
    rig.probe(Finding.KEY_REFUSED)
    rig.picture.adopt(catalog(), rig.now)
    assert rig.block is BlockReason.CREDENTIALS, "a reload that changes nothing lifts nothing"
    targets = tuple(replace(target, provider=change(target.provider)) for target in catalog().targets)
    rig.picture.adopt(Catalog(targets=targets), rig.now)
    assert rig.block is None
