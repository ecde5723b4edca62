"""The decision's part of the file: strategy, weights, rules, and bounds on running a request."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from router_service.config.choices import BudgetTier, Environment, Factor, Strategy, Voter
from router_service.config.fields import (
    EnvironmentPoints,
    FactorWeight,
    Mebibytes,
    Name,
    Seconds,
    Section,
    Selector,
    Share,
    Weight,
)
from router_service.config.rule_entry import RuleEntry
from router_service.core import task
from router_service.core.decision import policy as core
from router_service.core.settings import RoutingSettings

# The defaults stand once, in core.
_ROUTING, _POLICY = RoutingSettings(), core.Policy()
_PRODUCTION = _POLICY.environment_points[task.Environment.PRODUCTION]
_DEVELOPMENT = _POLICY.environment_points[task.Environment.DEVELOPMENT]

SPARE_TARGETS = 2
"""A plan holds so many more targets than a request makes attempts, since an attempt may find its room taken."""


class BalanceEntry(Section):
    """What `balanced` weighs against each other."""

    cost: FactorWeight = Field(default=_POLICY.balance[0], description="The weight of what it costs.", examples=[1])
    latency: FactorWeight = Field(default=_POLICY.balance[1], description="The weight of its time.", examples=[1])
    quality: FactorWeight = Field(default=_POLICY.balance[2], description="The weight of its quality.", examples=[1])


class ProductionPoints(Section):
    """What a target earns in production for where it runs."""

    hosted: EnvironmentPoints = Field(default=_PRODUCTION.hosted, description="Elsewhere.", examples=[10])
    local: EnvironmentPoints = Field(default=_PRODUCTION.local, description="At the operator's.", examples=[0])


class DevelopmentPoints(Section):
    """What a target earns in development for where it runs."""

    hosted: EnvironmentPoints = Field(default=_DEVELOPMENT.hosted, description="Elsewhere.", examples=[0])
    local: EnvironmentPoints = Field(default=_DEVELOPMENT.local, description="At the operator's.", examples=[20])


class EnvironmentPointsEntry(Section):
    """The points of the factor `environment`, by environment."""

    production: ProductionPoints = Field(
        default=ProductionPoints(), description="In production.", examples=[{"hosted": 10, "local": 0}]
    )
    development: DevelopmentPoints = Field(
        default=DevelopmentPoints(), description="In development.", examples=[{"hosted": 0, "local": 20}]
    )


class RoutingSection(Section):
    """How a target is picked, and bounds on running a request there."""

    strategy: Strategy = Field(
        default="points", description="How targets are ordered where the caller names no strategy.", examples=["points"]
    )
    weights: dict[Factor, FactorWeight] = Field(
        default={}, description="What the points of each factor are multiplied by; 1 otherwise.", examples=[{"cost": 2}]
    )
    rules: Annotated[list[RuleEntry], Field(max_length=1_000)] = Field(
        default=[],
        description="Preferences that come before the strategy.",
        examples=[[{"when": {"task": "rag"}, "prefer": ["cohere"]}]],
    )
    exploration: Share = Field(
        default=_POLICY.exploration,
        description="The share of requests that try what was not measured lately.",
        examples=[0.01],
    )
    environment: Environment | None = Field(
        default=None,
        description="Where callers are that do not say so; else $SIGNALBOX_ENV, else production.",
        examples=["development"],
    )
    region: Name | None = Field(
        default=None, description="Where requests must be computed that do not say so.", examples=["eu"]
    )
    budget_tier: BudgetTier | None = Field(
        default=None, description="What requests may cost that do not say so.", examples=["medium"]
    )
    prefer_self_hosted_only: bool = Field(
        default=_POLICY.only_self_hosted, description="Whether only what the operator runs may serve anything."
    )
    unsupported_fields: Literal["drop", "refuse"] = Field(
        default="drop",
        description="What becomes of settings that a target cannot take: they are left out of what it is sent, and "
        "named with the attempt, or the target is passed over. A `max_output_tokens` above the model's `max_output` is "
        "lowered to that, or the target passed over.",
        examples=["refuse"],
    )
    task_confidence: Share = Field(
        default=_POLICY.task_confidence, description="From which confidence an inferred task counts.", examples=[0.5]
    )
    complexity_confidence: Share = Field(
        default=_POLICY.complexity_confidence,
        description="From which confidence an inferred complexity counts.",
        examples=[0.6],
    )
    deadline_floor: Share = Field(
        default=_POLICY.deadline_floor,
        description="The least chance, by measured times, of finishing before the caller's deadline.",
        examples=[0.1],
    )
    quality_floor: Share = Field(
        default=_POLICY.quality_floor,
        description="The quality that `cost_optimized` asks for before the price counts.",
        examples=[0.5],
    )
    chain_length: Annotated[int, Field(ge=3, le=64)] | None = Field(
        default=None,
        description=f"The most targets in a plan; else {_POLICY.chain_length}, or two more than `max_attempts`.",
        examples=[6],
    )
    balance: BalanceEntry = Field(
        default=BalanceEntry(), description="The weights of `balanced`.", examples=[{"cost": 2}]
    )
    shares: dict[Selector, Weight] = Field(
        default={},
        description="The shares of `weighted`, by provider or target; what has none comes last.",
        examples=[{"groq": 3, "together": 1}],
    )
    priorities: list[Selector] = Field(
        default=[], description="The order of `priority`, as selectors.", examples=[["tier:local", "groq"]]
    )
    votes: dict[Voter, Weight] = Field(
        default=dict(_POLICY.votes),
        description="The votes of `ensemble`, by strategy.",
        examples=[{"cost_optimized": 2, "quality_optimized": 1}],
    )
    environment_points: EnvironmentPointsEntry = Field(
        default=EnvironmentPointsEntry(),
        description="What a target earns for where it runs.",
        examples=[{"development": {"hosted": 0, "local": 20}}],
    )
    auto_upgrade: bool = Field(
        default=False, description="Whether a model's replacement takes its place on the day that it retires."
    )
    max_attempts: Annotated[int, Field(ge=1, le=16)] = Field(
        default=_ROUTING.max_attempts, description="Upstream calls that one request may make.", examples=[4]
    )
    max_output_mib: Mebibytes = Field(
        default=_ROUTING.max_output_mib, description="The largest answer that is read from a provider.", examples=[16]
    )
    queue_length: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=_ROUTING.queue_length,
        description="How many requests may wait for each target that has `max_concurrency` calls under way.",
        examples=[100],
    )
    queue_wait_s: Seconds = Field(
        default=_ROUTING.queue_wait_s,
        description="How long a request waits while every target that may serve it is full.",
        examples=[1],
    )
    content_filter_failover: bool = Field(
        default=_ROUTING.content_filter_failover,
        description="Whether the next target is asked after a provider's content filter said no.",
    )

    def settings(self) -> RoutingSettings:
        """The bounds on running a request that the section stands for."""
        return RoutingSettings(
            max_attempts=self.max_attempts,
            max_output_mib=self.max_output_mib,
            queue_length=self.queue_length,
            queue_wait_s=self.queue_wait_s,
            content_filter_failover=self.content_filter_failover,
        )

    def policy(self, environment: task.Environment) -> core.Policy:
        """The policy that the section stands for; `environment` is for requests that name none."""
        return core.Policy(
            strategy=self.strategy,
            weights=dict[str, float](self.weights.items()),
            rules=tuple(entry.rule(number) for number, entry in enumerate(self.rules, start=1)),
            exploration=self.exploration,
            environment=environment,
            region=self.region or "",
            budget_tier=None if self.budget_tier is None else task.BudgetTier(self.budget_tier),
            environment_points=MappingProxyType(self._environment_points()),
            task_confidence=self.task_confidence,
            complexity_confidence=self.complexity_confidence,
            deadline_floor=self.deadline_floor,
            only_self_hosted=self.prefer_self_hosted_only,
            chain_length=self.chain_length or max(_POLICY.chain_length, self.max_attempts + SPARE_TARGETS),
            quality_floor=self.quality_floor,
            balance=(self.balance.cost, self.balance.latency, self.balance.quality),
            shares=self.shares,
            priorities=tuple(self.priorities),
            votes=self.votes,
            refuses_unsupported=self.unsupported_fields == "refuse",
        )

    def _environment_points(self) -> dict[task.Environment, core.EnvironmentPoints]:
        production, development = self.environment_points.production, self.environment_points.development
        return {
            task.Environment.PRODUCTION: core.EnvironmentPoints(hosted=production.hosted, local=production.local),
            task.Environment.DEVELOPMENT: core.EnvironmentPoints(hosted=development.hosted, local=development.local),
        }
