"""Properties over generated catalogues: gates hold, points stand alone, the short way equals the long one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.core.catalog import Target
from router_service.core.decision.decide import everyone
from router_service.core.decision.gates import lasting, passing
from router_service.core.health import State
from router_service.core.plan import Plan, Standing, plan
from tests.core.decision.making import asked, decided, made, viewed
from tests.core.decision.worlds import World, model, moved, open_world, provider, request, world

THOROUGH = settings(max_examples=1000, deadline=None)
SEEDS = st.integers(0, 2**32)
WORLDS = st.builds(world, SEEDS, st.integers(0, 20))
OPEN_WORLDS = st.builds(open_world, SEEDS, st.integers(20, 60))


def order_of(found: Plan) -> list[str]:
    return [target.id for target in found.targets]


@THOROUGH
@given(world=WORLDS, seed=SEEDS)
def test_no_target_that_a_gate_excludes_is_planned_and_everyone_else_is_eligible(world: World, seed: int) -> None:
    view = world.view
    found = plan(world.request, view, Random(seed))
    decision = found.decision
    seen = {c.target.id: c for c in found.candidates}
    assert sorted(seen) == sorted(target.id for target in view.catalog.targets)
    for offer in decision.prepared.offers:
        is_free, candidate = offer.is_free(decision.moment.windows), seen[offer.id]
        rule, outlook = decision.ranking.table.shortlist.rule, decision.outlooks.of[offer.index]
        refusal = lasting(offer, decision.question.profile, view.policy, rule, is_free=is_free)
        if candidate.estimate is not None:
            assert refusal is None
            moment, in_flight = decision.moment, view.in_flight
            question, estimate = decision.question, candidate.estimate
            assert passing(offer, question, view.policy, rule, outlook, estimate, moment, in_flight) is None
            assert offer.id not in found.rejected
        else:
            assert candidate.refusal is not None
            assert candidate.refusal.detail
            assert refusal in (None, candidate.refusal)
            assert found.rejected[offer.id] is candidate.refusal.reason
            assert offer.id not in order_of(found)
            is_down = outlook.standing.state is State.UNHEALTHY and view.policy.excludes_unhealthy
            assert candidate.refusal.reason.name != "HEALTH" or (is_down and found.targets)


@THOROUGH
@given(world=st.one_of(WORLDS, OPEN_WORLDS), seed=SEEDS)
def test_the_quick_count_of_the_rejected_is_that_of_their_explanations(world: World, seed: int) -> None:
    found = plan(world.request, world.view, Random(seed))
    explained = {c.target.id: c.refusal.reason for c in found.candidates if c.refusal is not None}
    assert found.rejected == explained
    assert found.rejected_counts == Counter(explained.values())


@THOROUGH
@given(world=WORLDS, seed=SEEDS)
def test_no_target_is_planned_above_a_bound_on_its_cost(world: World, seed: int) -> None:
    found, budget = plan(world.request, world.view, Random(seed)), world.view.budget
    estimates = {c.target.id: c.estimate for c in found.candidates}
    for target in found.targets:
        estimate = estimates[target.id]
        assert estimate is not None
        for bound in (world.request.routing.max_cost_usd_nanos, budget.request_limits.get(target.provider.name)):
            if bound is not None:
                assert estimate.cost_usd_nanos is not None
                assert estimate.cost_usd_nanos <= bound
        if budget.free_only or budget.is_over or target.provider.name in budget.over_providers:
            assert estimate.is_free


@THOROUGH
@given(world=WORLDS, extra=SEEDS, seed=SEEDS)
def test_adding_a_candidate_changes_nobodys_points(world: World, extra: int, seed: int) -> None:
    view, rng = world.view, Random(extra)
    by_points = replace(world.request, routing=replace(world.request.routing, strategy="points"))
    more = viewed(
        *view.catalog.targets,
        Target(provider(rng, "stranger"), model(rng, 1)),
        policy=view.policy,
        standings=view.standings,
        statistics=view.statistics,
        quotas=view.quotas,
        budget=view.budget,
        in_flight=view.in_flight,
    )
    before, after = ({c.target.id: c for c in plan(by_points, v, Random(seed)).candidates} for v in (view, more))
    for id, was in before.items():
        now = after[id]
        if was.refusal is None and now.refusal is None:
            assert (was.score, was.factors) == (now.score, now.factors)
        else:
            reasons = {c.refusal.reason.name for c in (was, now) if c.refusal is not None}
            assert was.refusal == now.refusal or reasons == {"HEALTH"}


@THOROUGH
@given(world=WORLDS, others=st.lists(SEEDS, max_size=2), seed=SEEDS)
def test_the_same_view_and_seed_give_the_same_plan_whatever_was_remembered(
    world: World, others: list[int], seed: int
) -> None:
    forgetful = replace(world.view, prepared=None)
    for one in (world.request, *(request(Random(other)) for other in others), world.request):
        first, again = plan(one, world.view, Random(seed)), plan(one, forgetful, Random(seed))
        assert first.targets == again.targets
        assert first.candidates == again.candidates
        assert (first.rule, first.reason, first.rejected) == (again.rule, again.reason, again.rejected)


@settings(max_examples=200, deadline=None)
@given(world=st.one_of(WORLDS, OPEN_WORLDS), others=st.lists(SEEDS, max_size=2), seed=SEEDS)
def test_what_is_mended_after_a_change_of_health_is_what_would_be_worked_out_anew(
    world: World, others: list[int], seed: int
) -> None:
    rng, now = Random(seed), world.view
    requests = [world.request, *(request(Random(other)) for other in others)]
    for _ in range(4):
        for one in rng.sample(requests, rng.randint(1, len(requests))):
            kept, anew = plan(one, now, Random(seed)), plan(one, replace(now, prepared=None), Random(seed))
            assert kept.targets == anew.targets
            assert kept.candidates == anew.candidates
            assert (kept.reason, kept.rejected, kept.rejected_counts) == (
                anew.reason,
                anew.rejected,
                anew.rejected_counts,
            )
            assert kept.decision.ranking == anew.decision.ranking
        now = moved(now, rng)


def test_a_change_at_one_target_leaves_what_is_known_of_the_others() -> None:
    """Else each answer would make decisions work out thousands of targets anew, on the event loop."""
    view = viewed(*(made(f"a/{n}", price=n) for n in range(9)))
    before = decided(asked(), view).decision
    after = decided(asked(), replace(view, standings={"a/3": Standing(state=State.UNHEALTHY)})).decision
    probed = replace(view, standings={"a/3": Standing(state=State.UNHEALTHY, answer_p95_s=1.0)})
    spots = before.ranking.table.spots
    assert [n for n, spot in after.ranking.table.spots.items() if spot is not spots[n]] == [3]
    assert decided(asked(), probed).decision.ranking is after.ranking, "nothing that ranks anybody has changed"


@settings(max_examples=400, deadline=None)
@given(world=OPEN_WORLDS, length=st.integers(1, 8), seed=SEEDS)
def test_a_scan_that_stops_early_finds_what_one_over_all_targets_finds(world: World, length: int, seed: int) -> None:
    """Equals are put in order by chance, so places are compared by class and points."""
    short, whole = (
        plan(world.request, replace(world.view, policy=replace(world.view.policy, chain_length=n)), Random(seed))
        for n in (length, 100)
    )
    decision = whole.decision
    scores = everyone(decision.scan, decision.prepared)
    places = {decision.prepared.offers[s[3]].id: (s[0], round(s[1], 6)) for s in scores}
    assert len(whole.targets) == len(scores)
    assert [places[id] for id in order_of(short)] == [places[id] for id in order_of(whole)[:length]]


@THOROUGH
@given(world=WORLDS, seed=SEEDS)
def test_points_are_the_sum_of_the_factors_within_their_ranges(world: World, seed: int) -> None:
    by_points = replace(world.request, routing=replace(world.request.routing, strategy="points"))
    for candidate in plan(by_points, world.view, Random(seed)).candidates:
        assert sum(f.points for f in candidate.factors) == pytest.approx(candidate.score, abs=1e-6)
        for factor in candidate.factors:
            least = -factor.max_points if factor.name == "health" else 0.0
            assert least - 1e-9 <= factor.points <= factor.max_points + 1e-9
