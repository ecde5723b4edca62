"""Points, the default strategy: what each factor is worth, on scales that no other candidate can move."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from router_service.core.decision.estimates import learnt_quality
from router_service.core.decision.offer import Offer
from router_service.core.decision.policy import Policy
from router_service.core.decision.profile import Profile
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.quota import QuotaStanding
from router_service.core.task import Complexity, TaskType

COST, FREE_COST, PRICED_COST = "cost", 30.0, 24.0
QUOTA, FULL_QUOTA = "quota", 20.0
HEALTH, FULL_HEALTH = "health", 30.0
LATENCY, FULL_LATENCY = "latency", 10.0
TASK_MATCH, FULL_TASK_MATCH = "task_match", 15.0
ENVIRONMENT, FULL_ENVIRONMENT = "environment", 20.0
CAPABILITIES, FULL_CAPABILITIES = "capabilities", 10.0
FACTORS = (COST, QUOTA, HEALTH, LATENCY, TASK_MATCH, ENVIRONMENT, CAPABILITIES)

CHEAPEST_USD, DEAREST_USD = 0.02, 60.0
"""The ends of the cost scale, in USD per million tokens of the request's own mix."""
FASTEST_S, SLOWEST_S = 0.2, 20.0
"""The ends of the latency scale, in seconds to the end of the answer."""
LAST_SHARE = 0.05
"""A quota is worth its full points until so little of it is left."""
SPEED_FACTOR = 1.5
"""What the latency points are worth again, in place of the task match, where speed is critical."""
UNTAGGED_MATCH = 0.5
OTHER_ROLE = 0.5
"""What is left of a match where the model's roles are for another complexity."""
ROLES: Mapping[Complexity, frozenset[str]] = {
    Complexity.COMPLEX: frozenset({"complex", "reasoning"}),
    Complexity.SIMPLE: frozenset({"simple", "default"}),
}

COST_PER_LOG = PRICED_COST / math.log(DEAREST_USD / CHEAPEST_USD)


@dataclass(frozen=True, slots=True)
class Weights:
    """The multiplier of each factor."""

    cost: float = 1.0
    quota: float = 1.0
    health: float = 1.0
    latency: float = 1.0
    task_match: float = 1.0
    environment: float = 1.0
    capabilities: float = 1.0


def weights_of(profile: Profile) -> Weights:
    return Weights(**dict(profile.weights))


def cost_points(usd_per_million: float) -> float:
    """24 at the cheap end of the scale, 0 at the dear one. What is free earns 30 instead, and never comes here."""
    inside = min(DEAREST_USD, max(CHEAPEST_USD, usd_per_million))
    return PRICED_COST - COST_PER_LOG * math.log(inside / CHEAPEST_USD)


def quota_points(standing: QuotaStanding | None, *, has_pacing: bool) -> float:
    """Full until the last twentieth of the tightest window; with pacing, full while use keeps step with time."""
    if standing is None or standing.remaining_share is None:
        return FULL_QUOTA
    reach = max(LAST_SHARE, standing.window_left_share) if has_pacing else LAST_SHARE
    return FULL_QUOTA * min(1.0, standing.remaining_share / reach)


def health_points(statistics: TargetStatistics) -> float:
    """-30 to 30. Where there is no fresh evidence at all, 5 less."""
    certain = min(1.0, max(-1.0, (statistics.success_rate_lower - 0.5) / 0.3))
    doubt = 0.0 if statistics.has_fresh_evidence else 5.0
    points = FULL_HEALTH * certain - 10.0 * statistics.consecutive_failures
    return max(-FULL_HEALTH, min(FULL_HEALTH, points) - doubt)


def latency_points(seconds: float) -> float:
    inside = min(SLOWEST_S, max(FASTEST_S, seconds))
    return FULL_LATENCY * (1 - math.log(inside / FASTEST_S) / math.log(SLOWEST_S / FASTEST_S))


def task_match(offer: Offer, profile: Profile, statistics: TargetStatistics, prior_quality: float) -> float:
    """0 to 1: the tag for the task, less where the roles are for another complexity, moved by graded answers.

    For a task that is not known the tag for general ones counts, so that a specialist can keep out of it.
    """
    model = offer.target.model
    match = UNTAGGED_MATCH
    if profile.task is None:
        match = model.tasks.get(TaskType.GENERAL, UNTAGGED_MATCH)
    elif model.tasks:
        match = model.tasks.get(profile.task, 0.0)
    roles = ROLES.get(profile.complexity) if profile.complexity is not None else None
    if roles is not None and model.roles and not model.roles & roles:
        match *= OTHER_ROLE
    if profile.task is None or (observed := statistics.quality.get(profile.task)) is None:
        return match
    return min(1.0, max(0.0, match + learnt_quality(prior_quality, observed) - prior_quality))


def environment_points(offer: Offer, profile: Profile, policy: Policy) -> float:
    points = policy.environment_points.get(profile.environment)
    if points is None:
        return 0.0
    return points.local if offer.is_local else points.hosted


def capability_share(offer: Offer, profile: Profile) -> float:
    """The share of what is preferred, and not demanded anyway, that it has; all of it where nothing is preferred."""
    preferred = profile.preferred_capabilities - profile.required_capabilities
    return len(preferred & offer.capabilities) / len(preferred) if preferred else 1.0
