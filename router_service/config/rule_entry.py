"""A rule as it stands in the file: conditions on a request, and the targets that it keeps or puts first."""

from __future__ import annotations

from pydantic import Field

from router_service.config.choices import BudgetTiers, Complexities, Environments, Names, Tasks
from router_service.config.fields import Section, Selector, Text, TokenMark
from router_service.core import task
from router_service.core.decision import rules


class ConditionsEntry(Section):
    """What a request must be for a rule to apply; all that is given must hold."""

    task: Tasks = Field(default=[], description="Its task, one or a list.", examples=["rag"])
    complexity: Complexities = Field(
        default=[],
        description="Its complexity, one or a list; `unknown` is one that was neither given nor inferred.",
        examples=["complex"],
    )
    input_tokens_over: TokenMark | None = Field(
        default=None, description="Its prompt has more tokens than this.", examples=[32000]
    )
    input_tokens_max: TokenMark | None = Field(
        default=None, description="Its prompt has no more tokens than this.", examples=[8000]
    )
    budget_tier: BudgetTiers = Field(default=[], description="What it may cost, one or a list.", examples=["low"])
    over_budget: bool | None = Field(default=None, description="Whether a budget is used up.")
    region: Names = Field(default=[], description="Where it must be computed, one or a list.", examples=["eu"])
    environment: Environments = Field(
        default=[], description="The environment that it comes from, one or a list.", examples=["development"]
    )
    tenant: Names = Field(default=[], description="Who asks, one or a list.", examples=["web"])
    labels: dict[Text, Text] = Field(
        default={}, description="Labels that it carries, all of them.", examples=[{"team": "search"}]
    )
    speed_critical: bool | None = Field(default=None, description="Whether speed is critical to it.")
    prefer_cheap: bool | None = Field(default=None, description="Whether it prefers what is cheap.")
    requires_sla: bool | None = Field(default=None, description="Whether it demands a service level agreement.")
    requires_compliance: bool | None = Field(default=None, description="Whether it demands any certificate.")
    technical: bool | None = Field(
        default=None, description="Whether its prompt is technical, inferred or by the label `technical`."
    )
    refactoring: bool | None = Field(
        default=None, description="Whether it is about refactoring, inferred or by the label `refactoring`."
    )
    paid_embeddings: bool | None = Field(default=None, description="Whether it allows paid embeddings.")

    def conditions(self) -> rules.Conditions:
        """The conditions that the entry stands for."""
        return rules.Conditions(
            is_over_budget=self.over_budget,
            tasks=frozenset(map(task.TaskType, self.task)),
            complexities=frozenset(None if c == "unknown" else task.Complexity(c) for c in self.complexity),
            over_input_tokens=self.input_tokens_over,
            max_input_tokens=self.input_tokens_max,
            budget_tiers=frozenset(map(task.BudgetTier, self.budget_tier)),
            regions=frozenset(self.region),
            environments=frozenset(map(task.Environment, self.environment)),
            tenants=frozenset(self.tenant),
            labels=self.labels,
            is_speed_critical=self.speed_critical,
            prefers_cheap=self.prefer_cheap,
            requires_sla=self.requires_sla,
            requires_compliance=self.requires_compliance,
            is_technical=self.technical,
            is_refactoring=self.refactoring,
            allows_paid_embeddings=self.paid_embeddings,
        )


class RuleEntry(Section):
    """A preference for some requests; the first rule that matches applies. One without targets leaves it to points."""

    name: Text | None = Field(
        default=None, description="What plans and logs call it; else `rule 1` and so on.", examples=["rag"]
    )
    when: ConditionsEntry = Field(
        default=ConditionsEntry(), description="What a request must be.", examples=[{"task": "rag"}]
    )
    only: list[Selector] = Field(
        default=[], description="What alone may serve it, as selectors.", examples=[["tier:local"]]
    )
    prefer: list[Selector] = Field(
        default=[], description="What to try first, as selectors, in this order.", examples=[["cohere", "anthropic"]]
    )

    def rule(self, number: int) -> rules.Rule:
        """The rule that the entry stands for; `number` counts from 1."""
        return rules.Rule(
            name=self.name or f"rule {number}",
            when=self.when.conditions(),
            only=tuple(self.only),
            prefer=tuple(self.prefer),
        )
