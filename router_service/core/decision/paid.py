"""What a target's price forbids: asked again where a decision took it for free and its free window ended since."""

from __future__ import annotations

from router_service.core.decision import gates
from router_service.core.decision.appraisal import appraise
from router_service.core.decision.decide import Decision
from router_service.core.decision.offer import Offer
from router_service.core.decision.rejection import Refusal


def refusal_if_paid(decision: Decision, offer: Offer) -> Refusal | None:
    """Why the offer may not serve at its price; None where it may, or was decided on at that price already.

    Tiers, rules and bounds of a request ask what a call costs, and let anything pass that costs nothing.
    """
    if not offer.is_free(decision.moment.windows):
        return None
    question, policy = decision.question, decision.prepared.policy
    rule = decision.ranking.table.shortlist.rule
    if refused := gates.lasting(offer, question.profile, policy, rule, is_free=False):
        return refused
    outlook = decision.outlooks.of[offer.index]
    estimate = appraise(offer, question, policy, outlook, is_free=False)
    return gates.unaffordable(offer, question, decision.moment, estimate)
