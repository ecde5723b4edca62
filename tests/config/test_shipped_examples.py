"""The worked examples against the shipped configuration: all keys present, all healthy, quotas full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router_service.core.plan import Plan, View
from router_service.core.task import TaskType
from tests.config.shipped import full_view, planned, shipped
from tests.core.decision.making import asked, candidate, ids
from tests.harness.worked_examples import EXAMPLES, WorkedExample

BY_NAME = {example.name: example for example in EXAMPLES}


@pytest.fixture(scope="module")
def view() -> View:
    return full_view(shipped())


def answered(example: WorkedExample, view: View) -> Plan:
    return planned(asked(example.routing, tokens=example.input_tokens, output=example.output_tokens), view)


@pytest.mark.parametrize("example", [pytest.param(example, id=example.name) for example in EXAMPLES])
def test_worked_example(example: WorkedExample, view: View) -> None:
    found = answered(example, view)
    rejections = {
        c.target.id: (c.refusal.reason.name, c.refusal.detail) for c in found.candidates if c.refusal is not None
    }
    assert list(example.mismatches(found.rule, ids(found), rejections)) == []
    costs = {c.target.id: c.estimate.rank_nanos for c in found.candidates if c.refusal is None and c.estimate}
    assert list(example.misorders(ids(found), costs)) == []


def test_without_a_local_target_the_least_cost_is_the_least_there_is(view: View) -> None:
    found = answered(BY_NAME["a simple question at the least cost without a local target"], view)
    costs = {
        c.target.id: c.estimate.rank_nanos
        for c in found.candidates
        if c.refusal is None and c.estimate is not None and c.estimate.quality >= view.policy.quality_floor
    }
    assert costs[ids(found)[0]] == min(costs.values()) > 0


def test_the_best_code_is_that_of_the_highest_quality(view: View) -> None:
    found = answered(BY_NAME["code of the best quality"], view)
    qualities = {c.target.id: c.estimate.quality for c in found.candidates if c.estimate is not None}
    assert qualities[ids(found)[0]] == max(qualities.values())


def test_an_analysis_within_three_seconds_keeps_all_three_bounds(view: View) -> None:
    estimate = answered(BY_NAME["analysis within three seconds"], view).estimate
    assert estimate is not None
    assert estimate.cost_usd_nanos is not None
    assert (estimate.quality >= 0.75, estimate.latency_s <= 3.0, estimate.cost_usd_nanos <= 10_000_000) == (True,) * 3


def test_a_very_long_summary_goes_to_a_window_of_a_million(view: View) -> None:
    found = answered(BY_NAME["a summary of half a million tokens"], view)
    assert [target.model.context_tokens >= 1_000_000 for target in found.targets[:2]] == [True, True]


def test_compliance_in_the_eu_is_refused_rather_than_broken(view: View) -> None:
    """Also for those who deny the two that may serve it."""
    example = BY_NAME["chat in the EU with compliance"]
    denied = replace(example.routing, denied_providers=frozenset({"mistral", "azure-eu"}))
    assert planned(asked(denied), view).targets == ()


def test_over_budget_only_what_is_free_is_left(view: View) -> None:
    over = replace(view, budget=replace(view.budget, is_over=True))
    for task in (None, TaskType.REASONING, TaskType.RAG):
        found = planned(asked(replace(BY_NAME["classification"].routing, task_type=task)), over)
        assert found.rule == "1 over budget"
        assert found.targets
        assert {candidate(found, id).estimate.is_free for id in ids(found)} == {True}  # type: ignore[union-attr]
