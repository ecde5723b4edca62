"""Who reports, told apart by identity and id: nobody speaks for another, and nobody switches a provider off for all."""

from __future__ import annotations

import pytest

from prober.probe import Finding
from prober.reporters import LATELY_S, MOST_LOST, MOST_REPORTERS
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.tally import Report
from router_service.health.wire_limits import Corrupt
from tests.prober.pictures import Rig, outcomes

HONEST, OTHER, MEDDLER = "tenant honest", "tenant other", "tenant meddler"


def report(sequence: int, reporter: str = "router-1") -> Report:
    return Report(reporter_id=reporter, sequence=sequence, tallies={"alder/small": outcomes(ok=4)})


def test_another_identity_cannot_silence_a_router_by_its_id() -> None:
    rig = Rig()
    rig.picture.reported(report(1), rig.now, identity=HONEST)
    assert rig.picture.reported(report(2**40), rig.now, identity=MEDDLER) == 2**40
    assert rig.picture.reported(report(2), rig.now, identity=HONEST) == 2
    assert rig.samples() == pytest.approx(12.0)
    assert rig.picture.progress() == {HONEST: {"router-1": 2}, MEDDLER: {"router-1": 2**40}}


def test_a_leap_of_numbers_is_refused() -> None:
    rig = Rig()
    rig.picture.reported(report(5_000), rig.now)  # a first one may have any number: the prober was away
    with pytest.raises(Corrupt, match=f"sequence: is {5_001 + MOST_LOST} after 5000"):
        rig.picture.reported(report(5_001 + MOST_LOST), rig.now)
    assert rig.picture.reported(report(5_001), rig.now) == 5_001


def test_one_identity_plays_a_bounded_number_of_reporters() -> None:
    rig = Rig()
    for i in range(MOST_REPORTERS):
        rig.picture.reported(report(1, f"router-{i}"), rig.now, identity=MEDDLER)
    with pytest.raises(Corrupt, match="reporter_id: is one too many"):
        rig.picture.reported(report(1, "router-more"), rig.now, identity=MEDDLER)
    assert rig.picture.reported(report(1, "router-more"), rig.now, identity=HONEST) == 1


def test_one_of_three_identities_takes_nobody_down_however_many_reporters_it_plays() -> None:
    rig = Rig()
    for _ in range(5):
        rig.now += 1.0
        rig.report("router-1", identity=HONEST, ok=5)
        rig.report("router-2", identity=OTHER, ok=5)
        for i in range(6):
            rig.report(f"made-up-{i}", identity=MEDDLER, failed=50)
        health = rig.snapshot().targets["alder/small"]
        assert health.state in (State.UNKNOWN, State.HEALTHY, State.DEGRADED)
        assert health.success_rate >= 0.45


def test_replicas_that_share_a_key_report_in_full() -> None:
    rig = Rig()
    for i in range(4):
        rig.report(f"router-{i}", identity=HONEST, ok=10)
    assert rig.samples() == pytest.approx(40.0)
    rig.report("router-0", identity=HONEST, failed=3)
    rig.report("router-1", identity=HONEST, failed=3)
    assert rig.state() is State.UNHEALTHY


def test_replicas_of_one_identity_and_those_of_others_agree_to_take_a_target_down() -> None:
    rig = Rig()
    rig.report("router-3", identity=OTHER, ok=5)
    rig.report("router-2", identity=MEDDLER, failed=2)
    rig.report("router-1", identity=HONEST, failed=2)
    assert rig.state() is State.UNHEALTHY


@pytest.mark.parametrize("reason", [BlockReason.CREDENTIALS, BlockReason.MONEY])
def test_what_one_of_three_was_refused_for_is_its_own_affair_while_others_are_served(reason: BlockReason) -> None:
    rig = Rig()
    rig.report("router-1", ok=5)
    rig.report("router-2", ok=5)
    rig.refuse("router-3", reason, for_s=300.0)
    assert rig.block is None
    rig.now += LATELY_S + 1
    assert rig.block is reason, "nobody says otherwise any longer"
    rig.report("router-2", ok=1)
    assert rig.block is None


def test_what_one_of_three_was_refused_for_lets_no_refused_list_be_believed() -> None:
    rig = Rig()
    for step in range(40):
        if step % 2 == 0:
            rig.report("router-1", ok=1)
            rig.report("router-2", ok=1)
        if step == 5:
            rig.refuse("router-3", BlockReason.CREDENTIALS)
        rig.now += 5.0
        rig.probe(Finding.KEY_REFUSED)
        assert rig.block is None


def test_one_routers_refused_call_takes_back_no_success_of_anothers() -> None:
    rig = Rig()
    rig.report("router-1", ok=1)
    rig.now += 30.0
    rig.refuse("router-2", BlockReason.CREDENTIALS, for_s=1.0)
    rig.now += 5.0
    rig.probe(Finding.KEY_REFUSED)
    rig.probe(Finding.KEY_REFUSED)
    assert rig.block is None
    rig.now += LATELY_S
    rig.probe(Finding.KEY_REFUSED)
    assert rig.block is BlockReason.CREDENTIALS


def test_a_key_that_all_are_refused_for_blocks_for_all() -> None:
    rig = Rig()
    rig.report("router-1", ok=5)
    rig.report("router-2", ok=5)
    for i in (3, 2):
        rig.now += 1.0
        rig.refuse(f"router-{i}", BlockReason.CREDENTIALS)
        assert rig.block is None
    rig.refuse("router-1", BlockReason.CREDENTIALS)
    assert rig.block is BlockReason.CREDENTIALS


def test_of_two_reporters_either_is_believed() -> None:
    rig = Rig()
    rig.report("router-1", ok=5)
    rig.refuse("router-2", BlockReason.CREDENTIALS)
    assert rig.block is BlockReason.CREDENTIALS


def test_a_rate_limit_is_everybodys() -> None:
    rig = Rig()
    rig.report("router-1", ok=5)
    rig.report("router-2", ok=5)
    rig.refuse("router-3", BlockReason.RATE_LIMITED)
    assert rig.block is BlockReason.RATE_LIMITED


def test_a_silent_reporters_block_goes_with_it() -> None:
    rig = Rig()
    rig.refuse("router-1", BlockReason.MONEY, for_s=300.0)
    rig.now = 299.0
    rig.picture.forget_silent_reporters(rig.now)
    assert rig.block is BlockReason.MONEY
    rig.now = 300.0
    rig.picture.forget_silent_reporters(rig.now)
    assert rig.block is None
