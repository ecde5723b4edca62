"""What the prober is refused for: how it blocks a provider, and how calls that succeed have the last word."""

from __future__ import annotations

import pytest

from prober.probe import Finding, ProbeResult
from prober.refusals import CONFIRMS_S, FRESH_S, REFUSED_S, Refusals
from router_service.core.health import ProbeTiming
from router_service.core.outcome import BlockReason

INTERVAL_S = 5.0


class Rig:
    """The refusals of one provider, on a clock that moves with each cheap probe."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.refusals = Refusals(self._is_served)
        self._served_at = float("-inf")

    def lists(self, *findings: Finding) -> None:
        for finding in findings:
            self.now += INTERVAL_S
            self.refusals.probed(_result(finding), self.now)

    def refused_for(self, seconds: float) -> None:
        self.lists(*[Finding.KEY_REFUSED] * int(seconds / INTERVAL_S))

    def deep(self, finding: Finding) -> None:
        self.refusals.probed_deep(_result(finding), self.now)

    def served(self, *, ago_s: float = 0.0) -> None:
        self._served_at = self.now - ago_s
        self.refusals.served("alder", self._served_at, self.now)

    def refuse_call(self, reason: BlockReason = BlockReason.CREDENTIALS) -> None:
        self._served_at = float("-inf")
        self.refusals.refused("alder", reason, self.now)

    def _is_served(self, _provider: str, now: float) -> bool:
        return now - self._served_at <= FRESH_S

    @property
    def block(self) -> BlockReason | None:
        blocks = [block for block in self.refusals.blocks_of("alder") if block.left_s(self.now)]
        return blocks[0].reason if blocks else None


def _result(finding: Finding) -> ProbeResult:
    return ProbeResult(provider="alder", finding=finding, timing=ProbeTiming(is_ok=finding is Finding.GOOD))


@pytest.mark.parametrize(
    ("finding", "reason"),
    [(Finding.KEY_REFUSED, BlockReason.CREDENTIALS), (Finding.MONEY_GONE, BlockReason.MONEY)],
)
def test_the_second_refusal_in_a_row_blocks(finding: Finding, reason: BlockReason) -> None:
    rig = Rig()
    rig.lists(finding, Finding.BAD, finding)
    assert rig.block is None
    rig.lists(finding)
    assert rig.block is reason
    rig.lists(Finding.GOOD)
    assert rig.block is None


def test_a_key_that_may_not_list_models_blocks_nothing() -> None:
    rig = Rig()
    rig.lists(*[Finding.FORBIDDEN] * 30)
    assert rig.block is None


def test_a_refused_list_says_nothing_while_calls_succeed() -> None:
    rig = Rig()
    rig.served()
    for _ in range(30):
        rig.lists(Finding.KEY_REFUSED)
        rig.served(ago_s=1.0)
        assert rig.block is None


def test_a_call_that_succeeds_lifts_the_block_and_keeps_it_lifted() -> None:
    rig = Rig()
    rig.refused_for(10)
    assert rig.block is BlockReason.CREDENTIALS
    rig.served()
    assert rig.block is None
    rig.refused_for(10 * FRESH_S)
    assert rig.block is None, "that its calls are few does not take a provider out"


def test_a_report_of_long_ago_lifts_nothing() -> None:
    rig = Rig()
    rig.refused_for(10)
    rig.served(ago_s=FRESH_S + 1)
    assert rig.block is BlockReason.CREDENTIALS


def test_refused_lists_alone_block_once_so_that_a_call_can_tell() -> None:
    rig = Rig()
    rig.refused_for(10)
    rig.refused_for(REFUSED_S)
    assert rig.block is None


def test_refused_lists_renew_no_block_without_a_call_that_is_refused() -> None:
    rig = Rig()
    rig.refused_for(10)
    for _ in range(3):
        rig.refuse_call()
        rig.refused_for(REFUSED_S - INTERVAL_S)
        assert rig.block is BlockReason.CREDENTIALS
        rig.refused_for(2 * INTERVAL_S)
        assert rig.block is None
        rig.refused_for(2 * CONFIRMS_S)
        assert rig.block is None, "no call could go out that contradicts it"


def test_a_block_names_what_the_call_was_refused_for() -> None:
    rig = Rig()
    rig.refuse_call(BlockReason.MONEY)
    rig.refused_for(10)
    assert rig.block is BlockReason.MONEY


def test_a_call_that_was_refused_long_ago_is_forgotten() -> None:
    rig = Rig()
    rig.refused_for(10)
    rig.served()
    rig.refuse_call()
    rig.now += CONFIRMS_S + 1
    rig.refused_for(10)
    assert rig.block is None


def test_a_provider_with_another_key_begins_anew() -> None:
    rig = Rig()
    rig.deep(Finding.KEY_REFUSED)
    rig.refused_for(10)
    rig.refusals.forget("alder")
    assert rig.block is None
    rig.lists(Finding.KEY_REFUSED)
    assert rig.block is None
    rig.lists(Finding.KEY_REFUSED)
    assert rig.block is BlockReason.CREDENTIALS


def test_a_key_that_is_revoked_after_good_calls_blocks_once_a_call_is_refused() -> None:
    rig = Rig()
    rig.served()
    rig.refuse_call()
    rig.refused_for(10)
    assert rig.block is BlockReason.CREDENTIALS


@pytest.mark.parametrize("finding", [Finding.MONEY_GONE, Finding.KEY_REFUSED])
def test_a_deep_probe_is_not_believed_against_calls_that_succeed(finding: Finding) -> None:
    rig = Rig()
    rig.deep(finding)
    assert rig.block is not None
    rig.served()
    assert rig.block is None
    rig.deep(finding)
    assert rig.block is None


def test_a_call_that_succeeds_does_not_lift_a_rate_limit() -> None:
    rig = Rig()
    rig.refusals.probed_deep(_result(Finding.RATE_LIMITED), rig.now)
    rig.served()
    assert rig.block is BlockReason.RATE_LIMITED
