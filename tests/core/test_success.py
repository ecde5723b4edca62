"""The success rate: decayed counts, a plain rate, and a bound that knows how much it rests on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.success import SuccessRate


def rate(*, successes: float = 0, failures: float = 0, now: float = 0.0) -> SuccessRate:
    made = SuccessRate(half_life_s=20)
    made.add(successes=successes, failures=failures, now=now)
    return made


def test_nobody_is_accused_without_evidence() -> None:
    assert rate().rate(0.0) == 1.0
    assert rate().samples(0.0) == 0.0


def test_the_rate_is_the_share_of_successes() -> None:
    assert rate(successes=3, failures=1).rate(0.0) == 0.75


def test_evidence_halves_and_the_rate_stays() -> None:
    made = rate(successes=6, failures=2)
    assert made.samples(20.0) == pytest.approx(4.0)
    assert made.rate(20.0) == pytest.approx(0.75)


def test_new_evidence_outweighs_old() -> None:
    made = rate(failures=8)
    made.add(successes=8, failures=0, now=60.0)
    assert made.rate(60.0) == pytest.approx(8 / 9)


def test_what_comes_late_weighs_what_it_would_weigh_by_now() -> None:
    made = rate(successes=1, now=40.0)
    made.add(successes=0, failures=4, now=0.0)
    assert made.samples(40.0) == pytest.approx(2.0)


def test_the_bound_ages_towards_the_prior() -> None:
    prior = rate().lower_bound(0.0)
    assert prior == pytest.approx(0.804, abs=0.001)
    assert rate(failures=100).lower_bound(0.0) < 0.25
    assert rate(failures=100).lower_bound(1000.0) == pytest.approx(prior)
    assert rate(successes=1000).lower_bound(0.0) > 0.99


@given(good=st.integers(0, 10_000), bad=st.integers(0, 10_000))
def test_the_bound_is_a_share_and_below_the_rate_with_its_prior(good: int, bad: int) -> None:
    bound = rate(successes=good, failures=bad).lower_bound(0.0)
    assert 0.0 <= bound <= (good + 19) / (good + bad + 20)


@given(good=st.integers(0, 1000), bad=st.integers(0, 1000))
def test_one_more_failure_never_raises_the_bound(good: int, bad: int) -> None:
    assert rate(successes=good, failures=bad + 1).lower_bound(0.0) < rate(successes=good, failures=bad).lower_bound(0.0)
