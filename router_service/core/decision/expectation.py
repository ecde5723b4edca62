"""What an attempt at one target of a plan will probably take of quotas and money: reserved before it, settled after."""

from __future__ import annotations

import math
from dataclasses import dataclass

from router_service.core.chat import Usage
from router_service.core.decision import appraisal
from router_service.core.decision.decide import Decision
from router_service.core.decision.offer import Offer
from router_service.core.prices import NANOS_PER_TOKEN_AT_ONE_USD, cost_usd_nanos
from router_service.core.quota import Amounts

INPUT_MARGIN = 1.25
"""How many times its estimate an input may come to, where a bound on money has to hold."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`output_tokens` is the usual length of an answer. `amounts` has tokens by that, and money for the whole answer
    that the caller allows, at list prices: the same sum that the bound for one request was held against.
    `worst_usd_nanos` is for the longest answer that may come. `output_limit` is what the answer has to be held to for
    that, in tokens; None where it ends early enough by itself, or where the caller has set a limit.
    """

    input_tokens: int
    output_tokens: int
    amounts: Amounts
    worst_usd_nanos: int
    output_limit: int | None = None


def expect(decision: Decision, offer: Offer, most_usd_nanos: int | None = None) -> Expectation:
    """`most_usd_nanos` is what the attempt may cost, in billionths of a dollar; None where no bound has to hold. It
    never shortens an answer below what is usual, or what the caller has set: who cannot pay for that is refused.

    A price that nobody knows is taken for the dearest of its provider, as in the decision.
    """
    question, outlook = decision.question, decision.outlooks.of[offer.index]
    length = appraisal.lengths(offer, question, decision.prepared.policy, outlook)
    input_tokens = math.ceil(question.input_tokens * outlook.statistics.input_token_scale)
    paid_tokens, most_input = math.ceil(length.paid), math.ceil(input_tokens * INPUT_MARGIN)
    amounts = appraisal.amounts(offer, question, decision.prepared.policy, outlook)
    nanos = amounts.usd_nanos
    longest = paid_tokens if question.output_limit is not None else _longest(offer, input_tokens)
    limit = None
    if most_usd_nanos is not None and question.output_limit is None:
        limit = _limit(most_usd_nanos, most_input, longest, offer)
    if limit is not None:
        longest = limit = max(limit, paid_tokens)
    worst = nanos if longest is None else _cost(most_input, longest, offer)
    if most_usd_nanos is not None:
        worst = min(worst, most_usd_nanos)
    return Expectation(input_tokens, math.ceil(length.usual), amounts, max(nanos, worst), limit)


def _longest(offer: Offer, input_tokens: int) -> int | None:
    """The most tokens that the model's answer can have: its own limit, else what its window leaves; None if unknown."""
    model = offer.target.model
    if model.max_output_tokens is not None or not model.context_tokens:
        return model.max_output_tokens
    return max(0, model.context_tokens - input_tokens)


def _limit(most_usd_nanos: int, input_tokens: int, longest: int | None, offer: Offer) -> int | None:
    """How long an answer `most_usd_nanos` pays for; None where it pays for any that may come."""
    price = offer.rank_prices.at(input_tokens).output
    if not price:
        return None
    left = most_usd_nanos - _cost(input_tokens, 0, offer) - 1  # as much as rounding may add
    tokens = max(1, math.floor(left / (price * NANOS_PER_TOKEN_AT_ONE_USD)))
    return tokens if longest is None or tokens < longest else None


def _cost(input_tokens: int, output_tokens: int, offer: Offer) -> int:
    """The most that so many tokens cost: a vendor may charge more for input that it writes to its cache."""
    prices = offer.rank_prices.at(input_tokens)
    written = input_tokens if (prices.cache_write or 0.0) > (prices.input or 0.0) else 0
    usage = Usage(input_tokens=input_tokens, cache_write_tokens=written, output_tokens=output_tokens)
    return cost_usd_nanos(usage, prices)
