"""Behaviours as JSON: what the newer fields stand for, and each mistake in them."""

from __future__ import annotations

import json

import msgspec
import pytest

from router_service.core.simulation import (
    Behaviour,
    ChangeShape,
    ConstantLatency,
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
from router_service.simulator.behaviours import BehaviourError, parse_behaviours, show_behaviours

FULL = {
    "a": Behaviour(
        latency=LognormalLatency(median_s=0.5, p95_s=1.5),
        latency_changes=(LatencyChange(shape=ChangeShape.RAMP, from_s=1.0, for_s=2.0, factor=3.0),),
        limits=(Limit(unit=LimitUnit.REQUESTS, per=WindowLength.DAY, max=200),),
        limit_style=LimitStyle.GROQ,
        max_concurrency=3,
        max_waiting=4,
    ),
    "b": Behaviour(latency=ConstantLatency(value_s=1.0)),
    "c": Behaviour(latency=UniformLatency(low_s=1.0, high_s=2.0)),
    "d": Behaviour(latency=NormalLatency(mean_s=1.0, deviation_s=2.0)),
    "e/meta/large": Behaviour(latency=PercentileLatency(percentiles_s={"p50": 1.0, "p99.9": 2.0})),
    "*": Behaviour(latency_s=0.5, latency_jitter=0.1),
}


def test_shown_behaviours_are_read_back() -> None:
    assert parse_behaviours(show_behaviours(FULL)) == FULL
    assert parse_behaviours(msgspec.json.encode(FULL)) == FULL


def test_written_forms() -> None:
    body = b"""{
        "fast": {"latency": {"shape": "percentiles", "percentiles_s": {"p50": 0.4, "p95": 1}},
                 "limits": [{"unit": "tokens", "per": "minute", "max": 6000}], "limit_style": "groq"},
        "fast/large": {"latency_changes": [{"shape": "spike", "from_s": 30, "for_s": 10, "factor": 4},
                                           {"shape": "step", "add_s": 1}]}}"""
    assert parse_behaviours(body) == {
        "fast": Behaviour(
            latency=PercentileLatency(percentiles_s={"p50": 0.4, "p95": 1.0}),
            limits=(Limit(unit=LimitUnit.TOKENS, per=WindowLength.MINUTE, max=6000),),
            limit_style=LimitStyle.GROQ,
        ),
        "fast/large": Behaviour(
            latency_changes=(
                LatencyChange(shape=ChangeShape.SPIKE, from_s=30.0, for_s=10.0, factor=4.0),
                LatencyChange(shape=ChangeShape.STEP, add_s=1.0),
            )
        ),
    }


@pytest.mark.parametrize(
    ("name", "fields", "problem"),
    [
        ("a", {"latency": 3}, ".latency: Expected object, got int"),
        ("a", {"latency": {}}, ".latency.shape: want one of constant, uniform"),
        ("a", {"latency": {"shape": 3}}, ".latency: Expected str, got int"),
        ("a", {"latency": {"shape": "round"}}, ".latency.shape: want one of constant, uniform"),
        ("a", {"latency": {"shape": "uniform", "low_s": 1}}, "missing required field high_s"),
        ("a", {"latency": {"shape": "uniform", "low_s": 2, "high_s": 1}}, "high_s: want at least low_s"),
        ("a", {"latency": {"shape": "uniform", "low_s": -1, "high_s": 1}}, "low_s: want a number from 0 up"),
        ("a", {"latency": {"shape": "uniform", "low_s": "x", "high_s": 1}}, ".latency.low_s: Expected float, got str"),
        ("a", {"latency": {"shape": "constant", "value_s": 1, "low_s": 1}}, ".latency.low_s: no such field"),
        ("a", {"latency": {"shape": "normal", "mean_s": 1, "deviation_s": -1}}, "deviation_s: want a number"),
        ("a", {"latency": {"shape": "lognormal", "median_s": 0, "p95_s": 1}}, "median_s: want more than 0"),
        ("a", {"latency": {"shape": "lognormal", "median_s": 2, "p95_s": 1}}, "p95_s: want at least median_s"),
        ("a", {"latency": {"shape": "percentiles", "percentiles_s": {}}}, "want one at least"),
        ("a", {"latency": {"shape": "percentiles", "percentiles_s": {"p101": 1}}}, "want names from p0 to p100"),
        ("a", {"latency": {"shape": "percentiles", "percentiles_s": {"50": 1}}}, "want names from p0 to p100"),
        ("a", {"latency": {"shape": "percentiles", "percentiles_s": {"p1": 2, "p2": 1}}}, "want times that rise"),
        ("a", {"latency": {"shape": "percentiles", "percentiles_s": {"p1": -2}}}, "percentiles_s.p1: want a number"),
        ("a", {"latency_s": 1, "latency": {"shape": "constant", "value_s": 1}}, ".latency: goes without latency_s"),
        ("a", {"latency_changes": {}}, ".latency_changes: Expected array, got object"),
        ("a", {"latency_changes": [{"shape": "step", "for_s": 1, "factor": 2}]}, "for_s: want none"),
        ("a", {"latency_changes": [{"shape": "ramp", "factor": 2}]}, "for_s: want more than 0 for a ramp"),
        ("a", {"latency_changes": [{"shape": "step"}]}, "factor: want another than 1, or add_s"),
        ("a", {"latency_changes": [{"shape": "step", "until_s": 1}]}, ".latency_changes[0].until_s: no such field"),
        ("a", {"latency_changes": [{"shape": "leap"}]}, ".latency_changes[0].shape: Invalid enum value"),
        ("a", {"limits": [{"unit": "tokens", "per": "year", "max": 1}]}, ".limits[0].per: Invalid enum value"),
        ("a", {"limits": [{"unit": "tokens", "per": "day", "max": -1}]}, "max: want 0 or more"),
        ("a", {"limits": [{"unit": "tokens", "per": "day", "max": 1}] * 2}, ".limits: the same limit stands twice"),
        ("a", {"limits": [{"unit": "tokens", "per": "day", "max": 1}] * 101}, ".limits: want at most 100"),
        ("a", {"limit_style": "grok"}, ".limit_style: Invalid enum value"),
        ("a", {"input_neurons_per_million": -1}, ".input_neurons_per_million: want a number from 0 up"),
        ("a", {"max_concurrency": 0}, ".max_concurrency: want a number from 1 up, or null"),
        ("a", {"max_waiting": -1}, ".max_waiting: want a number from 0 up"),
        ("a/m", {"max_concurrency": 1}, ".max_concurrency: belongs to the provider's own behaviour"),
        ("a/m", {"models": ["m"]}, ".models: belongs to the provider's own behaviour"),
        ("a/", {}, ": want a provider, provider/model, or *"),
        ("*/m", {}, ": want a provider, provider/model, or *"),
        ("", {}, ": want a provider, provider/model, or *"),
    ],
)
def test_a_mistake_is_named_with_its_path(name: str, fields: dict[str, object], problem: str) -> None:
    with pytest.raises(BehaviourError) as caught:
        parse_behaviours(json.dumps({name: fields}).encode())
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"behaviours.{name}")
    assert problem in line


def test_mistakes_in_several_fields_are_told_at_once() -> None:
    body = b'{"a": {"latency": 1, "limits": 1, "max_waiting": -1, "latency_changes": [1]}}'
    with pytest.raises(BehaviourError) as caught:
        parse_behaviours(body)
    assert len(str(caught.value).splitlines()) == 4
