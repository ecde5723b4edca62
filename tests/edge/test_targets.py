"""Targets on the wire: every field, whether they may be called, how they stand, and what their etags follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from signalbox.v1 import admin_pb2, health_feed_pb2

from router_service.core.catalog import Kind, Model, Prices, Provider, Secret, Target
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.health import State
from router_service.core.plan import Standing
from router_service.core.task import TaskType
from router_service.edge import targets
from tests.core.decision.making import made, viewed

SPOKEN = {"openai"}
PROVIDER = Provider(
    name="alder",
    dialect="openai",
    base_url="http://127.0.0.1:1/v1",
    key_env=("ALDER_KEY",),
    key=Secret(_value="k-secret"),
    tier="premium",
    region="eu-west",
    compliance=frozenset({"gdpr", "soc2"}),
)
MODEL = Model(
    id="large/2",
    aliases=("large", "smart"),
    capabilities=frozenset({"tools", "vision"}),
    context_tokens=128_000,
    prices=Prices(input=0.15, output=0.6, cached_input=0.075, cache_write=0.1875),
    roles=frozenset({"default", "complex"}),
    tasks={TaskType.CHAT: 0.7},
    retires=date(2027, 3, 1),
    replacement="large/3",
)
TARGET = Target(PROVIDER, MODEL)


def shown(target: Target = TARGET) -> admin_pb2.Target:
    return targets.target(target, viewed(target), SPOKEN)


def test_target_is_told_whole_and_without_its_key() -> None:
    message = shown()
    assert (message.id, message.provider, message.model) == ("alder/large/2", "alder", "large/2")
    assert (message.dialect, message.tier, message.region) == ("openai", "premium", "eu-west")
    assert (list(message.compliance), list(message.aliases)) == (["gdpr", "soc2"], ["large", "smart"])
    assert (list(message.roles), list(message.capabilities)) == (["complex", "default"], ["tools", "vision"])
    assert (dict(message.task_match), message.context_tokens) == ({"chat": 0.7}, 128_000)
    assert message.prices.input_usd_nanos_per_million_tokens == 150_000_000
    assert message.prices.output_usd_nanos_per_million_tokens == 600_000_000
    assert message.prices.cached_input_usd_nanos_per_million_tokens == 75_000_000
    assert message.prices.cache_write_usd_nanos_per_million_tokens == 187_500_000
    assert (message.retirement_time.ToJsonString(), message.replacement) == ("2027-03-01T00:00:00Z", "alder/large/3")
    assert message.origin == admin_pb2.TARGET_ORIGIN_CONFIGURATION
    assert "k-secret" not in str(message)


@pytest.mark.parametrize(
    ("target", "availability", "detail"),
    [
        (TARGET, admin_pb2.AVAILABILITY_ENABLED, ""),
        (Target(replace(PROVIDER, key=Secret(_value="")), MODEL), admin_pb2.AVAILABILITY_NO_KEY, "ALDER_KEY"),
        (
            Target(replace(PROVIDER, missing_variables=("ALDER_URL",)), MODEL),
            admin_pb2.AVAILABILITY_NO_KEY,
            "ALDER_URL",
        ),
        (Target(replace(PROVIDER, is_enabled=False), MODEL), admin_pb2.AVAILABILITY_DISABLED, "the provider alder"),
        (Target(PROVIDER, replace(MODEL, is_enabled=False)), admin_pb2.AVAILABILITY_DISABLED, "switched off"),
        (Target(replace(PROVIDER, dialect="gemini"), MODEL), admin_pb2.AVAILABILITY_UNSUPPORTED, "gemini"),
    ],
    ids=["enabled", "no key", "no address", "provider off", "model off", "dialect"],
)
def test_availability_says_why(target: Target, availability: int, detail: str) -> None:
    message = shown(target)
    assert message.availability == availability
    assert detail in message.availability_detail
    assert bool(message.availability_detail) == bool(detail)


def test_unknown_prices_are_absent_and_those_of_local_targets_are_zero() -> None:
    unknown = shown(made("birch/m", price=None)).prices
    assert not unknown.HasField("input_usd_nanos_per_million_tokens")
    local = shown(made("here/m", price=None, tier="local")).prices
    assert local.HasField("input_usd_nanos_per_million_tokens")
    assert local.output_usd_nanos_per_million_tokens == 0


def test_target_that_makes_vectors_is_known_by_a_capability() -> None:
    assert list(shown(Target(PROVIDER, replace(MODEL, kind=Kind.EMBEDDING))).capabilities) == [
        "embedding",
        "tools",
        "vision",
    ]


def test_health_is_what_the_router_goes_by() -> None:
    standings = {TARGET.id: Standing(state=State.DEGRADED, traffic_share=0.1, answer_p95_s=1.5)}
    statistics: Mapping[str, TargetStatistics] = {
        TARGET.id: TargetStatistics(
            success_rate_lower=0.4, consecutive_failures=2.2, time_to_first_token_p50_s=0.25, has_fresh_evidence=True
        )
    }
    view = viewed(TARGET, standings=standings, statistics=statistics, in_flight={TARGET.id: 3})
    health = targets.target(TARGET, view, SPOKEN).health
    assert health.state == health_feed_pb2.HEALTH_STATE_DEGRADED
    assert (health.traffic_share, health.success_rate_lower, health.consecutive_failures) == (0.1, 0.4, 2)
    assert (health.in_flight, health.latency.p95.ToMilliseconds()) == (3, 1500)
    assert health.time_to_first_token.p50.ToMilliseconds() == 250
    assert not health.time_to_first_token.HasField("p90")
    assert not health.HasField("last_probe_time")


def test_nothing_measured_leaves_times_absent() -> None:
    health = shown().health
    assert health.state == health_feed_pb2.HEALTH_STATE_UNKNOWN
    assert not health.HasField("latency")
    assert not health.HasField("time_to_first_token")


def test_etag_follows_the_target_and_not_its_health() -> None:
    ill = viewed(TARGET, standings={TARGET.id: Standing(state=State.UNHEALTHY, traffic_share=0.0)})
    assert shown().etag == targets.target(TARGET, ill, SPOKEN).etag
    assert shown().etag != shown(Target(PROVIDER, replace(MODEL, context_tokens=1))).etag
