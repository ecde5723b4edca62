"""Health and the order: last resorts, shares of the traffic, experiments, and the chain across providers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.plan import Standing
from router_service.core.quota import QuotaStanding
from router_service.core.request import Routing
from router_service.core.task import Environment
from tests.core.decision.making import FRESH, STILL, asked, candidate, decided, ids, made, viewed

DOWN = Standing(state=State.UNHEALTHY, traffic_share=0.0)
A, B, C = made("a/x", price=0.1), made("b/y", price=1), made("c/z", price=10)
PREFER_A = Policy(exploration=0, rules=(Rule(name="r", when=Conditions(), prefer=("a", "b")),))


def test_an_unhealthy_target_falls_behind_the_last_rank() -> None:
    found = decided(asked(), viewed(A, B, C, standings={"a/x": DOWN}, policy=PREFER_A))
    assert ids(found) == ["b/y", "c/z", "a/x"]
    assert found.rejected == {}


@pytest.mark.parametrize("state", [State.DEGRADED, State.RECOVERING])
@pytest.mark.parametrize("share", [0.05, 0.25])
def test_a_target_with_a_share_keeps_its_rank_so_often_and_else_stands_behind_the_fit(
    state: State, share: float
) -> None:
    view = viewed(A, B, C, standings={"a/x": Standing(state=state, traffic_share=share), "c/z": DOWN}, policy=PREFER_A)
    orders = Counter(tuple(ids(decided(asked(), view, seed))) for seed in range(1000))
    assert set(orders) == {("a/x", "b/y", "c/z"), ("b/y", "a/x", "c/z")}
    assert orders["a/x", "b/y", "c/z"] == pytest.approx(1000 * share, abs=45)


def test_what_stands_behind_keeps_its_points() -> None:
    view = viewed(A, B, standings={"a/x": Standing(state=State.DEGRADED, traffic_share=0.0)})
    found = decided(asked(), view)
    assert ids(found) == ["b/y", "a/x"]
    assert candidate(found, "a/x").score > candidate(found, "b/y").score
    assert candidate(found, "a/x").preference_class > candidate(found, "b/y").preference_class


def test_unknown_keeps_its_rank_with_the_points_of_the_prior() -> None:
    view = viewed(A, B, statistics={"b/y": FRESH}, standings={"a/x": Standing(state=State.UNKNOWN)})
    assert ids(decided(asked(), view)) == ["a/x", "b/y"]


def test_blocks_keep_everybody_of_a_provider_away() -> None:
    blocked = Standing(block_reason=BlockReason.MONEY, blocked_for_s=60)
    view = viewed(A, made("a/x2"), B, standings={"a/x": blocked, "a/x2": blocked})
    assert ids(decided(asked(), view)) == ["b/y"]


def test_the_chain_goes_across_providers_and_has_a_length() -> None:
    targets = [made(f"{p}/{n}", price=n / 10 + 1) for p in "abc" for n in range(4)]
    found = decided(asked(), viewed(*targets))
    assert [id[0] for id in ids(found)[:3]] != sorted(id[0] for id in ids(found)[:3]) or len(set(ids(found)[:3])) == 3
    assert {id[0] for id in ids(found)[:3]} == {"a", "b", "c"}
    assert [id[-1] for id in ids(found)] == ["0", "0", "0", "1", "1", "1"]
    assert len(ids(found)) == STILL.chain_length
    assert len(found.candidates) == 12
    assert [c.target.id for c in found.candidates][:6] == ids(found)
    longer = decided(asked(), viewed(*targets, policy=replace(STILL, chain_length=50)))
    assert len(longer.targets) == 12


def test_without_fallback_the_chain_is_one_target() -> None:
    assert ids(decided(asked(Routing(disable_fallback=True)), viewed(A, B, C))) == ["a/x"]


def test_a_last_resort_never_precedes_a_fit_one_of_the_same_provider() -> None:
    again = made("a/x2", price=9)
    view = viewed(A, again, B, standings={"a/x": DOWN, "b/y": DOWN})
    assert ids(decided(asked(), view)) == ["a/x2", "a/x", "b/y"]


EXPLORING = Policy(exploration=0.2)


def firsts(
    routing: Routing, policy: Policy = EXPLORING, statistics: dict[str, TargetStatistics] | None = None
) -> Counter[str]:
    view = viewed(A, B, C, statistics=statistics or {"a/x": FRESH}, policy=policy)
    return Counter(ids(decided(asked(routing), view, seed))[0] for seed in range(1000))


def test_exploration_tries_what_nothing_fresh_is_known_of() -> None:
    seen = firsts(Routing())
    assert seen["a/x"] == pytest.approx(800, abs=40)
    assert seen["b/y"] == pytest.approx(100, abs=30)
    view = viewed(A, B, C, statistics={"a/x": FRESH}, policy=replace(EXPLORING, exploration=1.0))
    found = decided(asked(), view)
    assert set(ids(found)) == {"a/x", "b/y", "c/z"}, "whoever was first comes next"
    assert "drawn to be tried" in found.reason


@pytest.mark.parametrize(
    ("routing", "policy"),
    [
        (Routing(speed_critical=True), EXPLORING),
        (Routing(environment=Environment.DEVELOPMENT), EXPLORING),
        (Routing(strategy="points"), EXPLORING),
        (Routing(), replace(EXPLORING, exploration=0.0)),
        (Routing(), replace(EXPLORING, rules=PREFER_A.rules)),
    ],
)
def test_exploration_leaves_alone_who_does_not_allow_it(routing: Routing, policy: Policy) -> None:
    assert set(firsts(routing, policy)) == {"a/x"}


def test_exploration_needs_somebody_unknown_and_eligible() -> None:
    assert set(firsts(Routing(), statistics=dict.fromkeys(("a/x", "b/y", "c/z"), FRESH))) == {"a/x"}
    assert set(firsts(Routing(allowed_providers=frozenset({"a"})))) == {"a/x"}


def test_an_early_end_of_the_scan_misses_nobody() -> None:
    """A hundred targets of which the best are shut by the moment, so that the scan has to go on to the worst."""
    targets = [made(f"p{n % 10}/m{n}", price=0.05 * (n + 1)) for n in range(100)]
    quotas = {f"p{n}": QuotaStanding(provider=f"p{n}", has_room=n >= 8) for n in range(10)}
    found = decided(asked(), viewed(*targets, quotas=quotas))
    assert ids(found) == ["p8/m8", "p9/m9", "p8/m18", "p9/m19", "p8/m28", "p9/m29"]


@pytest.mark.parametrize("price", [(0.01, 5.0), (5.0, 0.01), (1.0, 1.0), (0.0, 3.0), (60.0, 90.0)])
@pytest.mark.parametrize("output", [None, 1, 4000])
def test_no_request_of_an_octave_reaches_more_points_than_its_ranking_says(
    price: tuple[float, float], output: int | None
) -> None:
    view = viewed(made("a/x", price=price))
    for tokens in (256, 257, 300, 400, 511):
        found = decided(asked(tokens=tokens, output=output), view)
        ((negated, _, _),) = found.decision.ranking.fit[0]
        most = -negated
        assert candidate(found, "a/x").score <= most
        assert candidate(found, "a/x").score > most - 3, "an octave moves the price of the mix by little"
