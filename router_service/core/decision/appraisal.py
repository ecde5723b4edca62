"""One target appraised for one request: what it would cost, how long it would take, how good it would be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from router_service.core.decision import estimates
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlook
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import Question
from router_service.core.prices import NANOS_PER_USD
from router_service.core.quota import Amounts, amounts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a request comes to at one target.

    Money reckons with the whole answer that the caller allows, since a bound has to hold; time with its usual length.
    Costs are None where the price is unknown. `rank_nanos` is the cost before rounding, and where the price is unknown
    what the target is taken to cost. `room` is the most input tokens that fit into the window beside the answer.
    `chance` is that of finishing before the caller's deadline, None without one; `proven_chance` counts only such time
    as was measured, and is all that a target can be refused by.
    """

    input_tokens: int
    output_tokens: int
    cost_usd_nanos: int | None
    rank_nanos: float
    usd_per_million: float
    """In USD for a million tokens of the request's own mix, by the price that the target ranks with."""
    blended_usd_nanos_per_million: int | None
    is_free: bool
    room: float
    latency_s: float
    latency_p90_s: float
    chance: float | None
    proven_chance: float | None
    quality: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """An answer's tokens: those that are usual, and those that may have to be paid."""

    usual: float
    paid: float


def lengths(offer: Offer, question: Question, policy: Policy, outlook: Outlook) -> Lengths:
    usual = estimates.usual_output_tokens(offer.target, question.profile.task, outlook.statistics, policy)
    paid = estimates.paid_output_tokens(offer.target, usual, question.output_limit)
    return Lengths(min(usual, paid), paid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one of the request's input tokens costs at a target and what the answer does, in billionths of a dollar."""

    input_nanos: float
    answer_nanos: float
    blended: float | None
    is_known: bool

    def nanos(self, input_tokens: int) -> float:
        return self.input_nanos * input_tokens + self.answer_nanos


FREE = Terms(input_nanos=0.0, answer_nanos=0.0, blended=0.0, is_known=True)


def terms(offer: Offer, question: Question, outlook: Outlook, paid_tokens: float, *, is_free: bool) -> Terms:
    """One token at 1 USD per million is 1 000 nanos. An unknown price is taken for the dearest of its provider."""
    if is_free:
        return FREE
    scale = outlook.statistics.input_token_scale
    prices = offer.rank_prices.at(question.input_tokens * scale)
    is_known = offer.is_price_known and prices.blended is not None
    if prices.input is None or prices.output is None:
        prices = offer.rank_prices
    input_nanos, answer_nanos = 1_000 * (prices.input or 0.0) * scale, 1_000 * (prices.output or 0.0) * paid_tokens
    blended = prices.blended if is_known else None
    return Terms(input_nanos=input_nanos, answer_nanos=answer_nanos, blended=blended, is_known=is_known)


def amounts(offer: Offer, question: Question, policy: Policy, outlook: Outlook) -> Amounts:
    """What windows are asked to hold before an attempt: tokens by the usual length of an answer, and money for all that
    the caller allows, at list prices.
    """
    length = lengths(offer, question, policy, outlook)
    nanos = terms(offer, question, outlook, length.paid, is_free=False).nanos(question.input_tokens)
    input_tokens = math.ceil(question.input_tokens * outlook.statistics.input_token_scale)
    return amounts_of(input_tokens + math.ceil(length.usual), estimates.whole_nanos(nanos))


def room(offer: Offer, outlook: Outlook, paid_tokens: float) -> float:
    """The most of the request's input tokens that fit into the window beside the answer."""
    window = offer.target.model.context_tokens
    return (window - math.ceil(paid_tokens)) / outlook.statistics.input_token_scale if window else math.inf


def quality(offer: Offer, question: Question, policy: Policy, outlook: Outlook) -> float:
    """From 0 to 1: the catalogue's word, moved by graded answers."""
    task = question.profile.task
    prior = estimates.expected_quality(offer.target, task, policy)
    observed = outlook.statistics.quality.get(task) if task is not None else None
    return estimates.learnt_quality(prior, observed)


def proven_chance(question: Question, outlook: Outlook, length: Lengths, left_s: float) -> float:
    """The chance to end within `left_s` seconds by what was measured alone: 1 where nothing was."""
    learnt = outlook.statistics.usual_output_tokens(question.profile.task)
    tokens = 0.0 if learnt is None else min(length.usual, learnt)
    return estimates.chance(estimates.proven(outlook.pace, outlook.statistics), tokens, left_s)


def appraise(offer: Offer, question: Question, policy: Policy, outlook: Outlook, *, is_free: bool) -> Estimate:
    length = lengths(offer, question, policy, outlook)
    price = terms(offer, question, outlook, length.paid, is_free=is_free)
    nanos, pace, left_s = price.nanos(question.input_tokens), outlook.pace, question.time_left_s
    return Estimate(
        input_tokens=math.ceil(question.input_tokens * outlook.statistics.input_token_scale),
        output_tokens=math.ceil(length.paid),
        cost_usd_nanos=estimates.whole_nanos(nanos) if price.is_known else None,
        rank_nanos=nanos,
        usd_per_million=nanos / (question.input_tokens + length.paid) / 1_000,
        blended_usd_nanos_per_million=None if price.blended is None else round(price.blended * NANOS_PER_USD),
        is_free=is_free,
        room=room(offer, outlook, length.paid),
        latency_s=pace.p50_s(length.usual),
        latency_p90_s=pace.p90_s(length.usual),
        chance=None if left_s is None else estimates.chance(pace, length.usual, left_s),
        proven_chance=None if left_s is None else proven_chance(question, outlook, length, left_s),
        quality=quality(offer, question, policy, outlook),
    )
