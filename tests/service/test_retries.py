"""The budget of repetitions: a few at once, a fifth in the long run, and never before the provider's own time."""

from __future__ import annotations

from random import Random

import pytest

from router_service.service.retries import LONGEST_S, MOST, SHARE, SHORTEST_S, Retries


def test_a_few_at_once_and_a_share_of_what_is_asked() -> None:
    retries = Retries(Random(0))
    granted = 0
    for _ in range(1000):
        retries.asked("a/x")
        granted += retries.pause_s("a/x", told_s=None) is not None
    assert 1000 * SHARE <= granted <= 1000 * SHARE + MOST
    assert retries.pause_s("b/x", told_s=None) is not None, "each target has its own"


@pytest.mark.parametrize("told_s", [None, 0.0, 0.12, LONGEST_S])
def test_pauses_are_short_differ_and_obey_the_provider(told_s: float | None) -> None:
    pauses = [Retries(Random(seed)).pause_s("a/x", told_s=told_s) for seed in range(50)]
    assert all(p is not None and max(SHORTEST_S, told_s or 0.0) <= p <= LONGEST_S for p in pauses)
    assert told_s == LONGEST_S or len(set(pauses)) > 10


def test_a_longer_wait_is_not_waited_and_costs_nothing() -> None:
    retries = Retries(Random(0))
    for _ in range(100):
        assert retries.pause_s("a/x", told_s=LONGEST_S + 0.01) is None
    assert retries.pause_s("a/x", told_s=None) is not None
