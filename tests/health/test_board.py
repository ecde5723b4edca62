"""The board: whose word counts when, what is folded in, and what blocks a provider."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from router_service.core.health import ProviderHealth, Source, State
from router_service.core.outcome import BlockReason, Outcome
from router_service.core.plan import Standing
from router_service.core.settings import ProberSettings
from router_service.health.board import Reception

from .making import REPORTER, TARGETS, BoardRig, snapshot

BAD = Outcome.SERVER_ERROR
DWELL_S = ProberSettings().rules.min_dwell_s
STALE_S = ProberSettings().stale_s


def test_before_anything_is_known_everything_is_unknown_and_open() -> None:
    rig = BoardRig()
    assert set(rig.board.standings().values()) == {Standing()}
    assert rig.board.snapshot_info().source is Source.NONE


def test_without_a_prober_the_router_goes_by_its_own_calls() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", BAD, times=3)
    assert rig.state("alder/small") is State.UNHEALTHY
    assert rig.state("birch/small") is State.UNKNOWN
    assert rig.board.snapshot_info().source is Source.PASSIVE
    rig.after(10.0)
    assert rig.standing("alder/small").traffic_share == 0.05
    rig.attempt("alder/small")
    for _ in range(4):
        rig.after(5.0)
    assert rig.standing("alder/small").traffic_share == 1.0


def test_a_snapshot_rules_while_it_is_fresh() -> None:
    rig = BoardRig()
    made = snapshot(7, epoch=3, alder=State.DEGRADED, birch=State.UNHEALTHY)
    assert rig.accept(made) is Reception.TAKEN
    assert rig.standing("alder/large").traffic_share == 0.1
    assert rig.state("birch/small") is State.UNHEALTHY
    assert rig.state("cedar/small") is State.HEALTHY
    rig.after(15.0)
    info = rig.board.snapshot_info()
    assert (info.epoch, info.sequence, info.age_s, info.source) == (3, 7, 15.0, Source.PROBER)
    assert rig.state("birch/small") is State.UNHEALTHY


def test_own_failures_count_at_once_on_top_of_a_snapshot() -> None:
    rig = BoardRig()
    rig.accept(snapshot())
    rig.attempt("alder/small", BAD, times=2)
    assert rig.state("alder/small") is State.HEALTHY
    rig.attempt("alder/small", BAD)
    assert rig.state("alder/small") is State.UNHEALTHY
    assert rig.state("alder/large") is State.HEALTHY


def test_own_successes_do_not_lift_what_the_prober_found() -> None:
    rig = BoardRig()
    rig.accept(snapshot(alder=State.UNHEALTHY))
    rig.attempt("alder/small", times=20)
    rig.after(12.0)
    assert rig.state("alder/small") is State.UNHEALTHY


def test_a_report_is_replayed_until_a_snapshot_holds_it() -> None:
    rig = BoardRig()
    rig.accept(snapshot(1))
    rig.attempt("alder/small", BAD, times=2)
    sequence, tallies = rig.board.take_report()
    assert tallies["alder/small"].bad == 2
    rig.accept(snapshot(2))  # made before the report arrived
    rig.attempt("alder/small", BAD)
    assert rig.state("alder/small") is State.UNHEALTHY
    rig.after(2.0)
    rig.accept(snapshot(3, merged=sequence))  # holds the first two failures and calls the target healthy all the same
    assert rig.state("alder/small") is State.HEALTHY


def test_what_a_snapshot_holds_is_not_counted_twice() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", BAD, times=2)
    sequence, _ = rig.board.take_report()
    rig.accept(snapshot(1, merged=sequence))
    rig.attempt("alder/small", BAD)
    assert rig.state("alder/small") is State.HEALTHY


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_snapshot_that_claims_reports_which_were_never_sent_holds_none_of_them(epoch: int) -> None:
    rig = BoardRig()
    rig.accept(snapshot(1))
    rig.attempt("alder/small", BAD, times=2)
    rig.board.take_report()
    rig.accept(snapshot(2, epoch=epoch, merged=2**40))
    rig.attempt("alder/small", BAD)
    assert rig.state("alder/small") is State.UNHEALTHY
    assert [r.sequence for r in rig.board.unsent_reports(REPORTER)] == [1]


def test_old_snapshots_are_refused_whatever_their_order() -> None:
    made = [snapshot(s, epoch=e, alder=state) for e, s, state in ((1, 1, State.DEGRADED), (1, 9, State.UNHEALTHY))]
    made.append(snapshot(2, epoch=2))
    for order in permutations(made):
        rig = BoardRig()
        for one in order:
            rig.accept(one)
        rig.after(2.0)
        assert rig.state("alder/small") is State.HEALTHY
        assert rig.board.snapshot_info().epoch == 2


@pytest.mark.parametrize(("epoch", "sequence"), [(2, 5), (2, 4), (1, 99)])
def test_a_snapshot_that_is_not_newer_changes_nothing(epoch: int, sequence: int) -> None:
    rig = BoardRig()
    rig.accept(snapshot(5, epoch=2))
    rig.after(5.0)
    made = snapshot(sequence, epoch=epoch, alder=State.UNHEALTHY)
    assert rig.accept(made) is Reception.NOT_NEWER
    assert rig.state("alder/small") is State.HEALTHY
    assert rig.board.snapshot_info().age_s == 5.0


@pytest.mark.parametrize(("prober_id", "silent_s"), [("prober-1", 60.0), ("prober-2", 5.0)])
def test_a_lower_epoch_is_refused_of_the_same_prober_and_while_another_still_speaks(
    prober_id: str, silent_s: float
) -> None:
    rig = BoardRig()
    rig.accept(snapshot(5, epoch=7))
    rig.after(silent_s)
    assert rig.accept(replace(snapshot(1, epoch=1), prober_id=prober_id)) is Reception.NOT_NEWER


@pytest.mark.parametrize("epoch", [1, 7])
def test_a_prober_that_lost_its_count_of_starts_is_taken_once_the_last_snapshot_is_stale(
    epoch: int, caplog: pytest.LogCaptureFixture
) -> None:
    rig = BoardRig()
    rig.accept(snapshot(5, epoch=7))
    rig.attempt("birch/small")
    sequence, _ = rig.board.take_report()
    rig.board.report_accepted(sequence)
    again = replace(snapshot(1, epoch=epoch, alder=State.DEGRADED), prober_id="prober-2")
    assert rig.after(STALE_S).accept(again) is Reception.NOT_NEWER
    assert rig.after(0.1).accept(again) is Reception.TAKEN
    assert rig.state("alder/small") is State.DEGRADED
    assert rig.board.snapshot_info().source is Source.PROBER
    assert [r.sequence for r in rig.board.unsent_reports(REPORTER)] == [sequence], "it was told to the prober before"
    assert rig.accept(replace(again, sequence=2)) is Reception.TAKEN
    [told] = [r.message for r in caplog.records if "prober.epoch" in r.message]
    assert f"counts from epoch {epoch} again after 7" in told


def test_a_silent_prober_fades_to_neutral_and_is_then_forgotten() -> None:
    rig = BoardRig()
    rig.accept(snapshot(alder=State.DEGRADED, birch=State.UNHEALTHY))
    shares = []
    for _ in range(6):
        rig.after(12.0)
        shares.append((rig.standing("alder/small").traffic_share, rig.standing("birch/small").traffic_share))
    assert shares[0] == (0.1, 0.0)
    assert shares[1] == pytest.approx((0.28, 0.2))
    assert shares[4:] == [(1.0, 1.0), (1.0, 1.0)]
    assert shares == sorted(shares)
    assert rig.state("birch/small") is State.UNKNOWN
    assert rig.board.snapshot_info().source is Source.NONE


def test_a_silent_prober_makes_nobody_unhealthy() -> None:
    rig = BoardRig()
    rig.accept(snapshot(birch=State.UNHEALTHY))
    for _ in range(300):
        rig.after(0.25)
        if rig.clock.now > 1015.25:
            assert rig.state("birch/small") is not State.UNHEALTHY
        assert rig.state("cedar/small") in (State.HEALTHY, State.UNKNOWN)


def test_while_a_snapshot_fades_its_source_is_the_router_itself() -> None:
    rig = BoardRig()
    rig.accept(snapshot(3))
    info = rig.after(20.0).board.snapshot_info()
    assert (info.sequence, info.age_s, info.source) == (3, 20.0, Source.PASSIVE)


def test_while_a_snapshot_fades_own_findings_count_where_they_are_worse() -> None:
    rig = BoardRig()
    rig.accept(snapshot())
    rig.after(30.0)
    rig.attempt("alder/small", BAD, times=3)
    assert rig.state("alder/small") is State.UNHEALTHY
    assert rig.state("birch/small") is State.HEALTHY


def test_what_was_over_long_ago_does_not_return_when_the_prober_dies() -> None:
    rig = BoardRig()
    rig.accept(snapshot(1))
    rig.attempt("alder/small", BAD, times=3)
    rig.board.take_report()
    for i in range(60):
        rig.after(1.0)
        rig.attempt("alder/small")
        rig.board.take_report()
        rig.accept(snapshot(2 + i, merged=2 + i))
    rig.after(70.0)
    assert rig.standing("alder/small").traffic_share == 1.0


def test_a_restarted_prober_that_knows_nothing_yet_leaves_the_routers_own_finding() -> None:
    rig = BoardRig()
    rig.accept(snapshot(50, epoch=1))
    rig.attempt("alder/small", BAD, times=3)
    rig.board.take_report()
    rig.accept(snapshot(1, epoch=2, alder=State.UNKNOWN, birch=State.UNKNOWN, cedar=State.UNKNOWN))
    assert rig.state("alder/small") is State.UNHEALTHY
    assert rig.board.snapshot_info().epoch == 2


def test_a_new_epoch_is_sent_the_last_five_minutes_again() -> None:
    rig = BoardRig()
    rig.accept(snapshot(1))
    for i in range(10):
        rig.attempt("alder/small", BAD if i == 3 else Outcome.OK)
        sequence, _ = rig.board.take_report()
        rig.board.report_accepted(sequence)
        rig.after(60.0)
    rig.board.take_report()
    assert [r.sequence for r in rig.board.unsent_reports(REPORTER)] == [11]
    rig.accept(snapshot(1, epoch=2))
    again = rig.board.unsent_reports(REPORTER)
    assert [(r.sequence, r.age_s) for r in again] == [
        (6, 300.0),
        (7, 240.0),
        (8, 180.0),
        (9, 120.0),
        (10, 60.0),
        (11, 0.0),
    ]
    rig.accept(snapshot(2, epoch=2, merged=8))
    assert [r.sequence for r in rig.board.unsent_reports(REPORTER)] == [9, 10, 11]


def test_only_the_newest_empty_report_is_kept() -> None:
    rig = BoardRig()
    for _ in range(5):
        rig.board.take_report()
    assert [r.sequence for r in rig.board.unsent_reports(REPORTER)] == [5]


def test_reports_carry_what_is_under_way_and_what_failed_last() -> None:
    rig = BoardRig()
    rig.begin("birch/small", calls=1)
    rig.attempt("alder/small")
    rig.attempt("alder/small", BAD, times=2)
    _, tallies = rig.board.take_report()
    assert tallies["birch/small"].in_flight == 1
    alder = tallies["alder/small"]
    assert (alder.good, alder.bad, alder.trailing_failures, alder.last_error) == (1, 2, 2, "SERVER_ERROR 503")
    assert (alder.output_tokens, alder.output_s) == (20, 0.25)
    rig.attempt("alder/small", BAD)
    assert rig.board.take_report()[1]["alder/small"].trailing_failures == 3


@pytest.mark.parametrize(
    ("outcome", "retry_after_s", "blocked_for_s", "reason"),
    [
        (Outcome.RATE_LIMITED, None, 1.0, BlockReason.RATE_LIMITED),
        (Outcome.RATE_LIMITED, 7.0, 7.0, BlockReason.RATE_LIMITED),
        (Outcome.RATE_LIMITED, 1e9, 300.0, BlockReason.RATE_LIMITED),
        (Outcome.SERVER_ERROR, 7.0, 7.0, BlockReason.OVERLOADED),
        (Outcome.SERVER_ERROR, 1e9, 300.0, BlockReason.OVERLOADED),
        (Outcome.MONEY, None, 60.0, BlockReason.MONEY),
        (Outcome.CREDENTIALS, None, 60.0, BlockReason.CREDENTIALS),
        (Outcome.CREDENTIALS, 90.0, 90.0, BlockReason.CREDENTIALS),
    ],
)
def test_a_refusal_blocks_every_target_of_the_provider(
    outcome: Outcome, retry_after_s: float | None, blocked_for_s: float, reason: BlockReason
) -> None:
    rig = BoardRig()
    rig.accept(snapshot())
    rig.attempt("alder/small", outcome, retry_after_s=retry_after_s)
    for target in ("alder/small", "alder/large"):
        assert rig.standing(target).blocked_for_s == pytest.approx(blocked_for_s)
        assert rig.standing(target).block_reason is reason
    assert rig.standing("birch/small").block_reason is None
    rig.after(blocked_for_s - 0.5)
    assert rig.standing("alder/large").blocked_for_s == pytest.approx(0.5)
    rig.after(0.5)
    assert rig.standing("alder/large").block_reason is None


@pytest.mark.parametrize(
    ("outcome", "retry_after_s"),
    [
        (Outcome.RATE_LIMITED, 0.0),
        (Outcome.RATE_LIMITED, -5.0),
        (Outcome.SERVER_ERROR, 0.0),
        (Outcome.SERVER_ERROR, None),
        (Outcome.TIMEOUT, None),
    ],
)
def test_a_wait_of_nothing_blocks_nobody(outcome: Outcome, retry_after_s: float | None) -> None:
    rig = BoardRig()
    rig.attempt("alder/small", outcome, retry_after_s=retry_after_s)
    assert rig.standing("alder/small").block_reason is None


def test_a_rate_limit_is_reported_with_what_is_left_of_it() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", Outcome.RATE_LIMITED, retry_after_s=5.0)
    rig.clock.now += 1.0
    _, tallies = rig.board.take_report()
    assert tallies["alder/small"].blocked_for_s == pytest.approx(4.0)
    assert tallies["alder/small"].block_reason is BlockReason.RATE_LIMITED
    assert rig.state("alder/small") is State.UNKNOWN


def test_blocks_of_a_snapshot_count_from_its_arrival_and_end_with_it() -> None:
    rig = BoardRig()
    block = ProviderHealth(provider="birch", blocked_for_s=10.0, block_reason=BlockReason.MONEY)
    rig.accept(snapshot(1, blocks=(block,)))
    assert rig.standing("birch/small").blocked_for_s == pytest.approx(10.0)
    assert rig.after(4.0).standing("birch/small").blocked_for_s == pytest.approx(6.0)
    rig.accept(snapshot(2))
    assert rig.standing("birch/small").block_reason is None


def test_a_snapshot_does_not_lift_a_block_of_ones_own() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", Outcome.RATE_LIMITED, retry_after_s=5.0)
    rig.accept(snapshot())
    assert rig.standing("alder/large").block_reason is BlockReason.RATE_LIMITED


def test_a_prober_that_lost_its_network_is_not_believed() -> None:
    rig = BoardRig()
    rig.accept(snapshot(1))
    rig.attempt("alder/small")
    made = snapshot(2, alder=State.UNHEALTHY, birch=State.UNHEALTHY, cedar=State.UNHEALTHY)
    assert rig.accept(made) is Reception.CONTRADICTED
    assert rig.state("birch/small") is State.HEALTHY
    rig.attempt("alder/small", BAD)
    assert rig.accept(replace(made, sequence=3)) is Reception.TAKEN
    assert rig.state("birch/small") is State.UNHEALTHY


def test_a_prober_that_finds_one_provider_down_is_believed() -> None:
    rig = BoardRig()
    rig.attempt("alder/small")
    assert rig.accept(snapshot(1, alder=State.UNHEALTHY)) is Reception.TAKEN
    assert rig.state("alder/small") is State.UNHEALTHY


def test_a_prober_that_disagrees_each_time_lifts_a_target_only_after_the_dwell() -> None:
    rig, changes = BoardRig(), []
    rig.accept(snapshot(1))
    for i in range(40):
        if i % 5 == 0:
            rig.attempt("alder/small", BAD, times=3)
            sequence, _ = rig.board.take_report()
        rig.after(0.2)
        rig.accept(snapshot(2 + i, merged=sequence))
        changes.append(rig.state("alder/small"))
    rises = [i for i, pair in enumerate(pairwise(changes)) if pair == (State.UNHEALTHY, State.HEALTHY)]
    assert rises
    assert all((later - earlier) * 0.2 >= 2.0 for earlier, later in pairwise(rises))


def test_standings_are_replaced_and_never_changed() -> None:
    rig = BoardRig()
    before = rig.board.standings()
    kept = dict(before)
    rig.attempt("alder/small", BAD, times=3)
    assert dict(before) == kept
    after = rig.board.standings()
    assert after is not before
    rig.attempt("birch/small")
    settled = rig.board.standings()
    rig.attempt("birch/small", times=50)
    rig.board.tick()
    assert rig.board.standings() is settled


def test_a_target_that_the_board_does_not_know_is_left_alone() -> None:
    rig = BoardRig()
    rig.attempt("yew/small", BAD)
    assert set(rig.board.standings()) == set(TARGETS)
    assert rig.board.take_report()[1] == {}


def test_the_first_token_latency_is_the_snapshots_else_ones_own() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", latency_s=2.0)
    rig.board.take_report()
    rig.board.tick()
    assert rig.standing("alder/small").time_to_first_token_p95_s == pytest.approx(1.0, rel=0.05)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("attempt"), st.sampled_from(TARGETS), st.sampled_from(list(Outcome))),
        st.tuples(st.just("snapshot"), st.sampled_from([1, 2]), st.sampled_from(list(State))),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 14.0, 40.0]), st.just(None)),
        st.tuples(st.just("report"), st.just(None), st.just(None)),
    ),
    max_size=60,
)


@hypothesis_settings(max_examples=100, deadline=None)
@given(events=EVENTS)
def test_standings_are_always_whole_and_within_bounds(events: list[tuple[str, object, object]]) -> None:
    rig, sequence = BoardRig(ProberSettings()), 0
    shares, rose_at = dict.fromkeys(TARGETS, 1.0), dict.fromkeys(TARGETS, float("-inf"))
    for kind, one, two in events:
        match kind, one, two:
            case "attempt", str(target), Outcome() as outcome:
                rig.attempt(target, outcome)
            case "snapshot", int(epoch), State() as state:
                sequence += 1
                rig.accept(snapshot(sequence, epoch=epoch, alder=state, birch=state))
            case "wait", float(seconds), _:
                rig.after(seconds)
            case _:
                rig.board.take_report()
        assert set(rig.board.standings()) == set(TARGETS)
        for target, standing in rig.board.standings().items():
            if standing.traffic_share > shares[target]:
                assert rig.clock.now - rose_at[target] >= DWELL_S
                rose_at[target] = rig.clock.now
            shares[target] = standing.traffic_share
            assert 0.0 <= standing.traffic_share <= 1.0
            assert (standing.traffic_share == 0.0) == (standing.state is State.UNHEALTHY)
            assert 0.0 <= standing.blocked_for_s <= 300.0
            assert (standing.blocked_for_s > 0) == (standing.block_reason is not None)


def test_a_block_that_begins_is_news_and_one_that_goes_on_is_not() -> None:
    rig = BoardRig()
    rig.attempt("alder/small", BAD)
    assert not rig.board.has_news.is_set()
    rig.attempt("alder/small", Outcome.RATE_LIMITED, retry_after_s=10.0)
    assert rig.board.has_news.is_set()
    rig.board.has_news.clear()
    rig.attempt("alder/large", Outcome.RATE_LIMITED, retry_after_s=10.2)
    assert not rig.board.has_news.is_set()
    rig.attempt("alder/large", Outcome.RATE_LIMITED, retry_after_s=30.0)
    assert rig.board.has_news.is_set()
