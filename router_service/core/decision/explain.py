"""A decision explained: every target with its factors or its refusal, and a sentence on why the first one is first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from router_service.core.catalog import Target
from router_service.core.decision.appraisal import Estimate, appraise
from router_service.core.decision.decide import Decision, Placed, everyone, linked
from router_service.core.decision.factors import Factor, factors
from router_service.core.decision.gates import lasting, passing
from router_service.core.decision.offer import Offer
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.decision.strategies import POINTS

UNHEALTHY = Refusal(Rejection.HEALTH, "it is unhealthy, and others are not")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A target that was looked at: its place and what that is made of, or why it was refused."""

    target: Target
    preference_class: int = 0
    score: float = 0.0
    factors: tuple[Factor, ...] = ()
    estimate: Estimate | None = None
    refusal: Refusal | None = None


def candidates(decision: Decision, most: int) -> tuple[Candidate, ...]:
    """The targets of the catalogue: the eligible ones in the order of the chain, then the refused ones; the first
    `most` of them.
    """
    placed = {p.offer.index: p for p in _order(decision)}
    eligible = [_eligible(decision, placed[offer.index]) for offer in _whole_chain(decision, placed)[:most]]
    refused = (offer for offer in decision.prepared.offers if offer.index not in placed)
    return (
        *eligible,
        *(
            Candidate(target=offer.target, refusal=_refusal(decision, offer))
            for offer in islice(refused, most - len(eligible))
        ),
    )


def rejections(decision: Decision) -> Mapping[str, Rejection]:
    """By target id, the first gate that each one failed."""
    rejected = dict(decision.ranking.table.shortlist.rejected)
    eligible = {score[3] for score in everyone(decision.scan, decision.prepared)}
    for entry in decision.ranking.table.shortlist.entries:
        if entry.offer.index not in eligible:
            rejected[entry.offer.id] = _refusal(decision, entry.offer).reason
    return rejected


def detail(decision: Decision, target: Target) -> str:
    """Why a target is rejected, in words."""
    return _refusal(decision, next(o for o in decision.prepared.offers if o.target is target)).detail


def estimate(decision: Decision, offer: Offer) -> Estimate:
    return appraise(
        offer,
        decision.question,
        decision.prepared.policy,
        decision.outlooks.of[offer.index],
        is_free=offer.is_free(decision.moment.windows),
    )


def sentence(decision: Decision, rejected: Mapping[str, Rejection]) -> str:
    """Why the first target is first, for people; `rejected` is what `rejections` gave."""
    if not decision.chain:
        return f"No target may serve this request: {_counted(rejected)}."
    first = decision.chain[0]
    rule = decision.ranking.table.shortlist.rule
    parts = [f"{first.id} {_merit(decision, first)}"]
    if rule is not None and not decision.question.profile.is_strategy_named and rule.prefer:
        parts.append(f"the rule {rule.name!r} prefers {', '.join(rule.prefer)}")
    elif rule is not None and rule.only:
        parts.append(f"the rule {rule.name!r} keeps to {', '.join(rule.only)}")
    others = len(decision.prepared.offers) - len(rejected) - 1
    parts.append(f"{others} more could serve" if others else "no other may serve")
    if rejected:
        parts.append(f"rejected: {_counted(rejected)}")
    return "; ".join(parts) + "."


def _order(decision: Decision) -> tuple[Placed, ...]:
    if decision.order is not None:
        return decision.order
    offers = decision.prepared.offers
    return tuple(Placed(offers[s[3]], s[0], -s[1]) for s in everyone(decision.scan, decision.prepared))


def _whole_chain(decision: Decision, placed: Mapping[int, Placed]) -> list[Offer]:
    """What was decided, then what would have followed it."""
    decided = {offer.index for offer in decision.chain}
    ranked = [(p.offer, p.preference_class) for p in placed.values()]
    following = linked(ranked, decision.ranking, len(ranked))
    return [*decision.chain, *(offer for offer in following if offer.index not in decided)]


def _eligible(decision: Decision, placed: Placed) -> Candidate:
    offer = placed.offer
    found = estimate(decision, offer)
    parts = factors(
        offer, decision.question, decision.prepared.policy, decision.outlooks.of[offer.index], found, decision.moment
    )
    if decision.strategy is not POINTS:
        own = Factor(
            name=decision.strategy.name,
            points=placed.score,
            max_points=placed.score,
            value=placed.score,
            note=f"by {decision.strategy.describes}",
        )
        parts = (own, *parts)
    return Candidate(
        target=offer.target,
        preference_class=placed.preference_class,
        score=placed.score,
        factors=parts,
        estimate=found,
    )


def _refusal(decision: Decision, offer: Offer) -> Refusal:
    question, policy, moment = decision.question, decision.prepared.policy, decision.moment
    rule, is_free = decision.ranking.table.shortlist.rule, offer.is_free(moment.windows)
    if (refusal := lasting(offer, question.profile, policy, rule, is_free=is_free)) is not None:
        return refusal
    outlook, in_flight = decision.outlooks.of[offer.index], decision.view.in_flight
    found = passing(offer, question, policy, outlook, estimate(decision, offer), moment, in_flight)
    return found or UNHEALTHY


def _merit(decision: Decision, first: Offer) -> str:
    if decision.explored is first:
        return "was drawn to be tried, because nothing fresh is known of it"
    if decision.strategy is not POINTS:
        return f"is the first by {decision.strategy.describes}"
    outlook, moment = decision.outlooks.of[first.index], decision.moment
    found = factors(first, decision.question, decision.prepared.policy, outlook, estimate(decision, first), moment)
    total = sum(factor.points for factor in found)
    best = sorted(found, key=lambda factor: -factor.points)[:3]
    shares = ", ".join(f"{factor.name.replace('_', ' ')} {factor.points:.1f}" for factor in best)
    return f"has {total:.1f} points, most of them for {shares}"


def _counted(rejected: Mapping[str, Rejection]) -> str:
    counts = Counter(rejected.values())
    return (
        ", ".join(f"{n} by {reason.value.replace('_', ' ')}" for reason, n in counts.most_common()) or "none is there"
    )
