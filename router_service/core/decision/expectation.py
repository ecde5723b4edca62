"""What an attempt at one target of a plan will probably take of quotas and money: reserved before it, settled after."""

from __future__ import annotations

import math
from dataclasses import dataclass

from router_service.core.catalog import Model
from router_service.core.chat import Usage
from router_service.core.decision import appraisal
from router_service.core.decision.decide import Decision
from router_service.core.decision.offer import Offer
from router_service.core.prices import NANOS_PER_TOKEN_AT_ONE_USD, cost_usd_nanos
from router_service.core.quota import Amounts

INPUT_MARGIN = 1.25
"""How many times its estimate an input may come to, where a bound on money has to hold."""

LONGEST_TOKENS = 32_768
"""What an answer is taken to come to at most, and is held to, where neither the model's longest is known nor a window:
more than nearly all answers, and less than what providers refuse as no length of an answer.
"""


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
    longest, limit = paid_tokens, None
    if question.output_limit is None:
        longest = max(paid_tokens, _longest(offer, input_tokens))
        if most_usd_nanos is not None and (held := _limit(most_usd_nanos, most_input, longest, offer)) is not None:
            longest = limit = max(held, paid_tokens)
    worst = _cost(most_input, longest, offer)
    if most_usd_nanos is not None:
        worst = min(worst, most_usd_nanos)
    return Expectation(input_tokens, math.ceil(length.usual), amounts, max(nanos, worst), limit)


def _longest(offer: Offer, input_tokens: int) -> int:
    """The most tokens that the model's answer may have: its own limit, else what its window leaves, else a guess."""
    model = offer.target.model
    if model.max_output_tokens is not None:
        return model.max_output_tokens
    return max(0, model.context_tokens - input_tokens) if model.context_tokens else LONGEST_TOKENS


def _ends_by_itself(model: Model) -> bool:
    """Whether something ends its answers that nobody has to ask for."""
    return model.max_output_tokens is not None or bool(model.context_tokens)


def _limit(most_usd_nanos: int, input_tokens: int, longest: int, offer: Offer) -> int | None:
    """What an answer has to be held to so that `most_usd_nanos` pays for it; None where it ends early enough by itself.

    Whatever pays for an answer of unknown length is a bound only as long as that is held to the guess.
    """
    price = offer.rank_prices.at(input_tokens).output
    if not price:
        return None
    left = most_usd_nanos - _cost(input_tokens, 0, offer) - 1  # as much as rounding may add
    tokens = max(1, math.floor(left / (price * NANOS_PER_TOKEN_AT_ONE_USD)))
    if tokens < longest:
        return tokens
    return None if _ends_by_itself(offer.target.model) else longest


def _cost(input_tokens: int, output_tokens: int, offer: Offer) -> int:
    """The most that so many tokens cost: a vendor may charge more for input that it writes to its cache."""
    prices = offer.rank_prices.at(input_tokens)
    written = input_tokens if (prices.cache_write or 0.0) > (prices.input or 0.0) else 0
    usage = Usage(input_tokens=input_tokens, cache_write_tokens=written, output_tokens=output_tokens)
    return cost_usd_nanos(usage, prices)
