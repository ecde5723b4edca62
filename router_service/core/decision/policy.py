"""What an operator decides about decisions: weights, rules, defaults, and the priors for what nobody has measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from router_service.core.catalog import LOCAL_TIER, Speed
from router_service.core.decision.rules import Rule
from router_service.core.task import BudgetTier, Environment, TaskType

CEILINGS_USD: Mapping[BudgetTier, float] = MappingProxyType(
    {BudgetTier.FREE: 0.0, BudgetTier.LOW: 1.5, BudgetTier.MEDIUM: 6.0, BudgetTier.HIGH: 30.0}
)
"""USD per million blended tokens, ceilings included; a tier that is left out has none."""


@dataclass(frozen=True, slots=True)
class EnvironmentPoints:
    """What a target earns for where it runs, 0 to 20 each."""

    hosted: float
    local: float


@dataclass(frozen=True, slots=True)
class TierPrior:
    """What is assumed of a provider tier's targets: their speed, and their quality from 0 to 1."""

    speed: Speed
    quality: float


def _environment_points() -> Mapping[Environment, EnvironmentPoints]:
    return MappingProxyType(
        {
            Environment.PRODUCTION: EnvironmentPoints(hosted=10, local=0),
            Environment.DEVELOPMENT: EnvironmentPoints(hosted=0, local=20),
        }
    )


def _tier_priors() -> Mapping[str, TierPrior]:
    """The middle of the usual range is the median, on a log scale; its upper end is the 90th percentile."""
    return MappingProxyType(
        {
            LOCAL_TIER: TierPrior(_speed(0.16, 0.5, 30), 0.55),
            "fast_cloud": TierPrior(_speed(0.17, 0.3, 200), 0.70),
            "premium": TierPrior(_speed(1.0, 2.0, 60), 0.85),
            "gateway": TierPrior(_speed(1.0, 2.0, 60), 0.70),
        }
    )


def _speed(p50_s: float, p90_s: float, tokens_per_second: float) -> Speed:
    return Speed(time_to_first_token_s=p50_s, time_to_first_token_p90_s=p90_s, tokens_per_second=tokens_per_second)


def _output_tokens() -> Mapping[TaskType, float]:
    short = dict.fromkeys((TaskType.CLASSIFICATION, TaskType.SIMPLE_QA), 60.0)
    long = dict.fromkeys((TaskType.REASONING, TaskType.CODE_GENERATION, TaskType.CREATIVE_WRITING), 800.0)
    return MappingProxyType({**short, **long, TaskType.EMBEDDING: 0.0})


def _votes() -> Mapping[str, float]:
    return MappingProxyType({"cost_optimized": 1.0, "latency_optimized": 1.0, "quality_optimized": 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`weights` multiply factors by name, 0 to 10. `shares` are those of `weighted`, by provider or target id;
    `priorities` are the selectors of `priority`, first one first; `votes` those of `ensemble`, by strategy name.
    """

    strategy: str = "points"
    weights: Mapping[str, float] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    exploration: float = 0.01
    """The share, 0 to 1, of the requests that allow it which go to a target without fresh evidence."""
    environment: Environment = Environment.PRODUCTION
    region: str = ""
    budget_tier: BudgetTier | None = None
    environment_points: Mapping[Environment, EnvironmentPoints] = field(default_factory=_environment_points)
    task_confidence: float = 0.5
    """An inferred task counts from this confidence on, 0 to 1."""
    complexity_confidence: float = 0.6
    deadline_floor: float = 0.1
    """The least chance, 0 to 1, of finishing before the caller's deadline."""
    only_self_hosted: bool = False
    excludes_unhealthy: bool = False
    """Whether an unhealthy target is refused while others are fit, instead of standing behind them."""
    chain_length: int = 6
    """The most targets in a plan; more than the attempts of a request, since an attempt may find its room taken."""
    tier_priors: Mapping[str, TierPrior] = field(default_factory=_tier_priors)
    output_tokens: Mapping[TaskType, float] = field(default_factory=_output_tokens)
    """The usual length of an answer by task, in tokens, until it is learnt."""
    default_output_tokens: float = 300.0
    quality_floor: float = 0.5
    """What `cost_optimized` asks of a target's quality, 0 to 1, before its price counts."""
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """The weights of cost, latency and quality in `balanced`."""
    shares: Mapping[str, float] = field(default_factory=dict)
    priorities: tuple[str, ...] = ()
    votes: Mapping[str, float] = field(default_factory=_votes)
    refuses_unsupported: bool = False
    """Whether a target is refused that cannot take one of the request's settings, instead of not being told of it."""

    def prior(self, tier: str) -> TierPrior:
        """The tier's, else that of a premium one."""
        return self.tier_priors.get(tier) or _tier_priors()["premium"]

    def usual_output_tokens(self, task: TaskType | None) -> float:
        return self.default_output_tokens if task is None else self.output_tokens.get(task, self.default_output_tokens)
