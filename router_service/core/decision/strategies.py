"""Strategies by name: values that say how eligible targets are scored, and how one order is made of the scores.

Other distributions register their own with what is defined here (docs/configuration.md, "Strategies of your own").
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import TypeAlias

from router_service.core.decision import points
from router_service.core.decision.appraisal import Estimate
from router_service.core.decision.failure import Failure, StrategyFailed, raised
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlook
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import position
from router_service.core.decision.turns import Among, Turns

NAME = re.compile("[a-z][a-z0-9_-]{0,62}")
"""What a strategy's name may be."""
NEAR = 1.1
"""Times within so much of the best are alike, and their load decides."""
LEAST_UTILITY = 0.01
"""What one bad factor leaves of a geometric mean, so that others can still be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An eligible target. `points` are those of the default strategy; `load` counts the requests in flight at it."""

    offer: Offer
    outlook: Outlook
    estimate: Estimate
    points: float
    load: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What strategies look at beside the options. `among` are all targets that requests of this kind may go to."""

    policy: Policy
    strategies: Mapping[str, Strategy]
    turns: Turns
    among: Among


Scorer = Callable[[Option, Setting], float]
Combine = Callable[[Sequence[tuple[float, float]]], float]
"""Makes one score of pairs of score and weight."""
Scores = Sequence[tuple[float, Option]]
Picker = Callable[[Scores, Setting, Random], list[tuple[float, Option]]]
"""Puts scored options of one class into the order in which they serve. It may give them other scores."""


def weighted_sum(scored: Sequence[tuple[float, float]]) -> float:
    return sum(score * weight for score, weight in scored)


def geometric_mean(scored: Sequence[tuple[float, float]]) -> float:
    """Of scores from 0 to 1: none of them makes up for another that is nothing."""
    total = sum(weight for _, weight in scored)
    if total <= 0:
        return 0.0
    return math.exp(sum(weight * math.log(max(LEAST_UTILITY, score)) for score, weight in scored) / total)


def best_first(scores: Scores, _setting: Setting, rng: Random) -> list[tuple[float, Option]]:
    """By score; of equals local ones first, then by points, then by chance."""
    drawn = {option.offer.index: rng.random() for _, option in scores}
    return sorted(scores, key=lambda s: (-s[0], not s[1].offer.is_local, -s[1].points, drawn[s[1].offer.index]))


def less_loaded_of_two(scores: Scores, setting: Setting, rng: Random) -> list[tuple[float, Option]]:
    """The best, or one nearly as fast: of two such drawn at random, the one with less in flight for its time."""
    ranked = best_first(scores, setting, rng)
    if len(ranked) < 2:
        return ranked
    best_s = ranked[0][1].estimate.latency_p90_s
    near = [s for s in ranked if s[1].estimate.latency_p90_s <= best_s * NEAR]
    if len(near) < 2:
        return ranked
    chosen = min(rng.sample(near, 2), key=lambda s: s[1].estimate.latency_p90_s * (s[1].load + 1))
    return [chosen, *(s for s in ranked if s is not chosen)]


def in_turn(scores: Scores, setting: Setting, _rng: Random) -> list[tuple[float, Option]]:
    """Whoever was first longest ago; those who never were in the catalogue's order."""
    scored = {option.offer.index: (score, option) for score, option in scores}
    return [scored[index] for index in setting.turns.order(setting.among, list(scored))]


def drawn_by_score(scores: Scores, _setting: Setting, rng: Random) -> list[tuple[float, Option]]:
    """A score is a share: the chance to be first among those that are left. Without a share, last."""
    luck = {s[1].offer.index: rng.random() ** (1 / s[0]) if s[0] > 0 else -1.0 for s in scores}
    return sorted(scores, key=lambda s: (-luck[s[1].offer.index], s[1].offer.index))


def by_vote(scores: Scores, setting: Setting, rng: Random) -> list[tuple[float, Option]]:
    """Borda: in each strategy's order a place is worth as many points as options stand behind it; equals share."""
    options = [option for _, option in scores]
    tally = dict.fromkeys((o.offer.index for o in options), 0.0)
    for name, votes in setting.policy.votes.items():
        if (voter := setting.strategies.get(name)) is None or voter.picker is by_vote:
            continue
        own = {o.offer.index: voter.score(o, setting) for o in options}
        ascending = sorted(own.values())
        for index, score in own.items():
            behind = (bisect_left(ascending, score) + bisect_right(ascending, score) - 1) / 2
            tally[index] += votes * behind
    return best_first([(tally[o.offer.index], o) for o in options], setting, rng)


def _points(option: Option, _setting: Setting) -> float:
    return option.points


def _cost(option: Option, setting: Setting) -> float:
    """What a success is expected to cost, negated, in USD; under the quality floor, less than anything above it."""
    cost = option.estimate.rank_nanos / 1e9 / max(0.01, option.outlook.statistics.success_rate_lower)
    return -cost if option.estimate.quality >= setting.policy.quality_floor else -1e6 - cost


def _time(option: Option, _setting: Setting) -> float:
    return -option.estimate.latency_p90_s


def _quality(option: Option, _setting: Setting) -> float:
    """Quality in per cent, and as its decimals, which only decide between equals, the certain success rate."""
    return round(100 * option.estimate.quality) + min(0.999, option.outlook.statistics.success_rate_lower)


def _cheapness(option: Option, _setting: Setting) -> float:
    if option.estimate.is_free:
        return 1.0
    return points.cost_points(option.estimate.usd_per_million) / points.FREE_COST


def _speed(option: Option, _setting: Setting) -> float:
    return points.latency_points(option.estimate.latency_s) / points.FULL_LATENCY


def _plain_quality(option: Option, _setting: Setting) -> float:
    return option.estimate.quality


def _idleness(option: Option, _setting: Setting) -> float:
    return -float(option.load)


def _share(option: Option, setting: Setting) -> float:
    shares = setting.policy.shares
    return shares.get(option.offer.id, shares.get(option.offer.target.provider.name, 0.0))


def _priority(option: Option, setting: Setting) -> float:
    return -float(position(setting.policy.priorities, option.offer.target, is_free=option.estimate.is_free))


def _nothing(_policy: Policy) -> str:
    return ""


def _shares_missing(policy: Policy) -> str:
    return "" if policy.shares else "routing.shares, for example shares: {groq: 3, together: 1}"


def _priorities_missing(policy: Policy) -> str:
    return "" if policy.priorities else "routing.priorities, for example priorities: [tier:local, groq]"


def _balance(place: int) -> Callable[[Policy], float]:
    return lambda policy: policy.balance[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """A named value: scorers with their weights, how their scores become one, and who picks by it.

    A weight is a number or is read from the policy. `describes` finishes the sentence "the first by ..." for people.
    `needs` tells the settings without which it has nothing to go by, in words, and is empty where there is enough.

    None of its functions may wait, or keep what it is given. What they raise ends no request: points decide then.
    """

    name: str
    describes: str
    scorers: tuple[tuple[Scorer, float | Callable[[Policy], float]], ...]
    combine: Combine = weighted_sum
    picker: Picker = best_first
    needs: Callable[[Policy], str] = _nothing

    def score(self, option: Option, setting: Setting) -> float:
        """More is better. Raises StrategyFailed where there is no such number."""
        try:
            weighed = [(s(option, setting), w(setting.policy) if callable(w) else w) for s, w in self.scorers]
            score = float(self.combine(weighed))
        except Exception as error:
            raise raised(self.name, error) from error
        if math.isnan(score):
            raise StrategyFailed(Failure(strategy=self.name, what="gave a score that is not a number"))
        return score

    def lacks(self, policy: Policy) -> str:
        """What `needs` tells. One that cannot even say that is asked for an order all the same."""
        try:
            return self.needs(policy)
        except Exception:  # noqa: BLE001 - a strategy of others may raise anything
            return ""

    @property
    def takes_turns(self) -> bool:
        return self.picker is in_turn

    def order(self, options: Sequence[Option], setting: Setting, rng: Random) -> list[tuple[float, Option]]:
        """The options of one class in the order in which they serve, each with its score. Raises StrategyFailed where
        its functions raise, or give anything else than each option once with a number.
        """
        scores = [(self.score(option, setting), option) for option in options]
        try:
            placed = [(float(score), option) for score, option in self.picker(scores, setting, rng)]
            is_order = len(placed) == len(options) and {o.offer.index for _, o in placed} == {
                o.offer.index for o in options
            }
        except StrategyFailed:
            raise
        except Exception as error:
            raise raised(self.name, error) from error
        if not is_order or any(math.isnan(score) for score, _ in placed):
            raise StrategyFailed(Failure(strategy=self.name, what="gave no order of the targets"))
        return placed


Known: TypeAlias = Mapping[str, Strategy | None]
"""Strategies by name; None for one that is installed and was not loaded, since this process makes no decisions."""

POINTS = Strategy(name="points", describes="points", scorers=((_points, 1.0),))

BUILT_IN: Mapping[str, Strategy] = MappingProxyType(
    {
        strategy.name: strategy
        for strategy in (
            POINTS,
            Strategy(name="cost_optimized", describes="cost per success", scorers=((_cost, 1.0),)),
            Strategy(
                name="latency_optimized",
                describes="time at the 90th percentile",
                scorers=((_time, 1.0),),
                picker=less_loaded_of_two,
            ),
            Strategy(name="quality_optimized", describes="quality, then health", scorers=((_quality, 1.0),)),
            Strategy(
                name="balanced",
                describes="the balance of cost, time and quality",
                scorers=((_cheapness, _balance(0)), (_speed, _balance(1)), (_plain_quality, _balance(2))),
                combine=geometric_mean,
            ),
            Strategy(name="round_robin", describes="turn", scorers=(), picker=in_turn),
            Strategy(name="least_loaded", describes="requests in flight", scorers=((_idleness, 1.0),)),
            Strategy(
                name="weighted",
                describes="a draw by shares",
                scorers=((_share, 1.0),),
                picker=drawn_by_score,
                needs=_shares_missing,
            ),
            Strategy(
                name="priority",
                describes="the configured order",
                scorers=((_priority, 1.0),),
                needs=_priorities_missing,
            ),
            Strategy(name="ensemble", describes="the vote of other strategies", scorers=(), picker=by_vote),
        )
    }
)
