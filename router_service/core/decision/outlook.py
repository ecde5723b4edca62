"""What health and statistics let expect of each target: worked out when they change, not for each request."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import is_not

from router_service.core.decision.estimates import Pace, pace
from router_service.core.decision.offer import Offer
from router_service.core.decision.points import health_points
from router_service.core.decision.policy import Policy
from router_service.core.decision.standing import UNKNOWN_STANDING, Standing
from router_service.core.decision.statistics import UNKNOWN_STATISTICS, TargetStatistics
from router_service.core.slices import SLICE, Slices


@dataclass(frozen=True, slots=True)
class Outlook:
    """One target's. `health_points` are without a weight."""

    standing: Standing
    statistics: TargetStatistics
    pace: Pace
    health_points: float

    def ranks_like(self, other: Outlook) -> bool:
        """Whether nothing differs that places a target: the span of its last probe, say, does not."""
        mine, its = self.standing, other.standing
        return (
            self.statistics is other.statistics
            and mine.state is its.state
            and mine.traffic_share == its.traffic_share
            and (mine.block_reason is None) is (its.block_reason is None)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlooks:
    """All targets', by their index. `moved` are those that are ranked otherwise than before, or None for all of them.
    `token_marks` are the input tokens from which on some target has other prices.
    """

    standings: Mapping[str, Standing]
    statistics: Mapping[str, TargetStatistics]
    of: Sequence[Outlook]
    moved: frozenset[int] | None
    token_marks: Sequence[int]

    def band(self, input_tokens: int) -> int:
        """How many of the marks a request of that length reaches: within a band all prices are the same."""
        return bisect_right(self.token_marks, input_tokens)


def outlooks(
    offers: Mapping[str, Offer],
    policy: Policy,
    standings: Mapping[str, Standing],
    statistics: Mapping[str, TargetStatistics],
    before: Outlooks | None,
) -> Slices[Outlooks]:
    """`offers` are all of the catalogue, in its order, by id."""
    if before is None:
        return _anew(offers, policy, standings, statistics)
    return _changed(offers, policy, standings, statistics, before)


def _anew(
    offers: Mapping[str, Offer],
    policy: Policy,
    standings: Mapping[str, Standing],
    statistics: Mapping[str, TargetStatistics],
) -> Slices[Outlooks]:
    of: list[Outlook] = []
    for offer in offers.values():
        of.append(_outlook(offer, policy, standings, statistics, None))
        if not len(of) % SLICE:
            yield
    marks = _token_marks(offers.values(), of)
    return Outlooks(standings=standings, statistics=statistics, of=of, moved=None, token_marks=marks)


def _changed(
    offers: Mapping[str, Offer],
    policy: Policy,
    standings: Mapping[str, Standing],
    statistics: Mapping[str, TargetStatistics],
    before: Outlooks,
) -> Slices[Outlooks]:
    of, is_priced_anew = list(before.of), False
    moved: set[int] = set()
    replaced = {*_replaced(standings, before.standings, offers), *_replaced(statistics, before.statistics, offers)}
    for number, id in enumerate(replaced, 1):
        if not number % SLICE:
            yield
        if (offer := offers.get(id)) is None:
            continue
        old = of[offer.index]
        new = of[offer.index] = _outlook(offer, policy, standings, statistics, old)
        if new.ranks_like(old):
            continue
        moved.add(offer.index)
        if offer.rank_prices.long_context is not None and _scale(new) != _scale(old):
            is_priced_anew = True
    return Outlooks(
        standings=standings,
        statistics=statistics,
        of=of,
        moved=frozenset(moved),
        token_marks=_token_marks(offers.values(), of) if is_priced_anew else before.token_marks,
    )


def _replaced(now: Mapping[str, object], before: Mapping[str, object], ids: Iterable[str]) -> Iterable[str]:
    """Whose values are other objects than before. Of mappings in the same order, as those mostly are that one was made
    of the other, that is seen without a look-up for each.
    """
    if now is before:
        return ()
    if len(now) == len(before) and list(now) == list(before):
        return compress(now, map(is_not, now.values(), before.values()))
    return [id for id in ids if now.get(id) is not before.get(id)]


def _token_marks(offers: Iterable[Offer], outlooks: Sequence[Outlook]) -> Sequence[int]:
    marks = (
        math.ceil(long.from_input_tokens / _scale(outlook))
        for offer, outlook in zip(offers, outlooks, strict=True)
        if (long := offer.rank_prices.long_context) is not None
    )
    return sorted(set(marks))


def _scale(outlook: Outlook) -> float:
    return outlook.statistics.input_token_scale


def _outlook(
    offer: Offer,
    policy: Policy,
    standings: Mapping[str, Standing],
    statistics: Mapping[str, TargetStatistics],
    before: Outlook | None,
) -> Outlook:
    """What was learnt is worked out anew only where it is not what it was."""
    standing = standings.get(offer.id, UNKNOWN_STANDING)
    learnt = statistics.get(offer.id, UNKNOWN_STATISTICS)
    if before is None or before.statistics is not learnt:
        return Outlook(standing, learnt, pace(offer.target, learnt, policy), health_points(learnt))
    return Outlook(standing, learnt, before.pace, before.health_points)
