"""The latency sketch: percentiles within 5 %, forgetting by halves, and taking over another's buckets."""

from __future__ import annotations

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.health import Latency
from router_service.core.sketch import BUCKETS, GROWTH, SMALLEST_S, LatencySketch, bucket_of, value_of


@given(seconds=st.floats(min_value=SMALLEST_S * 1.0001, max_value=70_000))
def test_a_bucket_holds_its_value(seconds: float) -> None:
    bucket = bucket_of(seconds)
    assert SMALLEST_S * GROWTH ** (bucket - 1) * 0.999999 < seconds <= SMALLEST_S * GROWTH**bucket * 1.000001
    assert value_of(bucket) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.001, 0), (0.0011, 1), (1e9, BUCKETS - 1)])
def test_buckets_end_at_their_bounds(seconds: float, bucket: int) -> None:
    assert bucket_of(seconds) == bucket


def test_an_empty_sketch_has_no_latency() -> None:
    assert LatencySketch(half_life_s=10).summary() == Latency()


def test_percentiles_are_within_five_percent() -> None:
    rng, sketch = Random(7), LatencySketch(half_life_s=None)
    samples = sorted(rng.lognormvariate(0, 1) for _ in range(10_000))
    for sample in samples:
        sketch.add(sample, 0.0)
    found = sketch.summary()
    for share, value in ((0.5, found.p50_s), (0.9, found.p90_s), (0.95, found.p95_s), (0.99, found.p99_s)):
        assert value == pytest.approx(samples[round(share * len(samples)) - 1], rel=0.051)
    assert found.mean_s == pytest.approx(statistics.fmean(samples))


def test_samples_halve_with_the_half_life() -> None:
    sketch = LatencySketch(half_life_s=10, now=0.0)
    for _ in range(8):
        sketch.add(1.0, 0.0)
    assert [sketch.samples(now) for now in (0.0, 10.0, 30.0)] == [8.0, 4.0, 1.0]


def test_new_samples_outweigh_old_ones() -> None:
    sketch = LatencySketch(half_life_s=10, now=0.0)
    for _ in range(100):
        sketch.add(1.0, 0.0)
    for _ in range(10):
        sketch.add(5.0, 100.0)
    assert sketch.summary().p50_s == pytest.approx(5.0, rel=0.05)


@pytest.mark.parametrize("later", [599.0, 601.0, 10_000.0, 1e9])
def test_a_long_silence_forgets_without_overflow(later: float) -> None:
    sketch = LatencySketch(half_life_s=10, now=0.0)
    sketch.add(1.0, 0.0)
    assert sketch.samples(later) < 1e-12
    sketch.add(3.0, later)
    assert sketch.samples(later) == pytest.approx(1.0)
    assert sketch.summary().mean_s == pytest.approx(3.0)


def test_what_comes_late_weighs_what_it_would_weigh_by_now() -> None:
    sketch = LatencySketch(half_life_s=10, now=0.0)
    sketch.add(1.0, 20.0)
    sketch.add(1.0, 10.0)
    assert sketch.samples(20.0) == pytest.approx(1.5)


@given(samples=st.lists(st.floats(min_value=0, max_value=1000), min_size=1, max_size=50))
def test_taking_over_buckets_equals_adding_the_samples(samples: list[float]) -> None:
    one, other = LatencySketch(half_life_s=None), LatencySketch(half_life_s=None)
    for sample in samples:
        one.add(sample, 0.0)
    other.add_counts(one.buckets(), sum_s=one.sum_s, now=0.0)
    assert other.summary() == one.summary()
    assert other.buckets() == one.buckets()


def test_a_summary_is_made_once_for_the_same_samples() -> None:
    sketch = LatencySketch(half_life_s=20.0)
    sketch.add(1.0, 0.0)
    first = sketch.summary()
    sketch.samples(60.0)
    assert sketch.summary() is first
    sketch.add(9.0, 60.0)
    assert sketch.summary().p50_s == pytest.approx(9.0, rel=0.05)
    assert sketch.mean_s == sketch.summary().mean_s == pytest.approx(8.1, rel=0.02)
