"""The decision: which targets serve a request, in which order, and why the others do not.

The work is in `core.decision`: gates, rules, points, strategies, and the chain. Deciding is cheap; explaining happens
only when somebody asks the plan for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from router_service.core.catalog import Target
from router_service.core.decision import explain, gates
from router_service.core.decision.appraisal import Estimate, appraise
from router_service.core.decision.decide import Decision, decide
from router_service.core.decision.expectation import Expectation, expect
from router_service.core.decision.explain import Candidate
from router_service.core.decision.failure import Failure
from router_service.core.decision.paid import refusal_if_paid
from router_service.core.decision.question import going_on
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.decision.standing import UNKNOWN_STANDING, SnapshotInfo, Standing
from router_service.core.decision.view import View
from router_service.core.health import State
from router_service.core.request import Request
from router_service.core.task import Complexity, TaskType

__all__ = ["UNKNOWN_STANDING", "Plan", "Rejection", "SnapshotInfo", "Standing", "View", "plan", "replan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Targets in the order to try them, at most as many as the policy's chain is long; empty when all were rejected.

    `decision_id` names a plan that is kept, to be run or reported on later.
    """

    targets: tuple[Target, ...]
    view: View
    decision: Decision
    decision_id: str = ""

    def standing(self, target: Target) -> Standing:
        return self.view.standing(target)

    @property
    def strategy(self) -> str:
        return self.decision.strategy.name

    @property
    def failure(self) -> Failure | None:
        """What the strategy did in whose place points decided; None where none failed."""
        return self.decision.failure

    @property
    def rule(self) -> str:
        """The name of the rule that applied; empty when none did."""
        rule = self.decision.ranking.table.shortlist.rule
        return "" if rule is None else rule.name

    @property
    def task_type(self) -> TaskType | None:
        return self.decision.question.task

    @property
    def complexity(self) -> Complexity | None:
        return self.decision.question.complexity

    @property
    def is_inferred(self) -> bool:
        """Whether the task or the complexity was inferred from the prompt."""
        return self.decision.question.is_inferred

    @property
    def inference_confidence(self) -> float | None:
        """0 to 1, also where it was too low for its result to be used; None when nothing had to be inferred."""
        return self.decision.question.confidence

    def take_turn(self) -> None:
        """The plan is acted on: where targets take turns, that of its first is over."""
        if self.decision.strategy.takes_turns and self.decision.chain:
            among = tuple(self.decision.ranking.table.shortlist.entry_of)
            self.view.turns.take(among, self.decision.chain[0].index)

    def expectation(self, place: int, most_usd_nanos: int | None = None) -> Expectation:
        """What an attempt at the target in that place will probably take, and what its answer has to be held to where
        it may cost no more than `most_usd_nanos`, in billionths of a dollar.
        """
        return expect(self.decision, self.decision.chain[place], most_usd_nanos)

    def refusal_if_paid(self, place: int) -> Refusal | None:
        """Why the target in that place may not serve where, against what was decided, it has to be paid."""
        return refusal_if_paid(self.decision, self.decision.chain[place])

    def refusal_if_too_long(self, place: int) -> Refusal | None:
        """Why the target in that place has no window for the question, which may have grown since it was decided."""
        decision, offer = self.decision, self.decision.chain[place]
        outlook = decision.outlooks.of[offer.index]
        estimate = appraise(offer, decision.question, decision.prepared.policy, outlook, is_free=False)
        return gates.too_long(offer, decision.question, estimate)

    def going_on(self, written_tokens: int) -> Plan:
        """The same plan where so much of the answer is written, and whoever comes next is given that to read."""
        question = going_on(self.decision.question, written_tokens)
        return replace(self, decision=replace(self.decision, question=question))

    def wider(self, than_tokens: int, *, keeps_chain: bool = False) -> Plan:
        """The same decision over the eligible targets alone that are known to have a larger window; with `keeps_chain`
        none that is not in the plan already.
        """
        offers = self.decision.chain if keeps_chain else explain.eligible(self.decision)
        wide = [offer for offer in offers if offer.target.model.context_tokens > than_tokens]
        chain = tuple(wide[: self.decision.question.chain_length])
        targets = tuple([offer.target for offer in chain])
        return replace(self, targets=targets, decision=replace(self.decision, chain=chain))

    @cached_property
    def estimate(self) -> Estimate | None:
        """What the request comes to at the first target; None when there is none."""
        return explain.estimate(self.decision, self.decision.chain[0]) if self.decision.chain else None

    @cached_property
    def rejected(self) -> Mapping[str, Rejection]:
        """By target id, the first gate that each rejected target failed."""
        return explain.rejections(self.decision)

    def refusal(self, target: str) -> Refusal:
        """The bound that the rejected target `target`, by id, has failed at."""
        return explain.refusal(self.decision, target)

    @cached_property
    def rejected_counts(self) -> Mapping[Rejection, int]:
        """How many targets each reason rejected, the most frequent first."""
        return explain.counts(self.decision)

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every target of the catalogue, the eligible ones in order and with their factors, then the rejected ones."""
        return explain.candidates(self.decision, len(self.decision.prepared.offers))

    def first_candidates(self, most: int) -> tuple[Candidate, ...]:
        """The first of `candidates`, at the price of so many."""
        return explain.candidates(self.decision, most)

    @cached_property
    def reason(self) -> str:
        """Why the first target is first, in a sentence for people."""
        return explain.sentence(self.decision, self.rejected_counts, self.estimate)


def replan(order: Sequence[str], request: Request, view: View, rng: Random) -> Plan:
    """A plan made earlier, its targets by id in `order`, against the present view: without those that a gate keeps out
    now, and with the unhealthy behind the others.
    """
    fresh = plan(request, view, rng)
    offers = {offer.id: offer for offer in fresh.decision.prepared.offers}
    left = [offers[id] for id in order if id in offers and id not in fresh.rejected]
    left.sort(key=lambda offer: view.standing(offer.target).state is State.UNHEALTHY)
    chain = tuple(left[: fresh.decision.question.chain_length])
    before = order[: order.index(chain[0].id)] if chain else ()
    passed_over = tuple(id for id in before if id not in offers or id in fresh.rejected)
    decision = replace(fresh.decision, chain=chain, explored=None, passed_over=passed_over)
    return replace(fresh, targets=tuple([offer.target for offer in decision.chain]), decision=decision)


def plan(request: Request, view: View, rng: Random) -> Plan:
    """Gates, rules, points or the strategy that was asked for, and the chain across providers.

    The same view and the same state of `rng` give the same plan. Raises InvalidRequest for an unknown strategy.
    """
    decision = decide(request, view, rng)
    return Plan(targets=tuple([offer.target for offer in decision.chain]), view=view, decision=decision)
