"""A caller's wishes from the wire: each field arrives, and each that is out of its bounds is complained of by name."""

from __future__ import annotations

import math

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.errors import InvalidRequest, NotBuilt
from router_service.core.request import Routing
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.edge import requests, routing
from router_service.edge.requests import Arrival, Limits

LIMITS = Limits(max_prompt_bytes=1000, max_attempts=4)
ARRIVAL = Arrival(request_id="req-1", deadline=50.0)
FACTORS = "cost, quota, health, latency, task_match, environment, capabilities"
TAGS = "eu_data_residency, gdpr, hipaa, soc2"
NAMES = "must hold at most 64 names, none of them empty"


def asked(wishes: router_pb2.Routing) -> Routing:
    pb = router_pb2.RouteRequest(estimated_input_tokens=10, routing=wishes)
    return requests.question(pb, ARRIVAL, LIMITS).routing


def read(fields: dict[str, object]) -> Routing:
    return asked(json_format.ParseDict(fields, router_pb2.Routing()))


def test_every_wish_arrives() -> None:
    assert read(
        {
            "model": "fast",
            "task_type": "TASK_TYPE_CODE_GENERATION",
            "complexity": "COMPLEXITY_COMPLEX",
            "strategy": "balanced",
            "budget_tier": "BUDGET_TIER_LOW",
            "region": "eu",
            "environment": "ENVIRONMENT_DEVELOPMENT",
            "speed_critical": True,
            "prefer_cheap": True,
            "allowed_providers": ["a", "b"],
            "denied_providers": ["c"],
            "required_compliance": ["gdpr", "soc2"],
            "requires_compliance": True,
            "requires_sla": True,
            "prefer_self_hosted": True,
            "max_cost_usd_nanos": "12000000",
            "max_latency": "1.5s",
            "min_quality": 0.75,
            "max_attempts": 2,
            "disable_fallback": True,
            "hedge": True,
            "resume_on_failure": True,
            "weights": {"cost": 2.0, "health": 0.0},
            "required_capabilities": ["vision"],
            "preferred_capabilities": ["reasoning"],
            "allow_paid_embeddings": True,
            "decision_id": "dec-1",
        }
    ) == Routing(
        model="fast",
        task_type=TaskType.CODE_GENERATION,
        complexity=Complexity.COMPLEX,
        strategy="balanced",
        budget_tier=BudgetTier.LOW,
        region="eu",
        environment=Environment.DEVELOPMENT,
        speed_critical=True,
        prefer_cheap=True,
        allowed_providers=frozenset({"a", "b"}),
        denied_providers=frozenset({"c"}),
        required_compliance=frozenset({"gdpr", "soc2"}),
        requires_compliance=True,
        requires_sla=True,
        prefer_self_hosted=True,
        max_cost_usd_nanos=12_000_000,
        max_latency_s=1.5,
        min_quality=0.75,
        max_attempts=2,
        disable_fallback=True,
        hedge=True,
        resume_on_failure=True,
        weights={"cost": 2.0, "health": 0.0},
        required_capabilities=frozenset({"vision"}),
        preferred_capabilities=frozenset({"reasoning"}),
        allow_paid_embeddings=True,
        decision_id="dec-1",
    )


def test_what_is_unset_stays_open_and_zero_is_a_bound() -> None:
    assert read({}) == Routing()
    found = read({"max_cost_usd_nanos": "0", "min_quality": 0.0})
    assert (found.max_cost_usd_nanos, found.min_quality) == (0, 0.0)


def test_every_value_of_the_contract_stands_for_one_of_ours() -> None:
    tables = (
        (routing.TASK_TYPES, TaskType, chat_pb2.TaskType),
        (routing.COMPLEXITIES, Complexity, chat_pb2.Complexity),
        (routing.BUDGET_TIERS, BudgetTier, chat_pb2.BudgetTier),
        (routing.ENVIRONMENTS, Environment, chat_pb2.Environment),
    )
    for table, ours, theirs in tables:
        assert set(table.values()) == set(ours)
        assert {0, *table} == set(theirs.values())


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        ({"model": "x" * 257}, "model", "is 257 characters long; at most 256"),
        ({"strategy": "x" * 65}, "strategy", "is 65 characters long; at most 64"),
        ({"region": "x" * 65}, "region", "is 65 characters long; at most 64"),
        ({"task_type": 99}, "task_type", "99 is no value of TaskType"),
        ({"complexity": 99}, "complexity", "99 is no value of Complexity"),
        ({"budget_tier": -1}, "budget_tier", "-1 is no value of BudgetTier"),
        ({"environment": 9}, "environment", "9 is no value of Environment"),
        ({"allowed_providers": [""]}, "allowed_providers", NAMES),
        ({"required_capabilities": ["x"] * 65}, "required_capabilities", NAMES),
        ({"preferred_capabilities": [""]}, "preferred_capabilities", NAMES),
        ({"required_compliance": ["gdpr", "iso"]}, "required_compliance", f"'iso' is no tag; use {TAGS}"),
        ({"max_cost_usd_nanos": "-1"}, "max_cost_usd_nanos", "is -1; must be 0 or more, or unset"),
        ({"max_latency": "0s"}, "max_latency", "must be a duration above zero, or unset"),
        ({"max_latency": "-1s"}, "max_latency", "must be a duration above zero, or unset"),
        ({"min_quality": 1.5}, "min_quality", "is 1.5; must be 0.0 to 1.0, or unset"),
        ({"min_quality": "NaN"}, "min_quality", "is nan; must be 0.0 to 1.0, or unset"),
        ({"weights": {"price": 1.0}}, "weights['price']", f"is no factor; use {FACTORS}"),
        ({"weights": {"cost": 10.5}}, "weights['cost']", "is 10.5; must be 0.0 to 10.0"),
        ({"weights": {"cost": "Infinity"}}, "weights['cost']", "is inf; must be 0.0 to 10.0"),
        (
            {"weights": {f"x{i}": 1.0 for i in range(8)}},
            "weights",
            f"holds 8 factors; there are 7: {FACTORS}",
        ),
        ({"decision_id": "a b"}, "decision_id", "must be 1 to 128 letters, digits or any of - _ . :"),
        ({"max_attempts": 5}, "max_attempts", "is 5; must be 1 to 4, or unset"),
    ],
)
def test_violation(fields: dict[str, object], field: str, description: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(fields)
    assert [(v.field, v.description) for v in caught.value.violations] == [(f"routing.{field}", description)]


def test_a_duration_whose_parts_are_out_of_range_is_none() -> None:
    for seconds, nanos in ((0, 10**9), (1, -1), (2**62, 0), (-1, 10**9 - 1)):
        wishes = router_pb2.Routing()
        wishes.max_latency.seconds, wishes.max_latency.nanos = seconds, nanos
        with pytest.raises(InvalidRequest):
            asked(wishes)


@pytest.mark.parametrize("field", ["mock"])
def test_what_is_not_built_is_refused_by_name(field: str) -> None:
    with pytest.raises(NotBuilt, match=f"routing.{field}"):
        read({field: True})


@given(st.floats(), st.floats())
def test_numbers_that_pass_are_finite_and_in_range(quality: float, weight: float) -> None:
    wishes = router_pb2.Routing(min_quality=quality, weights={"cost": weight})
    try:
        found = asked(wishes)
    except InvalidRequest:
        return
    assert found.min_quality is not None
    assert 0 <= found.min_quality <= 1
    assert math.isfinite(found.weights["cost"])
    assert 0 <= found.weights["cost"] <= 10


def test_wishes_over_earlier_ones_keep_what_they_leave_open() -> None:
    earlier = Routing(region="eu", max_cost_usd_nanos=9, weights={"cost": 2.0}, requires_sla=True)
    later = Routing(max_cost_usd_nanos=0, model="fast", decision_id="dec-1")
    assert later.over(earlier) == Routing(
        region="eu",
        max_cost_usd_nanos=0,
        weights={"cost": 2.0},
        requires_sla=True,
        model="fast",
        decision_id="dec-1",
    )
