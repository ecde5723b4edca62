"""The decision itself: what is asked, who may serve it, in which order, and what was drawn by chance on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from random import Random

from router_service.core.decision.appraisal import appraise
from router_service.core.decision.chain import across_providers
from router_service.core.decision.failure import Failure, StrategyFailed
from router_service.core.decision.moment import Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlooks
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.question import Question, ask
from router_service.core.decision.ranking import Ranking
from router_service.core.decision.scan import Scan, Score, shuffle_ties
from router_service.core.decision.strategies import POINTS, Option, Setting, Strategy
from router_service.core.decision.view import View
from router_service.core.request import Request
from router_service.core.slices import Slices
from router_service.core.task import Environment

NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Placed:
    """An eligible target with its class and its score under the strategy."""

    offer: Offer
    preference_class: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`chain` is the order in which to try. `order` is that of all who are eligible, None where only the first few were
    looked at, since nothing but an explanation needs the rest. `explored` is whom chance put first, if it did.
    `passed_over` are the targets of an earlier plan, by id, that stood before the first one and may not serve now.
    `failure` is that of the strategy in whose place points decided.
    """

    view: View
    prepared: Prepared
    question: Question
    strategy: Strategy
    outlooks: Outlooks
    moment: Moment
    ranking: Ranking
    scan: Scan
    chain: tuple[Offer, ...]
    order: tuple[Placed, ...] | None
    explored: Offer | None
    passed_over: tuple[str, ...] = ()
    failure: Failure | None = None


def decide(request: Request, view: View, rng: Random) -> Decision:
    """Raises InvalidRequest for a strategy that does not exist."""
    prepared = view.ready()
    question = ask(request, prepared.policy, prepared.marks, is_over_budget=view.budget.is_over)
    strategy = prepared.strategy(question.strategy)
    outlooks = prepared.outlooks(view.standings, view.statistics)
    moment = prepared.moment(view.quotas, view.budget)
    ranking = prepared.ranking(question, outlooks, moment)
    demoted = (
        frozenset([i for i, share in ranking.table.shares if rng.random() >= share]) if ranking.table.shares else NOBODY
    )
    scan = Scan(prepared.offers, prepared.policy, outlooks, moment, view.in_flight, question, ranking, demoted)
    order, explored, failure = None, None, None
    if strategy is not POINTS:
        try:
            order = tuple(_ordered(scan, view, prepared, question, outlooks, strategy, ranking, rng))
        except StrategyFailed as failed:
            strategy, failure = POINTS, failed.failure
    if order is not None:
        chain = linked([(p.offer, p.preference_class) for p in order], ranking, question.chain_length)
    elif failure is None and _may_explore(question, prepared, rng):
        explored = _explored(scan, prepared, outlooks, demoted, rng)
        chain = _chain(scan, prepared, question, rng, explored)
    else:
        chain = _chain(scan, prepared, question, rng, None)
    return Decision(
        view=view,
        prepared=prepared,
        question=question,
        strategy=strategy,
        outlooks=outlooks,
        moment=moment,
        ranking=ranking,
        scan=scan,
        chain=tuple(chain),
        order=order,
        explored=explored,
        failure=failure,
    )


def foresee(request: Request, view: View) -> Slices[None]:
    """The work of `decide` that requests of a kind share, in slices: after it, a decision over thousands of targets
    takes no longer than one that has been made before.
    """
    prepared = view.ready()
    question = ask(request, prepared.policy, prepared.marks, is_over_budget=view.budget.is_over)
    return prepared.working_out(question, view)


def everyone(scan: Scan, prepared: Prepared) -> list[Score]:
    """All who are eligible, the unhealthy last; those only while nobody is fit where the policy wants it so."""
    fit = scan.fit(len(prepared.offers))
    return fit if fit and prepared.policy.excludes_unhealthy else fit + scan.unfit()


def linked(placed: Iterable[tuple[Offer, int]], ranking: Ranking, wanted: int) -> list[Offer]:
    """Offers with their classes, best first, as a chain across providers; no last resort before one that is fit."""
    ranked, last = list(placed), len(ranking.fit) + 1
    fit = across_providers([offer for offer, number in ranked if number != last], wanted)
    unfit = across_providers([offer for offer, number in ranked if number == last], wanted - len(fit))
    return fit + unfit


def _chain(scan: Scan, prepared: Prepared, question: Question, rng: Random, explored: Offer | None) -> list[Offer]:
    """The short way under points: as few targets are looked at as the chain needs."""
    wanted, offers = question.chain_length, prepared.offers
    fit = scan.fit(wanted)
    shuffle_ties(fit, rng)
    chain = across_providers([offers[score[3]] for score in fit], wanted)
    if len(chain) < wanted and not (chain and prepared.policy.excludes_unhealthy):
        unfit = scan.unfit()
        shuffle_ties(unfit, rng)
        chain += across_providers([offers[score[3]] for score in unfit], wanted - len(chain))
    if explored is not None:
        chain = [explored, *(offer for offer in chain if offer is not explored)][:wanted]
    return chain


def _may_explore(question: Question, prepared: Prepared, rng: Random) -> bool:
    """A draw for each request that allows it: not for hurried ones, in development, or where a strategy is named."""
    share, profile = prepared.policy.exploration, question.profile
    if share <= 0 or profile.speed_critical or profile.is_strategy_named:
        return False
    return profile.environment is not Environment.DEVELOPMENT and rng.random() < share


def _ordered(
    scan: Scan,
    view: View,
    prepared: Prepared,
    question: Question,
    outlooks: Outlooks,
    strategy: Strategy,
    ranking: Ranking,
    rng: Random,
) -> Iterable[Placed]:
    """The long way: everybody who is eligible, class by class as the strategy orders them."""
    is_free = {entry.offer.index: entry.is_free for entry in ranking.table.shortlist.entries}
    among = tuple(ranking.table.shortlist.entry_of)
    setting = Setting(policy=prepared.policy, strategies=prepared.strategies, turns=view.turns, among=among)
    for number, scores in groupby(everyone(scan, prepared), key=lambda score: score[0]):
        options = [_option(score, view, prepared, question, outlooks, is_free=is_free[score[3]]) for score in scores]
        for score, option in strategy.order(options, setting, rng):
            yield Placed(option.offer, number, score)


def _option(
    score: Score, view: View, prepared: Prepared, question: Question, outlooks: Outlooks, *, is_free: bool
) -> Option:
    offer = prepared.offers[score[3]]
    outlook = outlooks.of[offer.index]
    return Option(
        offer=offer,
        outlook=outlook,
        estimate=appraise(offer, question, prepared.policy, outlook, is_free=is_free),
        points=-score[1],
        load=view.in_flight.get(offer.id, 0) + outlook.statistics.in_flight,
    )


def _explored(scan: Scan, prepared: Prepared, outlooks: Outlooks, demoted: frozenset[int], rng: Random) -> Offer | None:
    """One of the leading class of whom nothing fresh is known; None where there is none."""
    fit = scan.fit(len(prepared.offers))
    unknown = [
        score[3]
        for score in fit
        if score[0] == fit[0][0] and score[3] not in demoted and not outlooks.of[score[3]].statistics.has_fresh_evidence
    ]
    return prepared.offers[rng.choice(unknown)] if unknown else None
