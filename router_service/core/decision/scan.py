"""The hot path of a decision: gates of size and moment, and the missing points, over the rows of a ranking."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, auto
from random import Random

from router_service.core.decision import appraisal, estimates, points
from router_service.core.decision.gates import without_room
from router_service.core.decision.moment import OPEN, Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlooks
from router_service.core.decision.policy import Policy
from router_service.core.decision.question import Question
from router_service.core.decision.ranking import Ranked, Ranking
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.decision.table import Row

SURELY_IN_TIME = 4.0
"""A deadline so many times the median is met with more than even odds, since percentiles are held to a width."""
EVEN_ODDS = 0.5
STRIDE = 8
"""How many rows are read between two looks at whether to stop."""

Score = tuple[int, float, bool, int]
"""An eligible target's place: its class, its points negated, whether it is not local, its index. Sorted, the best comes
first. A plain tuple, because a decision makes dozens of them."""


class Lateness(Enum):
    """Why a target may miss the deadline: as it was measured, which refuses it, or only by its priors, which puts it
    behind those that will probably be in time.
    """

    LATE = auto()
    DOUBTFUL = auto()


class Scan:
    """One request's reading of a ranking. `demoted` are the targets whose share of the traffic others take up."""

    __slots__ = (
        "_demoted",
        "_in_flight",
        "_late",
        "_moment",
        "_most_nanos",
        "_most_s",
        "_offers",
        "_outlooks",
        "_policy",
        "_question",
        "_ranking",
        "_surely_in_s",
    )

    def __init__(
        self,
        offers: tuple[Offer, ...],
        policy: Policy,
        outlooks: Outlooks,
        moment: Moment,
        in_flight: Mapping[str, int],
        question: Question,
        ranking: Ranking,
        demoted: frozenset[int],
    ) -> None:
        self._offers = offers
        self._policy = policy
        self._outlooks = outlooks
        self._moment = moment
        self._in_flight = in_flight
        self._question = question
        self._ranking = ranking
        self._demoted = demoted
        self._late: list[Score] = []
        self._most_s = math.inf if question.max_latency_s is None else question.max_latency_s
        self._surely_in_s = _surely_in_s(question, policy)
        bounds = (question.max_cost_usd_nanos, moment.budget.left_usd_nanos)
        self._most_nanos = min((b + estimates.NANO_DUST for b in bounds if b is not None), default=math.inf)

    def fit(self, wanted: int) -> list[Score]:
        """The best fit targets in order: the first `wanted` of each provider's best, then of all. What has to stand
        behind comes last. Beyond `wanted` the order may have gaps.
        """
        ranking, found = self._ranking, list[Score]()
        self._late = []
        seen: set[int] = set()
        for number, ranked in enumerate(ranking.fit):
            lacking = min(wanted, ranking.table.providers) - len(seen)
            if lacking <= 0 and len(found) >= wanted:
                return found
            eligible = self._read(ranked, number, seen, lacking, max(lacking, wanted - len(found)))
            eligible.sort()
            found += eligible
            if number + 1 < len(ranking.fit):
                seen |= {self._offers[score[3]].slot for score in eligible}
        return found + sorted(self._late)

    def refused(self) -> list[tuple[int, Rejection]]:
        """Who of the rows is turned away, by index, with the first gate that he fails. Mostly nobody is, and that is
        seen without reading them.
        """
        if not self._may_refuse():
            return []
        refused: list[tuple[int, Rejection]] = []
        is_anyone_fit = False
        for ranked in self._ranking.fit:
            found = self._refused_of(ranked, None)
            is_anyone_fit = is_anyone_fit or len(found) < len(ranked)
            refused += found
        last = Rejection.HEALTH if is_anyone_fit and self._policy.excludes_unhealthy else None
        return refused + self._refused_of(self._ranking.unfit, last)

    def _may_refuse(self) -> bool:
        question, extremes = self._question, self._ranking.extremes
        nanos = extremes.most_input_nanos * question.input_tokens + extremes.most_answer_nanos
        if question.input_tokens > extremes.least_room or nanos > self._most_nanos or extremes.most_s > self._most_s:
            return True
        if extremes.most_s > self._surely_in_s or self._moment.sized:
            return True
        count = extremes.most_scale * question.input_tokens + extremes.most_usual + 1
        if any(money < nanos or tokens < count for _, money, tokens in self._moment.states.values()):
            return True
        if self._policy.excludes_unhealthy and self._ranking.unfit:
            return True
        return any(running >= extremes.least_in_flight for running in self._in_flight.values())

    def _refused_of(self, ranked: Ranked, otherwise: Rejection | None) -> list[tuple[int, Rejection]]:
        reasons = [(index, self._refusal(row) or otherwise) for _, index, row in ranked]
        return [(index, reason) for index, reason in reasons if reason is not None]

    def _refusal(self, row: Row) -> Rejection | None:
        """The gates in their order, as `gates.passing` has them in words."""
        _, input_nanos, answer_nanos, _, room, time_s, slot, index, scale, usual = row
        question, offer, budget = self._question, self._offers[index], self._moment.budget
        nanos = input_nanos * question.input_tokens + answer_nanos
        provider = offer.target.provider.name
        bounds = (question.max_cost_usd_nanos, budget.request_limits.get(provider))
        _, most_nanos, most_tokens = self._moment.states.get(slot, OPEN)
        if question.input_tokens > room:
            return Rejection.CONTEXT_WINDOW
        if nanos > 0.0 and any(bound is not None and nanos > bound + estimates.NANO_DUST for bound in bounds):
            return Rejection.COST_PER_REQUEST
        if time_s > self._most_s:
            return Rejection.LATENCY
        if time_s > self._surely_in_s and self._lateness(offer) is Lateness.LATE:
            return Rejection.DEADLINE
        left = min(self._most_nanos, budget.provider_left.get(provider, math.inf) + estimates.NANO_DUST)
        if nanos > 0.0 and nanos > left:
            return Rejection.SPEND_LIMIT
        if slot in self._moment.sized and (refusal := self._too_large(offer)) is not None:
            return refusal.reason
        if nanos > most_nanos or question.input_tokens * scale > most_tokens - usual:
            return Rejection.QUOTA
        is_full = offer.max_in_flight is not None and self._in_flight.get(offer.id, 0) >= offer.max_in_flight
        return Rejection.CONCURRENCY if is_full else None

    def unfit(self) -> list[Score]:
        """The eligible among the unhealthy, best first."""
        ranked, number = self._ranking.unfit, len(self._ranking.fit) + 1
        if not ranked:
            return []
        self._late = []
        return sorted(self._read(ranked, number, set(), len(ranked), len(ranked))) + sorted(self._late)

    def _read(self, ranked: Ranked, number: int, seen: set[int], lacking: int, wanted: int) -> list[Score]:
        """The eligible of one class. It stops where no row that is left can be among the best `wanted`, or be the best
        of one of the `lacking` providers that are still looked for.
        """
        question, offers, demoted, state_of = self._question, self._offers, self._demoted, self._moment.states.get
        sized = self._moment.sized
        in_flight, left_s = self._in_flight, self._surely_in_s
        tokens, most_nanos = question.input_tokens, self._most_nanos
        most_s = self._most_s
        quota_weight = self._ranking.table.weights.quota
        cost_per_log = self._ranking.table.weights.cost * points.COST_PER_LOG
        cheapest, dearest, log = points.CHEAPEST_USD, points.DEAREST_USD, math.log
        found: list[Score] = []
        best: dict[int, float] = {}
        floor = -math.inf
        place = 0
        for negated, index, (known, input_nanos, answer_nanos, output, room, time_s, slot, _, scale, usual) in ranked:
            place += 1
            if not place % STRIDE:
                floor = _floor(found, best, seen, lacking, wanted)
            if -negated < floor:
                break
            quota, bound_nanos, bound_tokens = state_of(slot, OPEN)
            nanos = input_nanos * tokens + answer_nanos
            if nanos > bound_nanos or nanos > most_nanos or tokens > room or time_s > most_s:
                continue
            if tokens * scale > bound_tokens - usual or (sized and slot in sized and self._too_large(offers[index])):
                continue
            score = known + quota_weight * quota
            if nanos > 0.0:
                usd = nanos / (tokens + output) / 1_000
                if usd > cheapest:
                    score -= cost_per_log * log((usd if usd < dearest else dearest) / cheapest)
            offer = offers[index]
            if in_flight and offer.max_in_flight is not None and in_flight.get(offer.id, 0) >= offer.max_in_flight:
                continue
            lateness = self._lateness(offer) if time_s > left_s else None
            if lateness is Lateness.LATE:
                continue
            if lateness is Lateness.DOUBTFUL or (demoted and index in demoted):
                self._late.append((max(number, len(self._ranking.fit)), -score, not offer.is_local, index))
                continue
            found.append((number, -score, not offer.is_local, index))
            slot = offer.slot
            if slot not in best or score > best[slot]:
                best[slot] = score
        return found

    def _too_large(self, offer: Offer) -> Refusal | None:
        """What windows keep away, by all that can be said of them."""
        shortlist = self._ranking.table.shortlist
        return without_room(
            offer,
            self._question,
            self._policy,
            shortlist.rule,
            self._outlooks.of[offer.index],
            self._moment,
            is_free=shortlist.entry_of[offer.index].is_free,
        )

    def _lateness(self, offer: Offer) -> Lateness | None:
        """None for a target that will probably answer before the deadline."""
        outlook, left_s, floor = self._outlooks.of[offer.index], self._question.time_left_s, self._policy.deadline_floor
        length = appraisal.lengths(offer, self._question, self._policy, outlook)
        if left_s is None or estimates.chance(outlook.pace, length.usual, left_s) >= floor:
            return None
        is_proven = appraisal.proven_chance(self._question, outlook, length, left_s) < floor
        return Lateness.LATE if is_proven else Lateness.DOUBTFUL


def shuffle_ties(scores: list[Score], rng: Random) -> None:
    """Put those that are equal in class, points and hosting into a random order."""
    if len({score[1] for score in scores}) == len(scores):
        return
    start = 0
    for end in range(1, len(scores) + 1):
        if end < len(scores) and scores[end][:3] == scores[start][:3]:
            continue
        if end - start > 1:
            tied = scores[start:end]
            rng.shuffle(tied)
            scores[start:end] = tied
        start = end


def _surely_in_s(question: Question, policy: Policy) -> float:
    """An expected time so short that nothing has to be reckoned to know that the deadline leaves enough."""
    if question.time_left_s is None:
        return math.inf
    return question.time_left_s / SURELY_IN_TIME if policy.deadline_floor <= EVEN_ODDS else 0.0


def _floor(found: list[Score], best: Mapping[int, float], seen: set[int], lacking: int, wanted: int) -> float:
    """The points below which a row changes nothing any more."""
    if len(best) < lacking or len(found) < wanted:
        return -math.inf
    last = -sorted([score[1] for score in found])[wanted - 1] if wanted > 0 else math.inf
    if lacking <= 0:
        return last
    news = sorted([score for slot, score in best.items() if slot not in seen], reverse=True)
    return min(news[lacking - 1], last) if len(news) >= lacking else -math.inf
