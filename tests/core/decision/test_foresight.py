"""What decisions of a kind share, worked out in slices: it changes how long a decision takes, and never what it is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from router_service.core.decision.decide import foresee
from router_service.core.health import State
from router_service.core.plan import Standing, View
from router_service.core.request import Request, Routing
from router_service.core.slices import SLICE, finish
from router_service.core.task import TaskType
from tests.core.decision.making import FRESH, asked, decided, made, viewed

COUNT = 3 * SLICE
TARGETS = tuple(made(f"p{n % 9}/m{n}", price=0.1 + n % 17, context=100_000) for n in range(COUNT))
ASKED = (asked(), asked(output=64), asked(Routing(task_type=TaskType.RAG)), asked(tokens=50_000))
SLICES = 3 * COUNT // SLICE
"""Outlooks, shortlist and table have as many each."""


def fresh(view: View, request: Request) -> list[float]:
    """The scores of a decision that knows nothing beforehand."""
    return scores(viewed(*TARGETS, standings=view.standings, statistics=view.statistics), request)


def scores(view: View, request: Request) -> list[float]:
    return [candidate.score for candidate in decided(request, view).candidates]


def test_the_work_pauses_often_and_a_decision_then_finds_it() -> None:
    view = viewed(*TARGETS)
    assert sum(1 for _ in foresee(ASKED[0], view)) >= SLICES - 3
    kept = view.ready().outlooks(view.standings, view.statistics)
    assert not list(foresee(ASKED[0], view)), "nothing is left to do"
    assert decided(ASKED[0], view).decision.outlooks is kept
    assert scores(view, ASKED[0]) == fresh(view, ASKED[0])


@pytest.mark.parametrize("pause", [1, 4, 7, 9])
@pytest.mark.parametrize("is_everybody", [False, True])
def test_what_changes_between_the_slices_counts(pause: int, is_everybody: bool) -> None:
    """Others decide in between, by health and figures that this work has not seen."""
    rng = Random(pause)
    view = viewed(*TARGETS, standings={t.id: Standing(state=State.HEALTHY) for t in TARGETS})
    decided(ASKED[0], view)
    for request in ASKED[1:]:
        work = foresee(request, view)
        for _ in range(pause):
            next(work, None)
        view = _moved(view, rng, len(TARGETS) if is_everybody else 3)
        decided(ASKED[0], view)
        finish(work)
        for each in ASKED:
            assert scores(view, each) == fresh(view, each)


def _moved(view: View, rng: Random, count: int) -> View:
    """So many targets stand otherwise, and have other figures."""
    ids = [target.id for target in rng.sample(TARGETS, count)]
    states = {id: Standing(state=rng.choice((State.DEGRADED, State.UNHEALTHY))) for id in ids}
    figures = {id: replace(FRESH, success_rate_lower=rng.random(), input_token_scale=rng.uniform(0.5, 2)) for id in ids}
    return replace(view, standings={**view.standings, **states}, statistics={**view.statistics, **figures})
