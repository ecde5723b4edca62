"""An amount that refills: how much may be taken in which time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.bucket import Bucket


def test_a_full_bucket_gives_all_at_once_and_then_waits() -> None:
    bucket = Bucket(60, now=0.0)
    for _ in range(60):
        assert bucket.wait_s(now=0.0) == 0.0
        bucket.take(1, now=0.0)
    assert bucket.wait_s(now=0.0) == pytest.approx(1.0)
    assert bucket.wait_s(now=0.75) == pytest.approx(0.25)
    assert bucket.wait_s(now=1.0) == 0.0


def test_an_overdraft_is_paid_back_in_time() -> None:
    bucket = Bucket(600, now=0.0)
    bucket.take(1200, now=0.0)
    assert bucket.wait_s(now=0.0) == pytest.approx(60.1)
    assert bucket.wait_s(now=60.1) == pytest.approx(0.0)


def test_it_holds_no_more_than_a_minute() -> None:
    bucket = Bucket(2, now=0.0)
    for _ in range(2):
        bucket.take(1, now=1_000_000.0)
    assert bucket.wait_s(now=1_000_000.0) > 0


@given(
    per_minute=st.integers(1, 1000),
    pauses=st.lists(st.floats(0, 30, allow_nan=False), min_size=1, max_size=200),
)
def test_no_more_is_taken_than_the_first_fill_and_what_refills(per_minute: int, pauses: list[float]) -> None:
    bucket, now, taken = Bucket(per_minute, now=0.0), 0.0, 0
    for pause in pauses:
        now += pause
        if bucket.wait_s(now=now) == 0.0:
            bucket.take(1, now=now)
            taken += 1
    assert taken <= per_minute * (1 + now / 60) + 1e-6


@given(per_minute=st.integers(1, 1000), taken=st.integers(0, 5000))
def test_after_the_wait_that_is_told_there_is_one(per_minute: int, taken: int) -> None:
    bucket = Bucket(per_minute, now=0.0)
    bucket.take(taken, now=0.0)
    wait_s = bucket.wait_s(now=0.0)
    assert bucket.wait_s(now=wait_s + 1e-6) == 0.0
