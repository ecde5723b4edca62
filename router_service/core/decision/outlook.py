"""What health and statistics let expect of each target: worked out when they change, not for each request."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router_service.core.decision.estimates import Pace, pace
from router_service.core.decision.offer import Offer
from router_service.core.decision.points import health_points
from router_service.core.decision.policy import Policy
from router_service.core.decision.standing import UNKNOWN_STANDING, Standing
from router_service.core.decision.statistics import UNKNOWN_STATISTICS, TargetStatistics


@dataclass(frozen=True, slots=True)
class Outlook:
    """One target's. `health_points` are without a weight."""

    standing: Standing
    statistics: TargetStatistics
    pace: Pace
    health_points: float


class Outlooks:
    """All targets', by their index. `token_marks` are the input tokens from which on some target has other prices."""

    __slots__ = ("of", "standings", "statistics", "token_marks")

    def __init__(
        self,
        offers: Sequence[Offer],
        policy: Policy,
        standings: Mapping[str, Standing],
        statistics: Mapping[str, TargetStatistics],
        before: Outlooks | None,
    ) -> None:
        self.standings = standings
        self.statistics = statistics
        known: Sequence[Outlook | None] = [None] * len(offers) if before is None else before.of
        self.of: Sequence[Outlook] = [
            _outlook(offer, policy, standings, statistics, old) for offer, old in zip(offers, known, strict=True)
        ]
        marks = (
            math.ceil(long.from_input_tokens / outlook.statistics.input_token_scale)
            for offer, outlook in zip(offers, self.of, strict=True)
            if (long := offer.rank_prices.long_context) is not None
        )
        self.token_marks = sorted(set(marks))

    def band(self, input_tokens: int) -> int:
        """How many of the marks a request of that length reaches: within a band all prices are the same."""
        return bisect_right(self.token_marks, input_tokens)


def _outlook(
    offer: Offer,
    policy: Policy,
    standings: Mapping[str, Standing],
    statistics: Mapping[str, TargetStatistics],
    before: Outlook | None,
) -> Outlook:
    """The one from before where nothing was learnt since."""
    standing = standings.get(offer.id, UNKNOWN_STANDING)
    learnt = statistics.get(offer.id, UNKNOWN_STATISTICS)
    if before is None or before.statistics is not learnt:
        return Outlook(standing, learnt, pace(offer.target, learnt, policy), health_points(learnt))
    if before.standing is standing:
        return before
    return Outlook(standing, learnt, before.pace, before.health_points)
