"""What an attempt at one target of a plan will probably take of quotas and money: reserved before it, settled after."""

from __future__ import annotations

import math
from dataclasses import dataclass

from router_service.core.chat import Usage
from router_service.core.decision import appraisal
from router_service.core.decision.decide import Decision
from router_service.core.decision.offer import Offer
from router_service.core.prices import cost_usd_nanos
from router_service.core.quota import Amounts, neurons


@dataclass(frozen=True, slots=True)
class Expectation:
    """`amounts` has tokens by the usual length of an answer, and money for the whole answer that the caller allows, at
    list prices: the same sum that the bound for one request was held against.
    """

    input_tokens: int
    amounts: Amounts
    worst_usd_nanos: int


def expect(decision: Decision, offer: Offer) -> Expectation:
    """A price that nobody knows is taken for the dearest of its provider, as in the decision."""
    question, outlook = decision.question, decision.outlooks.of[offer.index]
    length = appraisal.lengths(offer, question, decision.prepared.policy, outlook)
    input_tokens = math.ceil(question.input_tokens * outlook.statistics.input_token_scale)
    usage = Usage(input_tokens=input_tokens, output_tokens=math.ceil(length.paid))
    nanos = cost_usd_nanos(usage, offer.rank_prices.at(input_tokens))
    return Expectation(input_tokens, amounts_of(input_tokens + math.ceil(length.usual), nanos), nanos)


def amounts_of(tokens: int, list_usd_nanos: int) -> Amounts:
    """One call's amounts by unit."""
    return Amounts(requests=1, tokens=tokens, neurons=neurons(list_usd_nanos), usd_nanos=list_usd_nanos)
