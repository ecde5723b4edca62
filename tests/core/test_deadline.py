"""How the caller's time is divided."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.deadline import MARGIN_MAX_S, MARGIN_MIN_S, finish_by, first_answer_timer_s


@pytest.mark.parametrize(
    ("remaining_s", "margin_s"),
    [
        (0.001, 0.010),
        (0.1, 0.010),
        (0.5, 0.010),
        (1.0, 0.020),
        (5.0, 0.100),
        (12.5, 0.250),
        (300.0, 0.250),
        (-1.0, 0.010),
    ],
)
def test_we_finish_a_little_earlier(remaining_s: float, margin_s: float) -> None:
    assert finish_by(now=50.0, remaining_s=remaining_s) == pytest.approx(50.0 + remaining_s - margin_s)


@given(st.floats(-10, 1e6), st.floats(0, 1e6))
def test_margin_is_bounded(remaining_s: float, now: float) -> None:
    margin_s = now + remaining_s - finish_by(now=now, remaining_s=remaining_s)
    assert MARGIN_MIN_S - 1e-6 <= margin_s <= MARGIN_MAX_S + 1e-6


@pytest.mark.parametrize(
    ("timer_s", "left_s", "attempts_left", "p95_s", "expected_s"),
    [
        pytest.param(15.0, 300.0, 3, 0.5, 15.0, id="plenty-of-time"),
        pytest.param(15.0, 12.0, 3, 0.5, 4.0, id="a-fair-share"),
        pytest.param(15.0, 12.0, 3, 6.0, 6.0, id="no-less-than-usual"),
        pytest.param(15.0, 12.0, 3, 20.0, 12.0, id="never-more-than-is-left"),
        pytest.param(15.0, 12.0, 1, 0.5, 12.0, id="the-last-has-all"),
        pytest.param(15.0, 60.0, 1, 0.5, 15.0, id="the-last-keeps-its-limit"),
        pytest.param(15.0, 0.0, 2, 0.0, 0.0, id="nothing-left"),
    ],
)
def test_first_answer_timer(timer_s: float, left_s: float, attempts_left: int, p95_s: float, expected_s: float) -> None:
    timer = first_answer_timer_s(timer_s=timer_s, left_s=left_s, attempts_left=attempts_left, p95_s=p95_s)
    assert timer == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("left_s", "p95_s", "expected_s"),
    [
        pytest.param(1.0, 0.0, 0.6, id="others-keep-a-chance"),
        pytest.param(30.0, 0.0, 10.0, id="a-share-that-is-longer"),
        pytest.param(1.0, 0.9, 0.9, id="what-was-measured-rules"),
    ],
)
def test_a_guess_leaves_the_next_attempt_time(left_s: float, p95_s: float, expected_s: float) -> None:
    timer = first_answer_timer_s(timer_s=15.0, left_s=left_s, attempts_left=3, p95_s=p95_s, guess_s=5.0)
    assert timer == pytest.approx(expected_s)


@given(st.floats(0, 1e3), st.floats(0, 1e4), st.integers(1, 8), st.floats(0, 1e3))
def test_no_timer_is_longer_than_its_limit_or_than_what_is_left(
    timer_s: float, left_s: float, attempts_left: int, p95_s: float
) -> None:
    timer = first_answer_timer_s(timer_s=timer_s, left_s=left_s, attempts_left=attempts_left, p95_s=p95_s)
    assert 0 <= timer <= min(timer_s, left_s)
