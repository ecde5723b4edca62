"""The decision's part of the file: strategy, rules, and bounds on running a request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from router_service.config.entries import Task
from router_service.config.fields import Mebibytes, ModelId, Name, Section, Share, Text, Unbuilt, Weight
from router_service.core.settings import RoutingSettings

# The defaults stand once, in core.
_ROUTING = RoutingSettings()

Strategy = Literal[
    "points",
    "cost_optimized",
    "latency_optimized",
    "quality_optimized",
    "balanced",
    "round_robin",
    "least_loaded",
    "weighted",
    "priority",
    "ensemble",
]


class Conditions(Section):
    """What a request must be for a rule to apply; all that is given must hold."""

    task: Task | None = Field(default=None, description="Its task.", examples=["rag"])
    complexity: Literal["simple", "medium", "complex"] | None = Field(default=None, description="Its complexity.")
    input_tokens_over: Annotated[int, Field(ge=0, le=100_000_000)] | None = Field(
        default=None, description="Its prompt has more tokens than this.", examples=[32000]
    )
    budget_tier: Literal["free", "low", "medium", "high", "unlimited"] | None = Field(
        default=None, description="What it may cost."
    )
    over_budget: bool | None = Field(default=None, description="Whether the day's budget is spent.")
    region: Name | None = Field(default=None, description="Where it must be computed.", examples=["eu"])
    environment: Literal["development", "production"] | None = Field(
        default=None, description="The environment that it comes from."
    )
    tenant: Name | None = Field(default=None, description="Who asks.", examples=["web"])
    labels: dict[Text, Text] = Field(default={}, description="Labels that it carries.")


class RuleEntry(Section):
    """A preference for some requests; the first rule that applies counts."""

    when: Conditions = Field(default=Conditions(), description="What a request must be.", examples=[{"task": "rag"}])
    only: Annotated[list[ModelId], Unbuilt.REFUSED] = Field(
        default=[], description="Targets, providers or tiers that alone may serve it.", examples=[["tier:local"]]
    )
    prefer: list[ModelId] = Field(
        default=[], description="Targets, providers or tiers to try first.", examples=[["cohere", "anthropic"]]
    )


class RoutingSection(Section):
    """How a target is picked, and bounds on running a request there."""

    max_attempts: Annotated[int, Field(ge=1, le=16)] = Field(
        default=_ROUTING.max_attempts, description="Upstream calls that one request may make.", examples=[4]
    )
    max_output_mib: Mebibytes = Field(
        default=_ROUTING.max_output_mib, description="The largest answer that is read from a provider.", examples=[16]
    )
    strategy: Annotated[Strategy | None, Unbuilt.WARNED] = Field(default=None, description="How targets are ordered.")
    weights: dict[Name, Weight] = Field(default={}, description="What the strategy weighs.")
    rules: Annotated[list[RuleEntry], Unbuilt.WARNED] = Field(
        default=[], description="Preferences that come before the strategy."
    )
    exploration: Annotated[Share, Unbuilt.WARNED] = Field(
        default=0.0, description="The share of requests that try what was not measured lately.", examples=[0.01]
    )
