"""The scenario on strategies: each keeps the word that its name gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

from signalbox.v1.chat_pb2 import TASK_TYPE_ANALYSIS, TASK_TYPE_CHAT, TASK_TYPE_CODE_GENERATION, TaskType
from signalbox.v1.router_pb2 import Routing

from router_service.commands.demo.checks import Check, at_most, same
from router_service.commands.demo.scenario import none_failed, usd
from router_service.commands.demo.stage import Stage
from router_service.commands.demo.traffic import Ask, Heard, at_once

QUERIES = 100
KINDS = (
    ("chat", TASK_TYPE_CHAT, 40, 40),
    ("analysis", TASK_TYPE_ANALYSIS, 1500, 120),
    ("code", TASK_TYPE_CODE_GENERATION, 300, 400),
)
"""Names, tasks, and tokens of prompt and answer."""
STRATEGIES = ("cost_optimized", "latency_optimized", "quality_optimized", "round_robin", "balanced", "points")
AT_ONCE = 25
NOISE = 0.02
"""By so much, as a share, do two strategies differ that send everything to the same target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a hundred queries came to under one strategy."""

    heard: Sequence[Heard]
    cost_usd: float
    latency_s: float
    quality: float

    @property
    def spread(self) -> int:
        """How much the busiest target did beyond the idlest, of those that did anything."""
        counts = Counter(h.provider for h in self.heard).values()
        return max(counts) - min(counts)


async def strategies(stage: Stage, rng: Random) -> Sequence[Check]:
    """The same hundred queries of three kinds under each strategy, one strategy after the other."""
    kinds = [KINDS[n % len(KINDS)] for n in range(QUERIES)]
    rng.shuffle(kinds)
    outcomes = {name: await _run(stage, name, kinds) for name in STRATEGIES}
    targets = len({h.provider for h in outcomes["round_robin"].heard})
    return [
        _least(
            "mean cost in thousandths of a USD",
            {name: o.cost_usd * 10 for name, o in outcomes.items()},
            "cost_optimized",
        ),
        _least("mean latency in s", {name: o.latency_s for name, o in outcomes.items()}, "latency_optimized"),
        _most("mean quality", {name: o.quality for name, o in outcomes.items()}, "quality_optimized"),
        same("targets in turn under round_robin", 4, targets),
        at_most("difference between their shares", 1, outcomes["round_robin"].spread),
        none_failed(h for outcome in outcomes.values() for h in outcome.heard),
    ]


async def _run(stage: Stage, strategy: str, kinds: Sequence[tuple[str, TaskType.ValueType, int, int]]) -> Outcome:
    wanted = [
        Ask(
            request_id=f"{strategy}-{n:03}-{kind}",
            routing=Routing(task_type=task, strategy=strategy),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        for n, (kind, task, input_tokens, output_tokens) in enumerate(kinds)
    ]
    heard = await at_once(stage.client, wanted, most=AT_ONCE)
    rows = await stage.simulator.rows(of=f"{strategy}-")
    return Outcome(
        heard=heard,
        cost_usd=usd(heard),
        latency_s=fmean([row.latency_s for row in rows] or [0.0]),
        quality=fmean(h.quality for h in heard),
    )


def _least(what: str, values: Mapping[str, float], strategy: str) -> Check:
    """Under `strategy` it is the least of all."""
    best = min(values.values())
    return _told(f"least {what}", values, strategy, is_best=values[strategy] <= best * (1 + NOISE))


def _most(what: str, values: Mapping[str, float], strategy: str) -> Check:
    """Under `strategy` it is the most of all."""
    best = max(values.values())
    return _told(f"most {what}", values, strategy, is_best=values[strategy] >= best * (1 - NOISE))


def _told(what: str, values: Mapping[str, float], strategy: str, *, is_best: bool) -> Check:
    seen = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
    return Check(what=what, expected=strategy, seen=seen, ok=is_best)
