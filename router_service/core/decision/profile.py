"""What kind of request it is: everything of it, but its sizes, that gates, rules and points look at."""

from __future__ import annotations

from typing import NamedTuple

from router_service.core.task import BudgetTier, Complexity, Environment, TaskType


class Profile(NamedTuple):
    """The class of a request: those that share it pass the same gates and meet the same rules, sizes apart.

    A tuple and no dataclass, because it is made and hashed once for each request: work done for one is kept for all.
    `required_fields` are the settings that a target has to take, `required_output_tokens` is how long an answer it has
    to be able to give, 0 where any will do, and `origin` is the target that wrote what the request echoes, empty where
    it echoes nothing. `weights` are the factors' multipliers, the request's over the server's. `labels` and
    `tenant` hold only what some rule asks for, and `token_band` counts the rules' token marks that the input reaches.
    """

    model: str
    task: TaskType | None
    complexity: Complexity | None
    environment: Environment
    region: str
    budget_tier: BudgetTier | None
    speed_critical: bool
    prefer_cheap: bool
    prefer_self_hosted: bool
    requires_sla: bool
    allow_paid_embeddings: bool
    allowed_providers: frozenset[str]
    denied_providers: frozenset[str]
    compliance: frozenset[str]
    required_capabilities: frozenset[str]
    required_fields: frozenset[str]
    required_output_tokens: int
    preferred_capabilities: frozenset[str]
    origin: str
    min_quality: float
    weights: tuple[tuple[str, float], ...]
    is_technical: bool
    is_refactoring: bool
    is_over_budget: bool
    is_strategy_named: bool
    tenant: str
    labels: tuple[tuple[str, str], ...]
    token_band: int
