"""Decisions that are kept to be run: for how long, how many, whose, and what holds when they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest

from router_service.core.chat import Message, Prompt, Role
from router_service.core.decision.decide import foresee
from router_service.core.errors import UnknownDecision
from router_service.core.health import State
from router_service.core.plan import Plan, Standing, View
from router_service.core.quota import QuotaStanding
from router_service.core.request import Request, Routing
from router_service.core.slices import SLICE
from router_service.core.task import Complexity, TaskType
from router_service.service.decisions import KEPT_S, Decisions
from router_service.service.planning import MANY_TARGETS, Planning
from router_service.service.preparation import prepared
from tests.core.decision.making import asked, decided, ids, made, viewed

A, B, C = made("a/x", price=1.0), made("b/x", price=2.0), made("c/x", price=3.0)
VIEW = viewed(A, B, C)
DOWN = Standing(state=State.UNHEALTHY)


class Present:
    """A view that tests replace, with the plans made of it."""

    def __init__(self) -> None:
        self.view: View = VIEW
        self._planning = Planning(view=lambda _tenant: self.view, route_view=lambda _tenant: self.view, rng=Random(0))

    def told(self, routing: Routing, *, tenant: str = "") -> Plan:
        request = replace(asked(routing, tenant=tenant), deadline=float("inf"), keeps_plan=True)
        return self._planning.to_tell(request, may_be_empty=False)[1]

    def run(self, plan: Plan, routing: Routing | None = None, *, tenant: str = "") -> Plan:
        wishes = replace(routing or Routing(), decision_id=plan.decision_id)
        return self._planning.to_run(replace(asked(wishes, tenant=tenant), deadline=float("inf")))[1]


@pytest.fixture
def present() -> Present:
    return Present()


def test_the_chain_is_run_as_it_was_told(present: Present) -> None:
    plan = present.told(Routing(strategy="quality_optimized", weights={"cost": 0.0}))
    present.view = replace(VIEW, statistics={})
    assert ids(present.run(plan)) == ids(plan)
    assert present.run(plan).strategy == "quality_optimized"


def test_health_quota_and_wishes_are_asked_again(present: Present) -> None:
    plan = present.told(Routing())
    assert ids(plan) == ["a/x", "b/x", "c/x"]
    used_up = QuotaStanding(provider="b", remaining_share=0.0, has_room=False)
    present.view = replace(VIEW, quotas={"b": used_up}, standings={"a/x": DOWN})
    assert ids(present.run(plan)) == ["c/x", "a/x"]
    assert ids(present.run(plan, Routing(denied_providers=frozenset({"a"})))) == ["c/x"]
    assert ids(present.run(plan, Routing(disable_fallback=True))) == ["c/x"]


def test_what_was_asked_for_then_still_bounds_it(present: Present) -> None:
    plan = present.told(Routing(max_cost_usd_nanos=10_000_000))
    present.view = viewed(made("a/x", price=100.0), B, C)
    assert ids(present.run(plan)) == ["b/x", "c/x"]


def test_a_target_that_is_gone_is_left_out(present: Present) -> None:
    plan = present.told(Routing())
    present.view = viewed(A, C)
    assert ids(present.run(plan)) == ["a/x", "c/x"]


def test_another_tenants_decision_is_unknown(present: Present) -> None:
    plan = present.told(Routing(), tenant="web")
    assert ids(present.run(plan, tenant="web")) == ids(plan)
    with pytest.raises(UnknownDecision):
        present.run(plan, tenant="app")


def test_a_decision_is_kept_for_its_time() -> None:
    decisions, request = Decisions(), asked()
    found = decisions.keep(request, decided(request, VIEW), now=100.0)
    assert decisions.find(found, tenant="", now=100.0 + KEPT_S - 0.1).targets == ("a/x", "b/x", "c/x")
    with pytest.raises(UnknownDecision):
        decisions.find(found, tenant="", now=100.0 + KEPT_S)


def test_a_burst_of_new_decisions_displaces_none_of_the_usual_size() -> None:
    decisions, request = Decisions(), asked()
    plan = decided(request, VIEW)
    first = decisions.keep(request, plan, now=0.0)
    for _ in range(10_000):
        decisions.keep(request, plan, now=1.0)
    assert decisions.find(first, tenant="", now=2.0)


def test_the_oldest_makes_room_for_the_newest() -> None:
    request = asked()
    plan = decided(request, VIEW)
    decisions = Decisions(most_bytes=4 * 2000)
    made = [decisions.keep(request, plan, now=float(n)) for n in range(3)]
    assert len(set(made)) == 3
    with pytest.raises(UnknownDecision, match="newer ones have displaced it; ask Route for a new one"):
        decisions.find(made[0], tenant="", now=3.0)
    for kept in made[1:]:
        assert decisions.find(kept, tenant="", now=3.0)


def test_a_tenant_displaces_only_its_own_and_those_of_who_has_more() -> None:
    decisions = Decisions(most_bytes=10 * 2000)
    quiet, busy = asked(tenant="quiet"), asked(tenant="busy")
    plan = decided(quiet, VIEW)
    kept = [decisions.keep(quiet, plan, now=0.0) for _ in range(3)]
    for _ in range(100):
        decisions.keep(busy, plan, now=1.0)
    for n in range(100):
        decisions.keep(asked(tenant=f"other-{n % 5}"), plan, now=1.0)
    assert decisions.find(kept[-1], tenant="quiet", now=2.0)
    large = replace(asked(tenant="large"), labels={"note": "x" * 50_000})
    found = decisions.keep(large, plan, now=2.0)
    assert decisions.find(found, tenant="large", now=2.0), (
        "even one that is larger than all may be is kept until the next"
    )


def test_a_kept_decision_holds_no_prompt() -> None:
    decisions = Decisions()
    request = prepared(prompted("The signal is red and the canary sings."), infers=True)
    found = decisions.find(decisions.keep(request, decided(request, VIEW), now=0.0), tenant="", now=1.0)
    assert "canary" not in repr(found)


def prompted(text: str, routing: Routing | None = None) -> Request:
    prompt = Prompt(messages=(Message(role=Role.USER, content=text),))
    return Request(request_id="req-1", prompt=prompt, routing=routing or Routing(), deadline=1.0)


def test_a_prompt_is_read_for_what_its_caller_left_out() -> None:
    read = prepared(prompted("Translate the following sentence into French: The train is late."), infers=True)
    assert read.inference is not None
    assert read.inference.task is TaskType.TRANSLATION
    assert read.text is not None
    assert 10 <= (read.estimated_input_tokens or 0) <= 30


def test_a_prompt_is_not_read_for_what_its_caller_said() -> None:
    said = Routing(task_type=TaskType.CHAT, complexity=Complexity.SIMPLE)
    assert prepared(prompted("Translate this.", said), infers=True).inference is None
    counted = replace(prompted("Translate this.", said), estimated_input_tokens=7)
    assert prepared(counted, infers=True).estimated_input_tokens == 7
    assert prepared(counted, infers=True).text is None


def test_without_a_prompt_there_is_nothing_to_read() -> None:
    request = Request(request_id="req-1", prompt=Prompt(messages=()), deadline=1.0, estimated_input_tokens=5)
    assert prepared(request, infers=True) is request


@pytest.mark.anyio
@pytest.mark.parametrize("is_told", [False, True])
async def test_the_first_of_a_kind_among_many_targets_lets_others_have_the_turn(is_told: bool) -> None:
    view = viewed(*(made(f"p{n % 9}/m{n}", price=1.0 + n) for n in range(MANY_TARGETS)))
    planning = Planning(view=lambda _tenant: view, route_view=lambda _tenant: view, rng=Random(0))
    request = replace(asked(), deadline=float("inf"), estimated_input_tokens=None)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        others = group.create_task(other())
        foreseen = await planning.foreseen(request, is_told=is_told)
        others.cancel()
    assert turns >= 3 * MANY_TARGETS / SLICE - 3
    assert foreseen.estimated_input_tokens, "the prompt was read for it, and is not read again"
    assert not list(foresee(foreseen, view))
    assert ids(planning.to_run(foreseen)[1]) == ids(decided(foreseen, viewed(*view.catalog.targets)))
