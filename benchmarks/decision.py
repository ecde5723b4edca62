"""How long a decision takes at 5, 50, 500 and 5 000 targets: `python -m benchmarks.decision` prints microseconds.

"steady": nothing changes but requests and quotas; "health moved": one target's state changes before each decision;
"figures moved": the learnt figures of one target in a hundred do; "anew": everything that decisions share is worked out
again; "explained": with every candidate's factors or refusal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, product
from random import Random
from statistics import median

from router_service.core.budget import BudgetStanding
from router_service.core.catalog import Catalog, Model, Prices, Provider, Target
from router_service.core.chat import Generation, Message, Prompt, Role
from router_service.core.decision.policy import Policy
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.health import State
from router_service.core.plan import Standing, View, plan
from router_service.core.quota import QuotaStanding
from router_service.core.request import Request, Routing
from router_service.core.task import TaskType

SIZES = (5, 50, 500, 5000)
REPEATS, DECISIONS = 7, 400
TIERS = ("local", "fast_cloud", "premium", "gateway")
RULES = tuple(
    Rule(name=f"{task.value}", when=Conditions(tasks=frozenset({task})), prefer=("provider-1", "provider-2"))
    for task in (TaskType.RAG, TaskType.VISION, TaskType.WEB_SEARCH)
)


def main() -> None:
    names = ("targets", "steady", "health moved", "figures moved", "anew", "explained")
    print(" ".join(f"{name:>13}" for name in names) + f"   median of {REPEATS}, µs a decision")
    for size in SIZES:
        print(f"{size:>13} " + " ".join(f"{figure:>13.1f}" for figure in figures(size)))


def figures(size: int) -> tuple[float, ...]:
    """The figures of the module's docstring."""
    view, asked, rng = view_of(size, Random(size)), requests(Random(1)), Random(0)
    moved, learnt = moving(view), learning(view, Random(2))
    return (
        steady(size),
        measured(lambda request: plan(request, moved(), rng), asked, 100),
        measured(lambda request: plan(request, learnt(), rng), asked, 100),
        measured(
            lambda request: plan(request, replace(view, prepared=Prepared(view.catalog, view.policy)), rng), asked, 5
        ),
        measured(lambda request: plan(request, view, rng).candidates, asked[:5], 5),
    )


def steady(size: int) -> float:
    """The first of them alone, which takes a small part of the time of all."""
    view, rng = view_of(size, Random(size)), Random(0)
    used = using(view)
    return measured(lambda request: plan(request, next(used), rng), requests(Random(1)), DECISIONS)


def measured(act: Callable[[Request], object], asked: Sequence[Request], count: int) -> float:
    """The median over the repeats of the mean CPU time of one act, in microseconds, after a warm-up."""
    for request in asked:
        act(request)
    means = []
    for _ in range(REPEATS):
        turn = cycle(asked)
        started = time.process_time()
        for _ in range(count):
            act(next(turn))
        means.append((time.process_time() - started) / count * 1e6)
    return median(means)


def view_of(size: int, rng: Random) -> View:
    """A catalogue of many tiers, prices, tags and states, with quotas at every second provider and calls in flight."""
    providers = [_provider(n) for n in range(max(2, min(40, size // 5)))]
    catalog = Catalog(tuple(Target(providers[n % len(providers)], _model(n, rng)) for n in range(size)))
    policy = Policy(rules=RULES)
    quotas = {
        p.name: QuotaStanding(provider=p.name, remaining_share=rng.random(), is_free=True) for p in providers[::2]
    }
    return View(
        catalog=catalog,
        standings={t.id: Standing(state=State.HEALTHY) for t in catalog.targets},
        statistics={t.id: _statistics(rng) for t in catalog.targets},
        quotas=quotas,
        budget=BudgetStanding(left_usd_nanos=5_000_000_000),
        in_flight={t.id: 1 for t in catalog.targets[:20]},
        policy=policy,
        prepared=Prepared(catalog, policy),
    )


def using(view: View) -> Iterator[View]:
    """The same view with what is left of one quota moved each time, as every request moves it."""
    first = next(iter(view.quotas.values()))
    less = replace(first, remaining_share=0.9 * (first.remaining_share or 0.0))
    return cycle((view, replace(view, quotas={**view.quotas, first.provider: less})))


def moving(view: View) -> Callable[[], View]:
    """Views in each of which one target stands otherwise than in the last one."""
    states = cycle((State.HEALTHY, State.UNKNOWN))
    first = view.catalog.targets[0].id

    def moved() -> View:
        standings = {**view.standings, first: Standing(state=next(states))}
        return replace(view, standings=standings)

    return moved


def learning(view: View, rng: Random) -> Callable[[], View]:
    """Views in each of which one target in a hundred has other statistics than in the last one."""
    ids = [target.id for target in view.catalog.targets]
    latest = view

    def learnt() -> View:
        nonlocal latest
        fresh = {id: _statistics(rng) for id in rng.sample(ids, max(1, len(ids) // 100))}
        latest = replace(latest, statistics={**latest.statistics, **fresh})
        return latest

    return learnt


def requests(rng: Random) -> list[Request]:
    """Forty-eight requests of different tasks, lengths and limits, no two of them alike."""
    tasks = (None, TaskType.CHAT, TaskType.REASONING, TaskType.RAG)
    limits = (None, 256, 1024)
    return [_request(task, limit, rng) for task, limit, _ in product(tasks, limits, range(4))]


def _request(task: TaskType | None, limit: int | None, rng: Random) -> Request:
    text = "x" * round(4 * 10 ** rng.uniform(1, 4))
    messages = (Message(role=Role.USER, content=text),)
    return Request(
        request_id="req-1",
        prompt=Prompt(messages=messages, generation=Generation(max_output_tokens=limit)),
        routing=Routing(task_type=task),
        deadline=300.0,
        time_left_s=300.0,
    )


def _provider(number: int) -> Provider:
    tier = TIERS[number % len(TIERS)]
    return Provider(name=f"provider-{number}", dialect="openai", base_url="", tier=tier, max_concurrency=50)


def _model(number: int, rng: Random) -> Model:
    price = 10 ** rng.uniform(-1.5, 1.3)
    return Model(
        id=f"model-{number}",
        capabilities=frozenset(rng.sample(("tools", "vision", "json_schema", "reasoning"), 2)),
        context_tokens=rng.choice((32_000, 128_000, 1_000_000)),
        prices=Prices(input=price, output=4 * price),
        tasks={TaskType.CHAT: rng.random(), TaskType.REASONING: rng.random()},
    )


def _statistics(rng: Random) -> TargetStatistics:
    first_s = 10 ** rng.uniform(-0.8, 0.4)
    return TargetStatistics(
        success_rate_lower=rng.uniform(0.75, 0.99),
        has_fresh_evidence=rng.random() < 0.9,
        time_to_first_token_p50_s=first_s,
        time_to_first_token_p90_s=2 * first_s,
        seconds_per_token_p50=10 ** rng.uniform(-2.7, -1.5),
    )


if __name__ == "__main__":
    main()
