"""Catalogues, views and requests by the thousand: made of a seed by plain code, which is a hundred times faster than
drawing each value, so that a property can be held against a thousand of them in a second or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from router_service.core.budget import BudgetRules, BudgetStanding, ProviderBudget
from router_service.core.catalog import Kind, LongContextPrices, Model, Prices, Provider, Speed, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.decision.statistics import ObservedQuality, TargetStatistics
from router_service.core.decision.strategies import BUILT_IN
from router_service.core.decision.turns import Turns
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.plan import Standing, View
from router_service.core.quota import Overflow, QuotaRules, QuotaStanding, Unit, WindowReading
from router_service.core.quota import standing as stand
from router_service.core.request import Request, Routing
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.core.windows import Per
from tests.core.decision.making import asked, spent, viewed

Value = TypeVar("Value")
NAMES = "abcdefgh"
TASKS = (TaskType.CHAT, TaskType.REASONING, TaskType.EMBEDDING)
SELECTORS = ("a", "b", "c", "tier:local", "free", "*/1*", "open_weights")
FACTORS = ("cost", "quota", "health", "latency", "task_match", "environment", "capabilities")


@dataclass(frozen=True, slots=True)
class World:
    request: Request
    view: View


def world(seed: int, targets: int) -> World:
    """The same for the same seed; `targets` bounds how many there are."""
    rng = Random(seed)
    made = tuple(provided(rng, targets))
    return World(request(rng), view(rng, made))


def open_world(seed: int, targets: int) -> World:
    """One in which hardly anything keeps a target away, so that many compete."""
    rng, crowded = Random(seed), world(seed, targets)
    routing = Routing(
        task_type=rng.choice((None, TaskType.CHAT)),
        speed_critical=rng.random() < 0.3,
        weights=crowded.request.routing.weights,
    )
    catalog = tuple(
        Target(replace(t.provider, key_env=()), replace(t.model, kind=Kind.CHAT, context_tokens=0))
        for t in crowded.view.catalog.targets
    )
    prefer = tuple(rng.sample(SELECTORS, rng.randint(0, 2)))
    rules = (Rule(name="first", when=Conditions(), prefer=prefer),)
    opened = viewed(
        *catalog,
        policy=replace(crowded.view.policy, exploration=0.0, rules=rules),
        standings={id: replace(s, block_reason=None) for id, s in crowded.view.standings.items()},
        statistics=crowded.view.statistics,
        quotas=crowded.view.quotas,
    )
    asking = asked(routing, tokens=rng.choice((90, 700, 1100)), output=rng.choice((None, 200)))
    return World(asking, opened)


def provided(rng: Random, count: int) -> list[Target]:
    providers = [provider(rng, name) for name in NAMES[: rng.randint(1, len(NAMES))]]
    return [Target(rng.choice(providers), model(rng, number)) for number in range(count)]


def provider(rng: Random, name: str) -> Provider:
    return Provider(
        name=name,
        dialect="openai",
        base_url="",
        key_env=("KEY",) if rng.random() < 0.1 else (),
        tier=rng.choice(("local", "fast_cloud", "premium", "gateway")),
        region=rng.choice(("", "eu", "eu-west", "us")),
        compliance=some(rng, ("gdpr", "soc2")),
        pacing=rng.random() < 0.5,
        max_concurrency=rng.choice((None, 1, 3)),
        sla=rng.choice((None, 99.9)),
        open_weights=rng.random() < 0.5,
    )


def model(rng: Random, number: int) -> Model:
    price = rng.choice((None, 0.0, 0.01, 0.15, 1.0, 4.0, 75.0, rng.uniform(0.01, 50)))
    long = LongContextPrices(from_input_tokens=1000, input=2.0, output=rng.choice((None, 9.0)))
    return Model(
        id=str(number),
        capabilities=some(rng, ("tools", "vision", "reasoning")),
        context_tokens=rng.choice((0, 500, 4000, 100_000)),
        max_output_tokens=rng.choice((None, 100, 5000)),
        prices=Prices(
            input=price,
            output=None if price is None else rng.choice((0.1, 4)) * price,
            long_context=rng.choice((None, None, long)),
        ),
        kind=Kind.EMBEDDING if rng.random() < 0.2 else Kind.CHAT,
        roles=some(rng, ("complex", "default")),
        tasks={task: rng.choice((0.5, rng.random())) for task in some(rng, TASKS)},
        default_quality=rng.choice((None, rng.random())),
        speed=Speed(
            time_to_first_token_s=rng.choice((None, rng.uniform(0.05, 10))),
            tokens_per_second=rng.choice((None, rng.uniform(10, 1000))),
        ),
    )


def view(rng: Random, targets: tuple[Target, ...]) -> View:
    ids = [target.id for target in targets]
    windows = [*some(rng, NAMES, 0.3), *some(rng, ids, 0.1)]
    return viewed(
        *targets,
        policy=policy(rng),
        standings={id: standing(rng) for id in ids},
        statistics={id: statistics(rng) for id in sorted(some(rng, ids, 0.7))},
        quotas={name: quota(rng, name.partition("/")[0]) for name in sorted(windows)},
        budget=budget(rng),
        in_flight={id: rng.randint(0, 4) for id in sorted(some(rng, ids, 0.3))},
        turns=Turns(rng.randint(0, 10)),
    )


def moved(before: View, rng: Random) -> View:
    """The same view with a few targets in other health or with other statistics."""
    ids = [target.id for target in before.catalog.targets]
    return replace(
        before,
        standings={**before.standings, **{id: standing(rng) for id in sorted(some(rng, ids, 0.1))}},
        statistics={**before.statistics, **{id: statistics(rng) for id in sorted(some(rng, ids, 0.1))}},
    )


def standing(rng: Random) -> Standing:
    return Standing(
        state=rng.choice((*State, State.HEALTHY, State.HEALTHY)),
        traffic_share=rng.choice((0.0, 0.3, 1.0, 1.0, 1.0, 1.0)),
        block_reason=rng.choice(tuple(BlockReason)) if rng.random() < 0.1 else None,
    )


def statistics(rng: Random) -> TargetStatistics:
    return TargetStatistics(
        success_rate_lower=rng.choice((0.3, 0.9, rng.random())),
        consecutive_failures=rng.choice((0, 0, 1, 4)),
        has_fresh_evidence=rng.random() < 0.7,
        time_to_first_token_p50_s=rng.choice((None, rng.uniform(0.05, 5))),
        seconds_per_token_p50=rng.choice((None, rng.uniform(0.001, 0.1))),
        peak_time_to_first_token_s=rng.choice((0.0, 0.0, 8.0)),
        input_token_scale=rng.choice((0.8, 1.0, 1.25)),
        output_tokens={task: rng.uniform(1, 2000) for task in sorted(some(rng, TASKS), key=str)},
        quality={task: ObservedQuality(rng.random(), rng.uniform(0, 50)) for task in sorted(some(rng, TASKS), key=str)},
    )


def quota(rng: Random, provider: str) -> QuotaStanding:
    rules = QuotaRules(provider=provider, overflow=rng.choice((*Overflow,)))
    return stand(rules, "", [window(rng, is_free=n == 0) for n in range(rng.randint(0, 3))])


def window(rng: Random, *, is_free: bool) -> WindowReading:
    unit = rng.choice((Unit.REQUESTS, *Unit))
    limit = rng.choice((10, 1500, 6000, 10**6, 10**9))
    return WindowReading(
        unit=unit,
        per=Per.DAY,
        limit=limit,
        used=rng.choice((0, rng.randint(0, limit), limit - 1, limit)),
        left_share=rng.random(),
        resets_in_s=rng.choice((None, 30.0)),
        is_free=is_free,
    )


def budget(rng: Random) -> BudgetStanding:
    def bound() -> int | None:
        return rng.choice((None, None, 0, 1_000_000, 10**8, 10**10))

    rules = BudgetRules(
        daily_usd_nanos=bound(),
        monthly_usd_nanos=bound(),
        providers={
            name: ProviderBudget(daily_usd_nanos=bound(), request_usd_nanos=rng.choice((None, 0, 100_000, 10**9)))
            for name in sorted(some(rng, NAMES, 0.2))
        },
        is_hard=rng.random() < 0.5,
        free_only=rng.random() < 0.1,
    )
    return spent(rules, {name: rng.choice((0.0, 0.0, 0.0009, 0.09, 9.0)) for name in ("day", "month", *NAMES)})


def policy(rng: Random) -> Policy:
    return Policy(
        rules=tuple(rule(rng, name) for name in ("one", "two")[: rng.randint(0, 2)]),
        exploration=rng.choice((0.0, 0.0, 0.5)),
        deadline_floor=rng.choice((0.05, 0.5, 0.9)),
        excludes_unhealthy=rng.random() < 0.5,
        chain_length=rng.choice((1, 3, 6, 50)),
        weights={name: rng.uniform(0, 10) for name in sorted(some(rng, FACTORS, 0.2))},
        shares={name: rng.uniform(0, 5) for name in NAMES},
        priorities=tuple(rng.sample(SELECTORS, rng.randint(1, 3))),
    )


def rule(rng: Random, name: str) -> Rule:
    conditions = Conditions(
        tasks=some(rng, TASKS, 0.2),
        over_input_tokens=rng.choice((None, 100, 2000)),
        is_speed_critical=rng.choice((None, None, False, True)),
    )
    only = rng.choice(((), (), ("a", "b", "c", "tier:local", "free")))
    return Rule(name=name, when=conditions, only=only, prefer=tuple(rng.sample(SELECTORS, rng.randint(0, 3))))


def request(rng: Random) -> Request:
    routing = Routing(
        task_type=rng.choice((None, *TASKS[:2], *TASKS)),
        complexity=rng.choice((None, *Complexity)),
        strategy=rng.choice(("", "", "", rng.choice(sorted(BUILT_IN)))),
        budget_tier=rng.choice((None, None, None, *BudgetTier)),
        region=rng.choice(("", "", "", "eu")),
        environment=rng.choice((None, *Environment)),
        speed_critical=rng.random() < 0.3,
        denied_providers=some(rng, NAMES, 0.1),
        requires_compliance=rng.random() < 0.1,
        requires_sla=rng.random() < 0.1,
        prefer_self_hosted=rng.random() < 0.2,
        max_cost_usd_nanos=rng.choice((None, None, None, 0, 300_000, 10**9)),
        max_latency_s=rng.choice((None, None, None, 1.0, 8.0)),
        min_quality=rng.choice((None, None, None, 0.5)),
        preferred_capabilities=some(rng, ("tools", "vision")),
        weights={name: rng.uniform(0, 10) for name in sorted(some(rng, FACTORS, 0.1))},
        disable_fallback=rng.random() < 0.1,
    )
    return asked(
        routing,
        tokens=rng.choice((0, 1, 90, 500, 799, 800, 999, 1000, 1300, 5000, 90_000)),
        output=rng.choice((None, None, 1, 200, 10_000)),
        time_left_s=rng.choice((None, None, None, 0.5, 3.0, 60.0)),
    )


def some(rng: Random, values: Sequence[Value], share: float = 0.5) -> frozenset[Value]:
    return frozenset(value for value in values if rng.random() < share)
