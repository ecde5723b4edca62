"""The simulated providers' section: what its keys stand for, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from router_service.config.source import parse
from router_service.config.validate import validate
from router_service.core.simulation import (
    Behaviour,
    ChangeShape,
    ConstantLatency,
    Latency,
    LatencyChange,
    Limit,
    LimitStyle,
    LimitUnit,
    LognormalLatency,
    NormalLatency,
    PercentileLatency,
    UniformLatency,
    WindowLength,
)

from .files import SMALL, the_mistake_in


def behaviour_of(entry: str, *, name: str = "alder") -> Behaviour:
    """Return the behaviour that `entry` stands for."""
    document = validate(parse(f"{SMALL}simulator: {{behaviours: {{{name}: {entry}}}}}\n".encode(), file="some.yaml"))
    return document.simulator.behaviours[name].behaviour()


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        ("{shape: constant, value_s: 1}", ConstantLatency(value_s=1)),
        ("{shape: uniform, low_s: 0.2, high_s: 0.8}", UniformLatency(low_s=0.2, high_s=0.8)),
        ("{shape: normal, mean_s: 1, deviation_s: 0.2}", NormalLatency(mean_s=1, deviation_s=0.2)),
        ("{shape: lognormal, median_s: 0.5, p95_s: 2, mean_s: }", LognormalLatency(median_s=0.5, p95_s=2)),
        (
            "{shape: percentiles, percentiles_s: {p50: 0.4, p99.9: 3}}",
            PercentileLatency(percentiles_s={"p50": 0.4, "p99.9": 3}),
        ),
    ],
)
def test_latency_stands_for_its_distribution(latency: str, expected: Latency) -> None:
    assert behaviour_of(f"{{latency: {latency}}}") == Behaviour(latency=expected)


def test_entry_stands_for_its_behaviour() -> None:
    entry = (
        "{latency_s: 0.5, latency_jitter: 0.1, latency_changes: [{shape: ramp, from_s: 3, for_s: 2, factor: 4},"
        " {shape: step, add_s: 1}], tokens_per_s: 9, output_tokens: 7, limits: [{unit: neurons, per: day, max: 10000}],"
        " limit_style: cloudflare, input_neurons_per_million: 1, output_neurons_per_million: 2, max_concurrency: 3,"
        " max_waiting: 4, models: [a], strict_models: true, requires_key: true}"
    )
    assert behaviour_of(entry) == Behaviour(
        latency_s=0.5,
        latency_jitter=0.1,
        latency_changes=(
            LatencyChange(shape=ChangeShape.RAMP, from_s=3, for_s=2, factor=4),
            LatencyChange(shape=ChangeShape.STEP, add_s=1),
        ),
        tokens_per_s=9,
        output_tokens=7,
        limits=(Limit(unit=LimitUnit.NEURONS, per=WindowLength.DAY, max=10_000),),
        limit_style=LimitStyle.CLOUDFLARE,
        input_neurons_per_million=1,
        output_neurons_per_million=2,
        max_concurrency=3,
        max_waiting=4,
        models=("a",),
        strict_models=True,
        requires_key=True,
    )


def test_entry_without_keys_stands_for_the_defaults() -> None:
    assert behaviour_of("{}") == Behaviour()


def test_a_model_has_a_behaviour_of_its_own() -> None:
    entry = "{latency_s: 2, limits: [{unit: tokens, per: minute, max: 100}]}"
    assert behaviour_of(entry, name="alder/meta/Large:free").latency_s == 2


@pytest.mark.parametrize(
    ("behaviours", "path", "hint"),
    [
        ("alder: {latency: {low_s: 1}}", "alder.latency.shape", "lognormal"),
        ("alder: {latency: {shape: round}}", "alder.latency.shape", "percentiles"),
        ("alder: {latency: {shape: uniform, low_s: 1}}", "alder.latency", "uniform takes low_s, high_s"),
        ("alder: {latency: {shape: constant, value_s: 1, low_s: 1}}", "alder.latency", "constant takes value_s"),
        ("alder: {latency: {shape: uniform, low_s: 2, high_s: 1}}", "alder.latency", "uniform takes low_s, high_s"),
        ("alder: {latency: {shape: normal, mean_s: -1, deviation_s: 1}}", "alder.latency.mean_s", "at least 0"),
        (
            "alder: {latency: {shape: percentiles, percentiles_s: {p101: 1}}}",
            "alder.latency.percentiles_s.p101",
            "p0 to p100",
        ),
        ("alder: {latency_s: 1, latency: {shape: constant, value_s: 1}}", "alder", "without latency_s"),
        ("alder: {latency_changes: [{shape: spike, factor: 2}]}", "alder.latency_changes[0]", "shape: spike"),
        ("alder: {limits: [{unit: words, per: day, max: 1}]}", "alder.limits[0].unit", "requests"),
        ("alder: {limits: [{unit: tokens, per: year, max: 1}]}", "alder.limits[0].per", "minute"),
        ("alder: {limits: [{unit: tokens, per: day, max: -1}]}", "alder.limits[0].max", "at least 0"),
        ("alder: {max_concurrency: 0}", "alder.max_concurrency", "at least 1"),
        ("alder: {limit_style: grok}", "alder.limit_style", "did you mean groq?"),
        ("alder/large: {max_concurrency: 3}", "", "max_concurrency"),
        ("'*/large': {latency_s: 3}", "*/large", "provider/model"),
        ("alder/: {latency_s: 3}", "alder/", "provider/model"),
    ],
)
def test_a_mistake_is_named_with_its_path(tmp_path: Path, behaviours: str, path: str, hint: str) -> None:
    line, where, message, told = the_mistake_in(tmp_path, f"{SMALL}simulator: {{behaviours: {{{behaviours}}}}}\n")
    assert (line, where) == (6, f"simulator.behaviours.{path}".removesuffix("."))
    assert message
    assert hint in told
