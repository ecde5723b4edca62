"""A decision explained: every target with its factors or its refusal, and a sentence on why the first one is first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter

from router_service.core.catalog import Target
from router_service.core.decision.appraisal import Estimate, appraise
from router_service.core.decision.decide import Decision, Placed, everyone, linked
from router_service.core.decision.factors import Factor, earned, factors
from router_service.core.decision.gates import lasting, passing
from router_service.core.decision.offer import Offer
from router_service.core.decision.points import FACTORS
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.decision.rules import Rule, position
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


def eligible(decision: Decision) -> list[Offer]:
    """All who may serve, in the order of the chain and beyond its end."""
    return _whole_chain(decision, {p.offer.index: p for p in _order(decision)})


def rejections(decision: Decision) -> Mapping[str, Rejection]:
    """By target id, the first gate that each one failed."""
    offers = decision.prepared.offers
    return {
        **decision.ranking.table.shortlist.rejected,
        **{offers[index].id: reason for index, reason in _refused(decision)},
    }


def counts(decision: Decision) -> Mapping[Rejection, int]:
    """How many targets each reason rejected, the most frequent first."""
    counted = Counter(decision.ranking.table.shortlist.counts)
    counted.update([reason for _, reason in _refused(decision)])
    return dict(counted.most_common())


def _refused(decision: Decision) -> list[tuple[int, Rejection]]:
    """Those of the shortlist that this request or this moment turned away, by index."""
    offers = decision.prepared.offers
    dropped = [
        (index, reason or _refusal(decision, offers[index]).reason) for index, reason in decision.ranking.table.dropped
    ]
    return dropped + decision.scan.refused()


def refusal(decision: Decision, target: str) -> Refusal:
    """Why the target of that id is rejected."""
    return _refusal(decision, decision.prepared.offer_of[target])


def estimate(decision: Decision, offer: Offer) -> Estimate:
    return appraise(
        offer,
        decision.question,
        decision.prepared.policy,
        decision.outlooks.of[offer.index],
        is_free=offer.is_free(decision.moment.windows),
    )


def sentence(decision: Decision, rejected: Mapping[Rejection, int], found: Estimate | None) -> str:
    """Why the first target is first, for people; `rejected` is what `counts` gave, `found` the first one's estimate."""
    if found is None:
        return f"No target may serve this request: {_counted(rejected)}."
    first = decision.chain[0]
    rule = decision.ranking.table.shortlist.rule
    parts = [f"{first.id} {_merit(decision, first, found)}"]
    if (failure := decision.failure) is not None:
        parts.append(f"points decided, since the strategy {failure.strategy!r} {failure.what}")
    if rule is not None and not decision.question.profile.is_strategy_named and rule.prefer:
        parts.append(f"the rule {rule.name!r} prefers {', '.join(rule.prefer)}{_preferred(decision, first, rule)}")
    elif rule is not None and rule.only:
        parts.append(f"the rule {rule.name!r} keeps to {', '.join(rule.only)}")
    if first.target.provider.name in decision.view.planned_only:
        dialect = first.target.provider.dialect
        parts.append(f"it is planned only, since this router does not speak the dialect {dialect} yet")
    if decision.passed_over:
        parts.append(f"of the plan {', '.join(decision.passed_over)} may not be called here now")
    others = len(decision.prepared.offers) - sum(rejected.values()) - 1
    parts.append(f"{others} more could serve" if others else "no other may serve")
    if rejected:
        parts.append(f"rejected: {_counted(rejected)}")
    return "; ".join(parts) + "."


def _preferred(decision: Decision, first: Offer, rule: Rule) -> str:
    """What has to be said where the first target is none of those that the rule prefers."""
    windows = decision.moment.windows

    def is_preferred(offer: Offer) -> bool:
        return position(rule.prefer, offer.target, is_free=offer.is_free(windows)) < len(rule.prefer)

    if is_preferred(first):
        return ""
    refused = {index for index, _ in _refused(decision)}
    left = [e for i, e in decision.ranking.table.shortlist.entry_of.items() if i not in refused]
    return (
        ", which come behind it this time" if any(is_preferred(e.offer) for e in left) else ", of whom none may serve"
    )


def _class(decision: Decision, number: int) -> int:
    """The rank that the rule gave to the class of that number among those that anybody is in; what stands behind all
    of them has a rank behind theirs.
    """
    ranks = sorted(place for place in decision.ranking.places if place >= 0)
    return ranks[number] if number < len(ranks) else number - len(ranks) + ranks[-1] + 1 if ranks else number


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
        preference_class=_class(decision, placed.preference_class),
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
    found = passing(offer, question, policy, rule, outlook, estimate(decision, offer), moment, in_flight)
    return found or UNHEALTHY


def _merit(decision: Decision, first: Offer, found: Estimate) -> str:
    if decision.explored is first:
        return "was drawn to be tried, because nothing fresh is known of it"
    if decision.strategy is not POINTS:
        return f"is the first by {decision.strategy.describes}"
    outlook, moment = decision.outlooks.of[first.index], decision.moment
    got = earned(first, decision.question, decision.prepared.policy, outlook, found, moment)
    best = sorted(zip(got, FACTORS, strict=True), key=itemgetter(0), reverse=True)[:3]
    shares = ", ".join([f"{name.replace('_', ' ')} {points:.1f}" for points, name in best if points > 0])
    return f"has {sum(got):.1f} points" + (f", most of them for {shares}" if shares else "")


def _counted(rejected: Mapping[Rejection, int]) -> str:
    return ", ".join(f"{n} by {reason.value.replace('_', ' ')}" for reason, n in rejected.items()) or "none is there"
