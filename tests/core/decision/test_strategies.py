"""Each strategy by name: whom it puts first, and the order of the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import nan
from random import Random
from types import MappingProxyType

import pytest

from router_service.core.catalog import Catalog
from router_service.core.decision.policy import Policy
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.strategies import BUILT_IN, Option, Scores, Setting, Strategy
from router_service.core.decision.turns import Turns
from router_service.core.errors import InvalidRequest
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.plan import Plan, Standing, View, plan
from router_service.core.request import Routing
from tests.core.decision.making import asked, candidate, decided, ids, made, refused, speed, viewed

CHEAP = made("a/cheap", price=0.1, quality=0.6, paced=speed(2.0))
FAST = made("b/fast", price=5, quality=0.7, paced=speed(0.2))
GOOD = made("c/good", price=30, quality=0.95, paced=speed(1.0))
ALL = (CHEAP, FAST, GOOD)


def ordered(strategy: str, view: View, seed: int = 0) -> list[str]:
    return ids(decided(asked(Routing(strategy=strategy)), view, seed))


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("points", ["a/cheap", "b/fast", "c/good"]),
        ("cost_optimized", ["a/cheap", "b/fast", "c/good"]),
        ("latency_optimized", ["b/fast", "c/good", "a/cheap"]),
        ("quality_optimized", ["c/good", "b/fast", "a/cheap"]),
        ("balanced", ["a/cheap", "b/fast", "c/good"]),
        ("round_robin", ["a/cheap", "b/fast", "c/good"]),
        ("ensemble", ["b/fast", "c/good", "a/cheap"]),
    ],
)
def test_order(strategy: str, order: list[str]) -> None:
    found = decided(asked(Routing(strategy=strategy)), viewed(*ALL))
    assert found.strategy == strategy
    if strategy == "ensemble":
        scores = {c.target.id: c.score for c in found.candidates}
        assert scores == {"a/cheap": 2.0, "b/fast": 4.0, "c/good": 3.0}, "Borda: 2+0+0, 1+2+1, 0+1+2"
    assert ids(found) == order


@pytest.mark.parametrize("strategy", sorted(BUILT_IN))
def test_every_strategy_keeps_the_gates_and_puts_the_unhealthy_last(strategy: str) -> None:
    down = {"b/fast": Standing(state=State.UNHEALTHY, traffic_share=0.0)}
    policy = Policy(exploration=0, shares={"a": 1, "b": 5}, priorities=("b", "a"))
    view = viewed(*ALL, made("d/us", region="us"), standings=down, policy=policy)
    found = decided(asked(Routing(strategy=strategy, denied_providers=frozenset({"d"}))), view)
    assert set(ids(found)) == {"a/cheap", "b/fast", "c/good"}
    assert ids(found)[-1] == "b/fast"
    assert refused(found, "d/us")[0] == "PROVIDER_NOT_ALLOWED"
    assert len(found.candidates) == 4


def test_a_servers_strategy_holds_where_the_request_names_none() -> None:
    view = viewed(*ALL, policy=Policy(exploration=0, strategy="quality_optimized"))
    assert ids(decided(asked(), view))[0] == "c/good"


def test_cost_is_per_success_and_counts_above_the_quality_floor() -> None:
    flaky = {"a/cheap": TargetStatistics(success_rate_lower=0.2), "b/x": TargetStatistics(success_rate_lower=0.9)}
    view = viewed(CHEAP, made("b/x", price=0.2, quality=0.6), statistics=flaky)
    assert ordered("cost_optimized", view) == ["b/x", "a/cheap"]
    poor = made("d/poor", price=0.01, quality=0.4)
    assert ordered("cost_optimized", viewed(*ALL, poor)) == ["a/cheap", "b/fast", "c/good", "d/poor"]


def test_equals_go_local_first_then_by_points_then_by_chance() -> None:
    local, remote = made("l/x", tier="local", quality=0.6), made("a/free", price=0, quality=0.6)
    assert ordered("cost_optimized", viewed(remote, local))[0] == "l/x"
    slow, quick = made("a/slow", price=0, paced=speed(9)), made("b/quick", price=0, paced=speed(0.3))
    assert ordered("cost_optimized", viewed(slow, quick))[0] == "b/quick"
    first = Counter(ordered("cost_optimized", viewed(made("a/x"), made("b/x")), seed)[0] for seed in range(200))
    assert min(first["a/x"], first["b/x"]) > 60


def test_points_break_ties_by_chance_too() -> None:
    first = Counter(ordered("points", viewed(made("a/x"), made("b/x"), made("c/x")), seed)[0] for seed in range(300))
    assert min(first[id] for id in ("a/x", "b/x", "c/x")) > 60


def test_of_two_that_are_nearly_as_fast_the_less_loaded_one_serves() -> None:
    near = made("d/near", price=5, paced=speed(0.21))
    view = viewed(FAST, near, CHEAP, in_flight={"b/fast": 5})
    assert {ordered("latency_optimized", view, seed)[0] for seed in range(20)} == {"d/near"}
    others = {"d/near": TargetStatistics(in_flight=9)}
    view = viewed(FAST, near, CHEAP, in_flight={"b/fast": 5}, statistics=others)
    assert {ordered("latency_optimized", view, seed)[0] for seed in range(20)} == {"b/fast"}


def test_latency_is_that_at_the_90th_percentile() -> None:
    steady = TargetStatistics(time_to_first_token_p50_s=1.0, time_to_first_token_p90_s=1.1)
    wild = TargetStatistics(time_to_first_token_p50_s=0.3, time_to_first_token_p90_s=9.0)
    view = viewed(made("a/wild"), made("b/steady"), statistics={"a/wild": wild, "b/steady": steady})
    assert ordered("latency_optimized", view) == ["b/steady", "a/wild"]


def test_of_equal_quality_the_healthier_serves() -> None:
    weak = {"a/x": TargetStatistics(success_rate_lower=0.5), "b/x": TargetStatistics(success_rate_lower=0.9)}
    view = viewed(made("a/x", quality=0.8), made("b/x", quality=0.8), statistics=weak)
    assert ordered("quality_optimized", view) == ["b/x", "a/x"]


def test_balanced_lets_no_factor_make_up_for_nothing_and_takes_its_weights() -> None:
    cheap_and_slow = made("d/slow", price=0.02, quality=0.6, paced=speed(20.0))
    assert ordered("balanced", viewed(cheap_and_slow, FAST, GOOD))[0] == "b/fast"
    quality_alone = Policy(exploration=0, balance=(0.0, 0.0, 1.0))
    assert ordered("balanced", viewed(*ALL, policy=quality_alone))[0] == "c/good"
    assert ordered("balanced", viewed(*ALL, policy=Policy(exploration=0, balance=(0.0, 0.0, 0.0))))[0] == "a/cheap"


def test_round_robin_is_even_to_one() -> None:
    view = viewed(*ALL)
    first = Counter(taken(view) for _ in range(100))
    assert sorted(first.values()) == [33, 33, 34]
    assert ordered("round_robin", viewed(*ALL, turns=Turns(1))) == ["b/fast", "c/good", "a/cheap"]


def test_round_robin_begins_where_it_was_told_to_and_reading_takes_no_turn() -> None:
    view = viewed(*ALL, turns=Turns(1))
    assert ordered("round_robin", view) == ordered("round_robin", view)
    assert [taken(view) for _ in range(4)] == ["b/fast", "c/good", "a/cheap", "b/fast"]


def test_other_requests_take_nobodys_turn() -> None:
    view = viewed(*ALL)
    first: Counter[str] = Counter()
    for _ in range(12):
        first[taken(view)] += 1
        taken(view, strategy="cost_optimized")
        taken(view, denied_providers=frozenset({"c"}))
    assert set(first.values()) == {4}


def test_a_target_that_could_not_serve_for_a_while_upsets_nobodys_turn() -> None:
    view = viewed(*ALL)
    without_fast = replace(view, standings={"b/fast": Standing(block_reason=BlockReason.RATE_LIMITED)})
    assert [taken(view) for _ in range(3)] == ["a/cheap", "b/fast", "c/good"]
    assert [taken(without_fast) for _ in range(3)] == ["a/cheap", "c/good", "a/cheap"]
    assert [taken(view) for _ in range(4)] == ["b/fast", "c/good", "a/cheap", "b/fast"]


def test_turns_of_many_sets_take_bounded_memory() -> None:
    turns = Turns()
    for number in range(1_000):
        turns.take((0, 1, number + 2), 0)
    assert turns.order((0, 1, 1_001), [0, 1]) == [1, 0]
    assert turns.order((0, 1, 2), [0, 1]) == [0, 1], "forgotten"


def taken(view: View, *, strategy: str = "round_robin", denied_providers: frozenset[str] = frozenset()) -> str:
    """Who is first for a request that is then acted on."""
    found = decided(asked(Routing(strategy=strategy, denied_providers=denied_providers)), view)
    found.take_turn()
    return ids(found)[0]


def test_least_loaded_counts_our_calls_and_those_of_others() -> None:
    others = {"a/cheap": TargetStatistics(in_flight=4)}
    view = viewed(*ALL, statistics=others, in_flight={"b/fast": 2, "c/good": 3})
    assert ordered("least_loaded", view) == ["b/fast", "c/good", "a/cheap"]


def test_weighted_draws_by_shares() -> None:
    view = viewed(*ALL, policy=Policy(exploration=0, shares={"a": 3, "b/fast": 1}))
    orders = [ordered("weighted", view, seed) for seed in range(1000)]
    assert Counter(order[0] for order in orders)["a/cheap"] == pytest.approx(750, abs=50)
    assert {order[-1] for order in orders} == {"c/good"}, "without a share it is the last"


def test_priority_follows_the_configured_order() -> None:
    view = viewed(*ALL, policy=Policy(exploration=0, priorities=("c", "*/cheap")))
    assert ordered("priority", view) == ["c/good", "a/cheap", "b/fast"]


def test_ensemble_weighs_votes_and_passes_over_itself_and_strangers() -> None:
    votes = {"quality_optimized": 3.0, "cost_optimized": 1.0, "ensemble": 9.0, "nobody": 9.0}
    view = viewed(*ALL, policy=Policy(exploration=0, votes=votes))
    found = decided(asked(Routing(strategy="ensemble")), view)
    assert {c.target.id: c.score for c in found.candidates} == {"c/good": 6.0, "b/fast": 4.0, "a/cheap": 2.0}


def test_ensemble_shares_places_among_equals() -> None:
    view = viewed(made("a/x"), made("b/x"), policy=Policy(exploration=0, votes={"cost_optimized": 1.0}))
    found = decided(asked(Routing(strategy="ensemble")), view)
    assert [c.score for c in found.candidates] == [0.5, 0.5]


def test_third_parties_add_strategies_by_name() -> None:
    def longest_name(option: Option, _setting: Setting) -> float:
        return float(len(option.offer.id))

    own = Strategy(name="longest", describes="length of name", scorers=((longest_name, 2.0),))
    catalog, policy = Catalog(ALL), Policy(exploration=0)
    prepared = Prepared(catalog, policy, MappingProxyType({**BUILT_IN, own.name: own}))
    view = View(catalog=catalog, policy=policy, prepared=prepared)
    found = plan(asked(Routing(strategy="longest")), view, Random(0))
    assert ids(found)[0] == "a/cheap"
    assert candidate(found, "a/cheap").score == 14
    assert candidate(found, "a/cheap").factors[0].note == "by length of name"
    assert found.reason.startswith("a/cheap is the first by length of name")


def _raising(_option: Option, _setting: Setting) -> float:
    raise ZeroDivisionError("prompt or key")


def _not_a_number(_option: Option, _setting: Setting) -> float:
    return nan


def _raising_weight(_policy: Policy) -> float:
    raise LookupError


def _raising_picker(_scores: Scores, _setting: Setting, _rng: Random) -> list[tuple[float, Option]]:
    raise RecursionError


def _forgetful(scores: Scores, _setting: Setting, _rng: Random) -> list[tuple[float, Option]]:
    return list(scores[1:])


def _repeating(scores: Scores, _setting: Setting, _rng: Random) -> list[tuple[float, Option]]:
    return [scores[0] for _ in scores]


def _constant(_option: Option, _setting: Setting) -> float:
    return 1.0


def _foreign(strategy: Strategy, policy: Policy, routing: Routing) -> Plan:
    """The plan where `strategy` is registered beside the built-in ones."""
    prepared = Prepared(Catalog(ALL), policy, MappingProxyType({**BUILT_IN, strategy.name: strategy}))
    return plan(asked(routing), View(catalog=prepared.catalog, policy=policy, prepared=prepared), Random(0))


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (Strategy(name="own", describes="", scorers=((_raising, 1.0),)), "raised ZeroDivisionError"),
        (Strategy(name="own", describes="", scorers=((_not_a_number, 1.0),)), "gave a score that is not a number"),
        (Strategy(name="own", describes="", scorers=((_constant, _raising_weight),)), "raised LookupError"),
        (Strategy(name="own", describes="", scorers=(), picker=_raising_picker), "raised RecursionError"),
        (Strategy(name="own", describes="", scorers=(), picker=_forgetful), "gave no order of the targets"),
        (Strategy(name="own", describes="", scorers=(), picker=_repeating), "gave no order of the targets"),
    ],
)
def test_points_decide_where_a_strategy_fails(broken: Strategy, what: str) -> None:
    policy = Policy(exploration=0)
    found = _foreign(broken, policy, Routing(strategy="own"))
    assert ids(found) == ids(decided(asked(), viewed(*ALL, policy=policy)))
    assert (found.strategy, found.failure and found.failure.what) == ("points", what)
    assert f"points decided, since the strategy 'own' {what};" in found.reason
    assert "prompt or key" not in found.reason


def test_a_failing_voter_is_named_where_the_vote_fails() -> None:
    broken = Strategy(name="own", describes="", scorers=((_raising, 1.0),))
    found = _foreign(broken, Policy(exploration=0, votes={"own": 1.0}), Routing(strategy="ensemble"))
    assert found.strategy == "points"
    assert found.failure is not None
    assert found.failure.strategy == "own"
    assert found.failure.place.startswith("test_strategies.py:")


def test_a_strategy_that_cannot_say_what_it_needs_is_asked_all_the_same() -> None:
    def needs(_policy: Policy) -> str:
        raise LookupError

    own = Strategy(name="own", describes="own rules", scorers=((_constant, 1.0),), needs=needs)
    found = _foreign(own, Policy(exploration=0), Routing(strategy="own"))
    assert (found.strategy, found.failure) == ("own", None)


def test_an_unknown_strategy_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidRequest, match=r"routing\.strategy: 'luck' is none; use one of balanced, cost_optimized"):
        decided(asked(Routing(strategy="luck")), viewed(*ALL))


@pytest.mark.parametrize(("strategy", "key"), [("weighted", "routing.shares"), ("priority", "routing.priorities")])
def test_a_strategy_with_nothing_to_go_by_is_refused_with_what_it_lacks(strategy: str, key: str) -> None:
    with pytest.raises(
        InvalidRequest, match=rf"routing\.strategy: '{strategy}' has nothing to go by: .* lacks {key}, for"
    ):
        decided(asked(Routing(strategy=strategy)), viewed(*ALL))
