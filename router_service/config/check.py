"""Checks a configuration without running it: its mistakes, what of it is in vain, and the chains that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from math import inf
from pathlib import Path
from random import Random

from router_service.config.load import SIMULATOR_ADDRESS, load
from router_service.config.problem import ConfigError, Problem
from router_service.core.chat import Prompt
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.strategies import BUILT_IN, Strategy
from router_service.core.plan import View, plan
from router_service.core.request import Request, Routing
from router_service.core.settings import Settings
from router_service.core.task import BudgetTier, TaskType

TYPICAL_INPUT_TOKENS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The targets for a typical request of a task and a budget tier, None being no tier, in the order to try them.

    `rule` is the one that applies, empty where none does. `rejected` counts by reason the targets that may not serve.
    `failure` tells of the strategy in whose place points decided.
    """

    task: TaskType
    budget_tier: BudgetTier | None
    rule: str
    targets: tuple[str, ...]
    rejected: Mapping[str, int]
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found. With errors there are no settings, and so nothing else. `version` is the configuration's."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = field(default=())
    version: str = ""

    @property
    def is_good(self) -> bool:
        return not self.errors


def check(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    today: date,
    simulator_address: str = SIMULATOR_ADDRESS,
    shipped: bytes | None = None,
    strategies: Mapping[str, Strategy] = BUILT_IN,
) -> Checked:
    """Load the file at `path` as `load` does, and plan for each task and tier as if all targets were healthy.

    A typical request has a thousand tokens of input and no complexity; its chain may name targets of dialects that are
    planned with and not called yet.
    """
    try:
        settings = load(
            path,
            environ=environ,
            today=today,
            simulator_address=simulator_address,
            shipped=shipped,
            strategies=strategies,
        )
    except ConfigError as error:
        return Checked(errors=error.problems)
    chains = tuple(_chains(settings, strategies))
    failures = tuple(dict.fromkeys(chain.failure for chain in chains if chain.failure))
    return Checked(warnings=settings.warnings + failures, chains=chains, version=settings.catalog.version)


def _chains(settings: Settings, strategies: Mapping[str, Strategy]) -> Iterator[Chain]:
    # An experiment would put another target first now and then.
    policy = replace(settings.policy, exploration=0.0)
    prepared = Prepared(settings.catalog, policy, strategies)
    view = View(catalog=settings.catalog, policy=policy, prepared=prepared)
    for task in TaskType:
        for tier in (None, *BudgetTier):
            yield _chain(task, tier, view)


def _chain(task: TaskType, tier: BudgetTier | None, view: View) -> Chain:
    request = Request(
        request_id="check",
        prompt=Prompt(messages=()),
        routing=Routing(task_type=task, budget_tier=tier),
        deadline=inf,
        estimated_input_tokens=TYPICAL_INPUT_TOKENS,
    )
    made = plan(request, view, Random(0))
    return Chain(
        task=task,
        budget_tier=tier,
        rule=made.rule,
        targets=tuple(target.id for target in made.targets),
        rejected={reason.value: count for reason, count in made.rejected_counts.items()},
        failure="" if made.failure is None else f"{made.failure}; points decide in its place",
    )
