"""Latencies as numbers: distributions, changes in the course of time, and what a seed decides."""

from __future__ import annotations

from statistics import quantiles

import pytest

from router_service.core.simulation import (
    Behaviour,
    ChangeShape,
    ConstantLatency,
    Latency,
    LatencyChange,
    LognormalLatency,
    NormalLatency,
    PercentileLatency,
    UniformLatency,
)
from router_service.simulator.latency import LatencySource, changed_s, latency_of, quantile_s


@pytest.mark.parametrize(
    ("latency", "share", "expected_s"),
    [
        (ConstantLatency(value_s=0.5), 0.99, 0.5),
        (UniformLatency(low_s=1.0, high_s=3.0), 0.0, 1.0),
        (UniformLatency(low_s=1.0, high_s=3.0), 0.25, 1.5),
        (NormalLatency(mean_s=1.0, deviation_s=0.2), 0.5, 1.0),
        (NormalLatency(mean_s=1.0, deviation_s=0.2), 0.841345, 1.2),
        (NormalLatency(mean_s=1.0, deviation_s=1.0), 0.0, 0.0),
        (LognormalLatency(median_s=0.5, p95_s=2.0), 0.5, 0.5),
        (LognormalLatency(median_s=0.5, p95_s=2.0), 0.95, 2.0),
        (LognormalLatency(median_s=0.5, p95_s=2.0), 0.05, 0.125),
        (LognormalLatency(median_s=0.5, p95_s=0.5), 0.999, 0.5),
        (PercentileLatency(percentiles_s={"p50": 1.0, "p90": 2.0}), 0.1, 1.0),
        (PercentileLatency(percentiles_s={"p50": 1.0, "p90": 2.0}), 0.7, 1.5),
        (PercentileLatency(percentiles_s={"p90": 2.0, "p50": 1.0}), 0.95, 2.0),
        (PercentileLatency(percentiles_s={"p0": 0.0, "p100": 10.0}), 0.42, 4.2),
        (PercentileLatency(percentiles_s={"p9": 1.0, "p10": 2.0, "p99.9": 3.0}), 0.10, 2.0),
    ],
)
def test_quantile(latency: Latency, share: float, expected_s: float) -> None:
    assert quantile_s(latency, share) == pytest.approx(expected_s, rel=1e-5)


@pytest.mark.parametrize(
    "latency",
    [
        UniformLatency(low_s=0.2, high_s=0.8),
        NormalLatency(mean_s=1.0, deviation_s=0.2),
        LognormalLatency(median_s=0.5, p95_s=1.5),
        PercentileLatency(percentiles_s={"p0": 0.1, "p50": 0.4, "p95": 1.2, "p100": 3.0}),
    ],
)
def test_draws_follow_the_distribution(latency: Latency) -> None:
    source = LatencySource(Behaviour(latency=latency), seed="7", set_at_s=0.0)
    drawn = quantiles([source.draw_s(0.0) for _ in range(20_000)], n=20)
    for twentieth in (1, 5, 10, 15, 19):
        assert drawn[twentieth - 1] == pytest.approx(quantile_s(latency, twentieth / 20), rel=0.05)


def test_seed_decides_the_draws() -> None:
    behaviour = Behaviour(latency=LognormalLatency(median_s=0.5, p95_s=1.5))
    first, second, other = (LatencySource(behaviour, seed=seed, set_at_s=0.0) for seed in ("a", "a", "b"))
    drawn = [first.draw_s(0.0) for _ in range(5)]
    assert drawn == [second.draw_s(0.0) for _ in range(5)]
    assert drawn != [other.draw_s(0.0) for _ in range(5)]
    assert len(set(drawn)) == 5


@pytest.mark.parametrize(
    ("behaviour", "latency"),
    [
        (Behaviour(), ConstantLatency(value_s=0.0)),
        (Behaviour(latency_s=2.0), ConstantLatency(value_s=2.0)),
        (Behaviour(latency_jitter=0.5), ConstantLatency(value_s=0.0)),
        (Behaviour(latency_s=2.0, latency_jitter=0.5), UniformLatency(low_s=1.0, high_s=3.0)),
        (Behaviour(latency=ConstantLatency(value_s=3.0)), ConstantLatency(value_s=3.0)),
    ],
)
def test_latency_and_jitter_amount_to_a_distribution(behaviour: Behaviour, latency: Latency) -> None:
    assert latency_of(behaviour) == latency


STEP = LatencyChange(shape=ChangeShape.STEP, from_s=10.0, factor=3.0)
RAMP = LatencyChange(shape=ChangeShape.RAMP, from_s=10.0, for_s=10.0, factor=3.0)
SPIKE = LatencyChange(shape=ChangeShape.SPIKE, from_s=10.0, for_s=10.0, add_s=5.0)
RECOVERY = LatencyChange(shape=ChangeShape.RAMP, from_s=30.0, for_s=10.0, factor=1 / 3)


@pytest.mark.parametrize(
    ("changes", "age_s", "expected_s"),
    [
        ((), 50.0, 1.0),
        ((STEP,), 9.9, 1.0),
        ((STEP,), 10.0, 3.0),
        ((STEP,), 900.0, 3.0),
        ((RAMP,), 10.0, 1.0),
        ((RAMP,), 15.0, 2.0),
        ((RAMP,), 20.0, 3.0),
        ((RAMP,), 900.0, 3.0),
        ((SPIKE,), 9.9, 1.0),
        ((SPIKE,), 10.0, 6.0),
        ((SPIKE,), 19.9, 6.0),
        ((SPIKE,), 20.0, 1.0),
        ((STEP, SPIKE), 15.0, 8.0),
        ((SPIKE, STEP), 15.0, 8.0),
        ((RAMP, RECOVERY), 25.0, 3.0),
        ((RAMP, RECOVERY), 900.0, 1.0),
    ],
)
def test_changes_come_and_go(changes: tuple[LatencyChange, ...], age_s: float, expected_s: float) -> None:
    assert changed_s(1.0, changes, age_s=age_s) == pytest.approx(expected_s)


def test_changes_count_from_when_they_were_set() -> None:
    source = LatencySource(Behaviour(latency_s=1.0, latency_changes=(STEP,)), seed="", set_at_s=100.0)
    assert [source.draw_s(now_s) for now_s in (100.0, 109.0, 110.0)] == [1.0, 1.0, 3.0]
