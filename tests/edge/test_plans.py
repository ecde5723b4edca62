"""A plan on the wire: what is unknown is absent, what is long is cut, and every reason has its number."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from signalbox.v1 import router_pb2

from router_service.core.health import Source
from router_service.core.plan import Rejection, SnapshotInfo, View, plan
from router_service.core.request import Routing
from router_service.core.task import Complexity, TaskType
from router_service.edge import plans
from tests.core.decision.making import asked, made, speed, viewed

CALLERS_LIMIT = 4 * 1024 * 1024


def shown(view: View, routing: Routing | None = None, *, candidates: int = 0) -> router_pb2.Plan:
    return plans.plan(plan(asked(routing), view, Random(0)), candidates=candidates)


def test_what_is_unknown_is_absent() -> None:
    pb = shown(viewed(made("a/x", price=None)))
    assert not pb.HasField("estimated_cost_usd_nanos")
    assert not pb.HasField("estimated_cost_usd_nanos_per_million_tokens")
    assert not pb.HasField("inference_confidence")
    assert not pb.snapshot.HasField("age")
    assert pb.snapshot.source == router_pb2.SNAPSHOT_SOURCE_NONE


def test_what_is_free_costs_nothing() -> None:
    pb = shown(viewed(made("a/x", price=0.0)))
    assert pb.HasField("estimated_cost_usd_nanos")
    assert (pb.estimated_cost_usd_nanos, pb.estimated_cost_usd_nanos_per_million_tokens) == (0, 0)


def test_the_snapshot_is_named_with_its_age() -> None:
    snapshot = SnapshotInfo(epoch=3, sequence=14, age_s=1.5, source=Source.PROBER)
    pb = shown(replace(viewed(made("a/x")), snapshot=snapshot)).snapshot
    assert (pb.epoch, pb.sequence, pb.source) == (3, 14, router_pb2.SNAPSHOT_SOURCE_PROBER)
    assert pb.age.ToNanoseconds() == 1_500_000_000


def test_task_and_complexity_are_named() -> None:
    pb = shown(viewed(made("a/x")), Routing(task_type=TaskType.RAG, complexity=Complexity.MEDIUM))
    assert (pb.task_type, pb.complexity) == (plans.TASK_TYPES[TaskType.RAG], plans.COMPLEXITIES[Complexity.MEDIUM])


def test_every_reason_has_its_number() -> None:
    assert set(plans.REASONS) == set(Rejection)
    assert {0, *plans.REASONS.values()} == set(router_pb2.RejectionReason.values())


def test_a_time_without_end_is_said_to_be_the_longest() -> None:
    pb = shown(viewed(made("a/x", paced=speed(1e300))))
    assert pb.expected_latency.seconds == 315_576_000_000


@pytest.mark.parametrize("denied", [frozenset[str](), frozenset({"provider"})])
def test_the_longest_plan_is_one_that_a_caller_can_receive(denied: frozenset[str]) -> None:
    targets = [made(f"provider/{number}-{'x' * 200}") for number in range(5000)]
    pb = shown(viewed(*targets), Routing(denied_providers=denied), candidates=5000)
    assert 1000 < len(pb.candidates) <= 5000
    assert pb.ByteSize() < CALLERS_LIMIT
    assert sum(count.count for count in pb.rejected_by_reason) == (5000 if denied else 0)
