"""The budget of further attempts: a few at once, a share in the long run, and more only where they help."""

from __future__ import annotations

from random import Random

import pytest

from router_service.service.retries import LONGEST_S, MOST, PER_S, SHARE, SHORTEST_S, Retries


def granted(retries: Retries, target: str, *, tenant: str = "", now: float = 0.0) -> bool:
    """Ask for one further attempt, and make it where that is permitted."""
    return retries.take(tenant, target, now=now)


def test_a_target_that_fails_all_the_time_gets_a_few_at_once_and_a_share_of_what_it_is_asked() -> None:
    retries, found = Retries(Random(0)), 0
    for second in range(1000):
        retries.asked("", "a/x", now=float(second))
        found += granted(retries, "a/x", now=float(second))
    assert 1000 * SHARE <= found <= 1000 * SHARE + MOST
    assert granted(retries, "b/x", now=1000.0), "each target has its own"


def test_a_caller_gets_a_share_of_what_it_asks_of_all_targets_together() -> None:
    retries, found = Retries(Random(0)), 0
    for n in range(1000):
        retries.asked("greedy", f"{n}/x", now=0.0)
        found += granted(retries, f"{n}/y", tenant="greedy")
    assert 1000 * SHARE <= found <= 1000 * SHARE + MOST
    assert granted(retries, "1001/y", tenant="other"), "one caller's storm is not another's"
    assert sum(granted(retries, f"{n}/z", tenant="greedy", now=1.0) for n in range(100)) == PER_S, (
        "time gives some back"
    )


def test_a_target_that_is_asked_second_and_mostly_succeeds_is_never_out_of_them() -> None:
    retries = Retries(Random(0))
    for n in range(1000):
        assert granted(retries, "a/x", now=float(n)), n
        if n % 10:
            retries.succeeded("", "a/x", now=float(n))


def test_a_target_where_further_attempts_succeed_is_never_out_of_them() -> None:
    retries = Retries(Random(0))
    for second in range(1000):
        assert granted(retries, "a/x", now=float(second))
        retries.succeeded("", "a/x", now=float(second))


def test_a_caller_whose_further_attempts_succeed_is_never_out_of_them() -> None:
    retries = Retries(Random(0))
    for n in range(100):
        assert granted(retries, f"{n}/x")
        retries.succeeded("", f"{n}/x", now=0.0)


def test_a_target_that_is_well_again_has_one_chance_to_earn_more() -> None:
    retries = Retries(Random(0))
    assert sum(granted(retries, "a/x", now=float(second)) for second in range(100)) == MOST
    later = [retries.take("", "a/x", now=100.0 + second, is_well=True) for second in range(100)]
    assert sum(later) == 1, "in vain it is bound as before, however well it seems"


def test_a_lost_connection_costs_nothing_until_coming_again_is_in_vain() -> None:
    retries = Retries(Random(0))
    assert retries.may_come_again("a/x")
    retries.came_again_in_vain("a/x")
    assert not retries.may_come_again("a/x")
    assert retries.may_come_again("b/x")
    retries.answered("a/x")
    assert retries.may_come_again("a/x")


@pytest.mark.parametrize("told_s", [None, 0.0, 0.12, LONGEST_S])
def test_pauses_are_short_differ_and_obey_the_provider(told_s: float | None) -> None:
    pauses = [Retries(Random(seed)).pause_s(told_s=told_s) for seed in range(50)]
    assert all(p is not None and max(SHORTEST_S, told_s or 0.0) <= p <= LONGEST_S for p in pauses)
    assert told_s == LONGEST_S or len(set(pauses)) > 10


def test_a_longer_wait_is_not_waited() -> None:
    assert Retries(Random(0)).pause_s(told_s=LONGEST_S + 0.01) is None
