"""The parts of a target's points, each with the value it rests on, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

from router_service.core.decision import estimates, points, words
from router_service.core.decision.appraisal import Estimate
from router_service.core.decision.moment import Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlook
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """`points` and `max_points` include the weight; `value` is in the unit that `note` gives."""

    name: str
    points: float
    max_points: float
    value: float
    note: str


def factors(
    offer: Offer, question: Question, policy: Policy, outlook: Outlook, estimate: Estimate, moment: Moment
) -> tuple[Factor, ...]:
    """In the order of the table of points. Their sum is the score that the default strategy gives."""
    points_of = earned(offer, question, policy, outlook, estimate, moment)
    weights = points.weights_of(question.profile)
    most = (
        weights.cost * points.FREE_COST,
        weights.quota * points.FULL_QUOTA,
        weights.health * points.FULL_HEALTH,
        weights.latency * points.FULL_LATENCY,
        weights.task_match * points.FULL_TASK_MATCH,
        weights.environment * points.FULL_ENVIRONMENT,
        weights.capabilities * points.FULL_CAPABILITIES,
    )
    grounds = (
        _cost(offer, estimate),
        _quota(offer, moment),
        _health(outlook),
        _latency(estimate),
        _task_match(offer, question, policy, outlook, estimate),
        _environment(offer, question, policy),
        _capabilities(offer, question),
    )
    return tuple(
        Factor(name=name, points=got, max_points=full, value=value, note=note)
        for name, got, full, (value, note) in zip(points.FACTORS, points_of, most, grounds, strict=True)
    )


def earned(
    offer: Offer, question: Question, policy: Policy, outlook: Outlook, estimate: Estimate, moment: Moment
) -> tuple[float, ...]:
    """What each factor earned, in the order of points.FACTORS, without a word about it."""
    weights, profile = points.weights_of(question.profile), question.profile
    latency = points.latency_points(estimate.latency_s)
    cost = points.FREE_COST if estimate.is_free else points.cost_points(estimate.usd_per_million)
    if profile.speed_critical:
        match = points.SPEED_FACTOR * latency
    else:
        match = points.FULL_TASK_MATCH * _match(offer, question, policy, outlook)
    return (
        weights.cost * cost,
        weights.quota * points.quota_points(moment.quota(offer), has_pacing=offer.target.provider.pacing),
        weights.health * outlook.health_points,
        weights.latency * latency,
        weights.task_match * match,
        weights.environment * points.environment_points(offer, profile, policy),
        weights.capabilities * points.FULL_CAPABILITIES * points.capability_share(offer, profile),
    )


Ground = tuple[float, str]
"""The value that a factor's points rest on, and the same in words."""


def _cost(offer: Offer, estimate: Estimate) -> Ground:
    if estimate.is_free:
        return estimate.usd_per_million, "local, and free" if offer.is_local else "free"
    note = f"USD for a million tokens of this mix, {words.usd(estimate.rank_nanos)} for the request"
    if estimate.cost_usd_nanos is None:
        note += "; the price is unknown, and taken for the provider's dearest"
    return estimate.usd_per_million, note


def _quota(offer: Offer, moment: Moment) -> Ground:
    standing = moment.quota(offer)
    if standing is None or standing.remaining_share is None:
        return 1.0, "no limit"
    return standing.remaining_share, f"{words.percent(standing.remaining_share)} of the tightest window left"


def _health(outlook: Outlook) -> Ground:
    statistics, standing = outlook.statistics, outlook.standing
    note = f"share of successes that is certain; {statistics.consecutive_failures:.2g} failures in a row"
    note += "" if statistics.has_fresh_evidence else "; no fresh evidence"
    if standing.traffic_share < 1:
        note += f"; {standing.state.value}, {words.percent(standing.traffic_share)} of the traffic"
    return statistics.success_rate_lower, note


def _latency(estimate: Estimate) -> Ground:
    note = f"seconds to the end of the answer; {words.seconds(estimate.latency_p90_s)} at the 90th percentile"
    return estimate.latency_s, note


def _task_match(offer: Offer, question: Question, policy: Policy, outlook: Outlook, estimate: Estimate) -> Ground:
    profile = question.profile
    if profile.speed_critical:
        value = points.latency_points(estimate.latency_s)
        return value, "points of latency, which count again because speed is critical"
    task = "a task that is not known" if profile.task is None else profile.task.value.replace("_", " ")
    return _match(offer, question, policy, outlook), f"match for {task}, from 0 to 1"


def _match(offer: Offer, question: Question, policy: Policy, outlook: Outlook) -> float:
    prior = estimates.expected_quality(offer.target, question.profile.task, policy)
    return points.task_match(offer, question.profile, outlook.statistics, prior)


def _environment(offer: Offer, question: Question, policy: Policy) -> Ground:
    where = "local" if offer.is_local else "hosted"
    note = f"points of a {where} target in {question.profile.environment.value}"
    return points.environment_points(offer, question.profile, policy), note


def _capabilities(offer: Offer, question: Question) -> Ground:
    preferred = question.profile.preferred_capabilities - question.profile.required_capabilities
    note = f"share of what is preferred: {words.listed(preferred)}" if preferred else "nothing is preferred"
    return points.capability_share(offer, question.profile), note
