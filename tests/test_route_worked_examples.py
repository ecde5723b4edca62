"""The worked examples through Route over gRPC: a real router on the shipped configuration, with all keys present.

Route asks nobody upstream, so no provider hears of it, and the keys need not be any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from enum import Enum

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc

from router_service.core.request import Routing
from tests.harness import processes
from tests.harness.specified_prompts import SPECIFIED, Class
from tests.harness.worked_examples import EXAMPLES, KEYS, WorkedExample

CONFIGURATION = "{version: 1, extends: shipped, routing: {exploration: 0}}"
PATIENT_S = 600
"""No deadline that anybody could miss: it would be a bound like any other."""
REASON = "REJECTION_REASON_"
ALL = [pytest.param(example, id=example.name) for example in EXAMPLES]
PROMPTS = [pytest.param(text, named, id=text) for named in SPECIFIED for text in named.prompts]
ORDERED = [pytest.param(example, id=example.name) for example in EXAMPLES if example.order]
UNPRICED_NANOS = 2**62
"""A price that is unknown comes after every known one."""
REFUSALS = [pytest.param(example, id=example.name) for example in EXAMPLES if not example.chain]


@pytest.fixture(scope="module")
def stub() -> Iterator[router_pb2_grpc.RouterStub]:
    with processes.short_directory() as directory:
        config = directory / "signalbox.yaml"
        config.write_text(CONFIGURATION)
        router = processes.router(directory, config, environment=KEYS)
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            yield router_pb2_grpc.RouterStub(channel)


def question(example: WorkedExample, view: router_pb2.PlanView.ValueType) -> router_pb2.RouteRequest:
    request = router_pb2.RouteRequest(
        routing=wishes(example.routing), estimated_input_tokens=example.input_tokens, view=view, max_candidates=5000
    )
    if example.output_tokens is not None:
        request.generation.max_output_tokens = example.output_tokens
    return request


def wishes(routing: Routing) -> router_pb2.Routing:
    """The wire's wishes have the core's names; enums are by name, and a time is a Duration."""
    written = router_pb2.Routing()
    for field in fields(routing):
        match getattr(routing, field.name):
            case None:
                pass
            case Enum() as choice:
                prefix = {"task_type": "TASK_TYPE", "budget_tier": "BUDGET_TIER"}.get(field.name, field.name.upper())
                setattr(written, field.name, f"{prefix}_{choice.name}")
            case frozenset() as names:
                getattr(written, field.name).extend(sorted(names))
            case float(seconds) if field.name == "max_latency_s":
                written.max_latency.FromNanoseconds(round(seconds * 1e9))
            case dict() as weights:
                written.weights.update(weights)
            case value:
                setattr(written, field.name, value)
    return written


@pytest.mark.parametrize("example", ALL)
def test_route_answers_the_worked_example(example: WorkedExample, stub: router_pb2_grpc.RouterStub) -> None:
    plan = stub.Route(question(example, router_pb2.PLAN_VIEW_FULL), timeout=PATIENT_S).plan
    rejections = {
        c.target: (router_pb2.RejectionReason.Name(c.rejection.reason).removeprefix(REASON), c.rejection.detail)
        for c in plan.candidates
        if c.HasField("rejection")
    }
    chain = [plan.target, *plan.fallbacks] if plan.target else []
    assert list(example.mismatches(plan.rule, chain, rejections)) == []
    assert plan.task_type == chat_pb2.TaskType.Value(f"TASK_TYPE_{example.routing.task_type.name}")  # type: ignore[union-attr]
    assert {c.reason for c in plan.rejected_by_reason} == {
        router_pb2.RejectionReason.Value(REASON + reason) for reason, _ in rejections.values()
    }


@pytest.mark.parametrize("example", ORDERED)
def test_the_least_cost_is_the_least_of_all_that_could_serve(
    example: WorkedExample, stub: router_pb2_grpc.RouterStub
) -> None:
    """Each of the others is asked for alone, so that the costs are the estimates that a caller would be told."""
    plan = stub.Route(question(example, router_pb2.PLAN_VIEW_FULL), timeout=PATIENT_S).plan
    costs = {}
    for candidate in plan.candidates:
        if not candidate.HasField("rejection"):
            alone = question(example, router_pb2.PLAN_VIEW_BASIC)
            alone.routing.model = candidate.target
            told = stub.Route(alone, timeout=PATIENT_S).plan
            assert told.target == candidate.target
            has_price = told.HasField("estimated_cost_usd_nanos")
            costs[told.target] = told.estimated_cost_usd_nanos if has_price else UNPRICED_NANOS
    assert len(costs) > 1
    assert list(example.misorders([plan.target, *plan.fallbacks], costs)) == []


@pytest.mark.parametrize("example", REFUSALS)
def test_what_nobody_may_serve_is_refused(example: WorkedExample, stub: router_pb2_grpc.RouterStub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub.Route(question(example, router_pb2.PLAN_VIEW_BASIC), timeout=PATIENT_S)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    message = caught.value.details() or ""
    assert [reason for reason in example.reasons if reason.lower() not in message] == []


@pytest.mark.parametrize(("text", "named"), PROMPTS)
def test_the_words_of_the_specification_meet_their_rule(
    text: str, named: Class, stub: router_pb2_grpc.RouterStub
) -> None:
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content=text)
    plan = stub.Route(router_pb2.RouteRequest(messages=[message]), timeout=PATIENT_S).plan
    assert chat_pb2.TaskType.Name(plan.task_type) == f"TASK_TYPE_{named.task.name}"
    assert chat_pb2.Complexity.Name(plan.complexity) == f"COMPLEXITY_{named.complexity.name}"
    assert (plan.rule, plan.inferred) == (named.rule, True)


def test_what_is_not_to_be_done_meets_no_rule(stub: router_pb2_grpc.RouterStub) -> None:
    message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="Do not write code. Just tell me a joke about Python.")
    plan = stub.Route(router_pb2.RouteRequest(messages=[message]), timeout=PATIENT_S).plan
    assert (plan.task_type, plan.rule) == (chat_pb2.TASK_TYPE_CREATIVE_WRITING, "")
