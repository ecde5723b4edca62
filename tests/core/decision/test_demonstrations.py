"""The demonstrations' decisions, without their processes: one rule for development, all else by points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from router_service.core.catalog import Provider, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.turns import Turns
from router_service.core.health import State
from router_service.core.plan import Standing, View, plan
from router_service.core.quota import QuotaStanding
from router_service.core.request import Routing
from router_service.core.task import Environment, TaskType
from tests.core.decision.making import asked, decided, ids, made, speed, viewed

LATENCIES_S = {"openrouter": 2.0, "groq": 0.5, "cloudflare": 1.0, "nvidia": 1.5, "mistral": 1.8, "local": 5.0}
CASCADE = ["openrouter/m", "groq/m", "cloudflare/m", "nvidia/m", "mistral/m", "local/m"]
POLICY = Policy(
    exploration=0.0,
    rules=(
        Rule(
            name="development",
            when=Conditions(environments=frozenset({Environment.DEVELOPMENT})),
            prefer=("tier:local",),
        ),
    ),
)
REASONING, CHAT = Routing(task_type=TaskType.REASONING), Routing(task_type=TaskType.CHAT)
FREE = {name: QuotaStanding(provider=name, remaining_share=1.0, is_free=True) for name in LATENCIES_S}


def target(name: str) -> Target:
    is_reasoner = name == "openrouter"
    return made(
        f"{name}/m",
        tier="local" if name == "local" else "fast_cloud",
        tasks={TaskType.CHAT: 0.7, **({TaskType.REASONING: 1.0} if is_reasoner else {})},
        capabilities="reasoning" if is_reasoner else "",
        paced=speed(LATENCIES_S[name], 1e9),
        provider=Provider(name=name, dialect="openai", base_url="", max_concurrency=2),
    )


TARGETS = tuple(target(name) for name in LATENCIES_S)


def staged(*, quotas: Mapping[str, QuotaStanding] = FREE, **others: object) -> View:
    return replace(viewed(*TARGETS, policy=POLICY, quotas=quotas), **others)  # type: ignore[arg-type]


def test_normal() -> None:
    assert ids(decided(asked(REASONING), staged()))[0] == "openrouter/m"
    assert ids(decided(asked(replace(CHAT, speed_critical=True)), staged()))[0] == "groq/m"
    saturated = staged(in_flight={"groq/m": 2})
    assert ids(decided(asked(CHAT), saturated))[0] == "cloudflare/m"


@pytest.mark.parametrize("by", ["quota", "health"])
def test_cascade_as_each_provider_is_exhausted_or_broken_in_turn(by: str) -> None:
    assert ids(decided(asked(REASONING), staged())) == CASCADE
    quotas, standings = dict(FREE), dict[str, Standing]()
    for done, following in enumerate(CASCADE[1:], start=1):
        name = CASCADE[done - 1].partition("/")[0]
        if by == "quota":
            quotas[name] = QuotaStanding(provider=name, remaining_share=0.0, has_room=False)
        else:
            standings[CASCADE[done - 1]] = Standing(state=State.UNHEALTHY, traffic_share=0.0)
        assert ids(decided(asked(REASONING), staged(quotas=dict(quotas), standings=dict(standings))))[0] == following


def test_a_free_window_is_used_up_before_the_next_one_starts() -> None:
    for left in range(200, 10, -1):
        quotas = {**FREE, "openrouter": QuotaStanding(provider="openrouter", remaining_share=left / 200, is_free=True)}
        assert ids(decided(asked(REASONING), staged(quotas=quotas)))[0] == "openrouter/m"
    last = {**FREE, "openrouter": QuotaStanding(provider="openrouter", remaining_share=1 / 200, is_free=True)}
    assert ids(decided(asked(REASONING), staged(quotas=last)))[0] == "openrouter/m", "to the last request"


def test_development_stays_local() -> None:
    for routing in (REASONING, CHAT, Routing()):
        found = decided(asked(replace(routing, environment=Environment.DEVELOPMENT)), staged())
        assert (ids(found)[0], found.rule) == ("local/m", "development")


def test_costs_nothing_while_the_windows_last() -> None:
    found = decided(asked(CHAT, tokens=500, output=300), staged())
    assert found.estimate is not None
    assert found.estimate.cost_usd_nanos == 0


def test_an_outage_takes_the_first_attempts_away_and_recovery_brings_them_back() -> None:
    def first_attempts(standing: Standing, statistics: TargetStatistics, seed: int) -> float:
        view = staged(standings={"groq/m": standing}, statistics={"groq/m": statistics})
        rng = Random(seed)
        first = Counter(plan(asked(CHAT), view, rng).targets[0].id for _ in range(500))
        return first["groq/m"] / 500

    well = TargetStatistics(success_rate_lower=0.95, has_fresh_evidence=True)
    ill = TargetStatistics(success_rate_lower=0.4, consecutive_failures=2, has_fresh_evidence=True)
    assert first_attempts(Standing(state=State.HEALTHY), well, 1) == 1.0
    assert first_attempts(Standing(state=State.DEGRADED, traffic_share=0.1), ill, 2) < 0.1
    assert first_attempts(Standing(state=State.RECOVERING, traffic_share=0.25), well, 3) == pytest.approx(
        0.25, abs=0.06
    )


def test_strategies_over_the_same_targets() -> None:
    view = staged()
    assert ids(decided(asked(Routing(strategy="latency_optimized")), view))[0] == "groq/m"
    turns = Counter(
        ids(decided(asked(Routing(strategy="round_robin")), replace(view, turns=Turns(turn))))[0] for turn in range(100)
    )
    assert max(turns.values()) - min(turns.values()) <= 1
