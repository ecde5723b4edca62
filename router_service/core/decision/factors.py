"""The parts of a target's points, each with the value it rests on, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

from router_service.core.decision import estimates, points, words
from router_service.core.decision.appraisal import Estimate
from router_service.core.decision.moment import Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlook
from router_service.core.decision.points import Weights
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
    weights = points.weights_of(question.profile)
    return (
        _cost(offer, estimate, weights),
        _quota(offer, moment, weights),
        _health(outlook, weights),
        _latency(estimate, weights),
        _task_match(offer, question, policy, outlook, estimate, weights),
        _environment(offer, question, policy, weights),
        _capabilities(offer, question, weights),
    )


def _factor(name: str, earned: float, most: float, weight: float, value: float, note: str) -> Factor:
    return Factor(name=name, points=weight * earned, max_points=weight * most, value=value, note=note)


def _cost(offer: Offer, estimate: Estimate, weights: Weights) -> Factor:
    if estimate.is_free:
        earned, note = points.FREE_COST, "local, and free" if offer.is_local else "free"
    else:
        earned = points.cost_points(estimate.usd_per_million)
        is_known = estimate.cost_usd_nanos is not None
        note = f"USD for a million tokens of this mix, {words.usd(estimate.rank_nanos)} for the request"
        note += "" if is_known else "; the price is unknown, and taken for the provider's dearest"
    return _factor(points.COST, earned, points.FREE_COST, weights.cost, estimate.usd_per_million, note)


def _quota(offer: Offer, moment: Moment, weights: Weights) -> Factor:
    standing = moment.quota(offer)
    earned = points.quota_points(standing, has_pacing=offer.target.provider.pacing)
    if standing is None or standing.remaining_share is None:
        share, note = 1.0, "no limit"
    else:
        share = standing.remaining_share
        note = f"{words.percent(share)} of the tightest window left"
    return _factor(points.QUOTA, earned, points.FULL_QUOTA, weights.quota, share, note)


def _health(outlook: Outlook, weights: Weights) -> Factor:
    statistics = outlook.statistics
    lower, failures = statistics.success_rate_lower, statistics.consecutive_failures
    note = f"share of successes that is certain; {failures:.2g} failures in a row"
    note += "" if statistics.has_fresh_evidence else "; no fresh evidence"
    if outlook.standing.traffic_share < 1:
        note += f"; {outlook.standing.state.value}, {words.percent(outlook.standing.traffic_share)} of the traffic"
    return _factor(points.HEALTH, outlook.health_points, points.FULL_HEALTH, weights.health, lower, note)


def _latency(estimate: Estimate, weights: Weights) -> Factor:
    seconds = estimate.latency_s
    note = f"seconds to the end of the answer; {words.seconds(estimate.latency_p90_s)} at the 90th percentile"
    earned = points.latency_points(seconds)
    return _factor(points.LATENCY, earned, points.FULL_LATENCY, weights.latency, seconds, note)


def _task_match(
    offer: Offer, question: Question, policy: Policy, outlook: Outlook, estimate: Estimate, weights: Weights
) -> Factor:
    profile = question.profile
    if profile.speed_critical:
        value = points.latency_points(estimate.latency_s)
        earned, note = points.SPEED_FACTOR * value, "points of latency, which count again because speed is critical"
    else:
        prior = estimates.expected_quality(offer.target, profile.task, policy)
        value = points.task_match(offer, profile, outlook.statistics, prior)
        task = "a task that is not known" if profile.task is None else profile.task.value.replace("_", " ")
        earned, note = points.FULL_TASK_MATCH * value, f"match for {task}, from 0 to 1"
    return _factor(points.TASK_MATCH, earned, points.FULL_TASK_MATCH, weights.task_match, value, note)


def _environment(offer: Offer, question: Question, policy: Policy, weights: Weights) -> Factor:
    earned = points.environment_points(offer, question.profile, policy)
    note = f"points of a {'local' if offer.is_local else 'hosted'} target in {question.profile.environment.value}"
    return _factor(points.ENVIRONMENT, earned, points.FULL_ENVIRONMENT, weights.environment, earned, note)


def _capabilities(offer: Offer, question: Question, weights: Weights) -> Factor:
    share = points.capability_share(offer, question.profile)
    preferred = question.profile.preferred_capabilities - question.profile.required_capabilities
    note = f"share of what is preferred: {words.listed(preferred)}" if preferred else "nothing is preferred"
    earned = points.FULL_CAPABILITIES * share
    return _factor(points.CAPABILITIES, earned, points.FULL_CAPABILITIES, weights.capabilities, share, note)
