"""A shortlist's points as far as they are known beforehand: what of them changes only with health and policy.

It is worked out once for all requests of a profile and an output limit; `ranking` then puts it into an order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from router_service.core.decision import appraisal, estimates, points
from router_service.core.decision.appraisal import Lengths
from router_service.core.decision.moment import Moment, Slots
from router_service.core.decision.outlook import Outlook, Outlooks
from router_service.core.decision.points import Weights
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import Question
from router_service.core.decision.rejection import Rejection
from router_service.core.decision.shortlist import Entry, Shortlist
from router_service.core.health import State
from router_service.core.slices import SLICE, Slices

Row = tuple[float, float, float, float, float, float, int, int, float, float]
"""The points without quota and price; what an input token costs and what the answer does, in billionths of a dollar;
the answer's tokens; the most input tokens that fit; the expected time in seconds; the slot of its quota; the target's
index; how many of its tokens one of the request's is, and the tokens of a usual answer. A plain tuple, because a
decision reads dozens of them."""


UNFIT, DROPPED = -1, -2
"""Places of those that are in no class: the unhealthy, and those that can serve none of these requests."""


class Spot(NamedTuple):
    """Where one target stands: its class, UNFIT or DROPPED. A dropped one has no row, and a reason where it does not
    hang on the single request.
    """

    place: int
    row: Row | None
    reason: Rejection | None
    share: float

    def stands_like(self, other: Spot) -> bool:
        return self.place == other.place and self.reason is other.reason and self.share == other.share


@dataclass(frozen=True, slots=True)
class Table:
    """`spots` are by the targets' indexes, in the catalogue's order.

    `dropped` are those that can serve none of these requests, by index, with the reason where it does not hang on the
    single request. `shares` are the fit targets that take only a share of the traffic, from 0 to 1, in the catalogue's
    order, and `providers` is how many providers the fit ones belong to.
    """

    shortlist: Shortlist
    weights: Weights
    spots: Mapping[int, Spot]
    dropped: tuple[tuple[int, Rejection | None], ...]
    shares: tuple[tuple[int, float], ...]
    providers: int


def table(
    found: Shortlist, question: Question, policy: Policy, outlooks: Outlooks, moment: Moment, slots: Slots
) -> Slices[Table]:
    """`question` stands for all of its profile, output limit, price band and kind of cost bound."""
    weights = points.weights_of(question.profile)
    spots: dict[int, Spot] = {}
    for index, entry in found.entry_of.items():
        if not (len(spots) + 1) % SLICE:
            yield
        spots[index] = _spot(entry, question, policy, outlooks.of[index], moment, slots, weights)
    return _table(found, weights, spots)


def moved(
    old: Table,
    indexes: Iterable[int],
    question: Question,
    policy: Policy,
    outlooks: Outlooks,
    moment: Moment,
    slots: Slots,
) -> Table:
    """The table that `table` would give, where since `old` only these targets' outlooks have moved."""
    entry_of = old.shortlist.entry_of
    fresh = {
        index: _spot(entry_of[index], question, policy, outlooks.of[index], moment, slots, old.weights)
        for index in indexes
        if index in entry_of
    }
    spots = {**old.spots, **fresh}
    if all(spot.stands_like(old.spots[index]) for index, spot in fresh.items()):
        return replace(old, spots=spots)
    return _table(old.shortlist, old.weights, spots)


def _table(found: Shortlist, weights: Weights, spots: Mapping[int, Spot]) -> Table:
    return Table(
        shortlist=found,
        weights=weights,
        spots=spots,
        dropped=tuple([(index, spot.reason) for index, spot in spots.items() if spot.place == DROPPED]),
        shares=tuple([(index, s.share) for index, s in spots.items() if s.place >= 0 and s.share < 1.0]),
        providers=len({found.entry_of[index].offer.slot for index, spot in spots.items() if spot.place >= 0}),
    )


def _spot(
    entry: Entry,
    question: Question,
    policy: Policy,
    outlook: Outlook,
    moment: Moment,
    slots: Slots,
    weights: Weights,
) -> Spot:
    share = outlook.standing.traffic_share
    if appraisal.quality(entry.offer, question, policy, outlook) < question.profile.min_quality:
        return Spot(DROPPED, None, Rejection.QUALITY, share)
    row = _row(entry, question, policy, outlook, moment, slots, weights)
    if row is None:
        return Spot(DROPPED, None, None, share)
    is_down = outlook.standing.state is State.UNHEALTHY
    return Spot(UNFIT if is_down else entry.preference_class, row, None, share)


def _row(
    entry: Entry,
    question: Question,
    policy: Policy,
    outlook: Outlook,
    moment: Moment,
    slots: Slots,
    weights: Weights,
) -> Row | None:
    """None for a target that health or money keep away from all of these requests."""
    offer, provider = entry.offer, entry.offer.target.provider.name
    if outlook.standing.block_reason is not None:
        return None
    if not entry.is_free and not moment.may_be_paid(provider):
        return None
    length = appraisal.lengths(offer, question, policy, outlook)
    price = appraisal.terms(offer, question, outlook, length.paid, is_free=entry.is_free)
    is_bounded = question.max_cost_usd_nanos is not None or provider in moment.budget.request_limits
    if is_bounded and not price.is_known:
        return None
    known = _known_points(entry, question, policy, outlook, weights, length)
    room, time_s = appraisal.room(offer, outlook, length.paid), outlook.pace.p50_s(length.usual)
    slot = slots.of(offer, moment.quotas)
    scale, usual = outlook.statistics.input_token_scale, float(math.ceil(length.usual))
    return (known, price.input_nanos, price.answer_nanos, length.paid, room, time_s, slot, offer.index, scale, usual)


def _known_points(
    entry: Entry, question: Question, policy: Policy, outlook: Outlook, weights: Weights, length: Lengths
) -> float:
    """All points but those of the quota and, where there is a price, what the price takes away."""
    offer, profile = entry.offer, question.profile
    latency = points.latency_points(outlook.pace.p50_s(length.usual))
    prior = estimates.expected_quality(offer.target, profile.task, policy)
    match = (
        points.SPEED_FACTOR * latency
        if profile.speed_critical
        else points.FULL_TASK_MATCH * points.task_match(offer, profile, outlook.statistics, prior)
    )
    return (
        weights.health * outlook.health_points
        + weights.latency * latency
        + weights.task_match * match
        + weights.environment * points.environment_points(offer, profile, policy)
        + weights.capabilities * points.FULL_CAPABILITIES * points.capability_share(offer, profile)
        + weights.cost * (points.FREE_COST if entry.is_free else points.PRICED_COST)
    )
