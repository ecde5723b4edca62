"""What values come to: medians, spreads, ratios to the floor, and goals of both kinds."""

from __future__ import annotations

import pytest

from benchmarks.figures import Goal, Kind, figures
from benchmarks.pair import Sample

AT_MOST_HALF_MORE = Goal(bound=1.5, is_at_least=False, is_of_floor=True)


@pytest.mark.parametrize(
    ("goal", "value", "floor", "is_met"),
    [
        (Goal(bound=30, is_at_least=False), 30.0, None, True),
        (Goal(bound=30, is_at_least=False), 30.1, None, False),
        (Goal(bound=25_000, is_at_least=True), 25_000.0, 1.0, True),
        (Goal(bound=0.6, is_at_least=True, is_of_floor=True), 590.0, 1000.0, False),
        (AT_MOST_HALF_MORE, 45.0, 33.0, True),
        (AT_MOST_HALF_MORE, 50.0, 33.0, False),
        (AT_MOST_HALF_MORE, 1.0, None, False),
    ],
)
def test_goal(goal: Goal, value: float, floor: float | None, is_met: bool) -> None:
    [figure] = figures([Sample(figure="x", value=value, floor=floor)], [Kind(name="x", unit="ms", goal=goal)])
    assert figure.met is is_met


def test_figure_of_five_repeats() -> None:
    samples = [Sample(figure="x", value=v, floor=2 * v) for v in (10.0, 12.0, 11.0, 9.0, 30.0)]
    [figure] = figures(samples, [Kind(name="x", unit="ms")])
    assert (figure.median, figure.floor_median, figure.ratio) == (11.0, 22.0, 0.5)
    assert figure.spread == pytest.approx(21 / 11, abs=0.001)
    assert (figure.goal, figure.met) == (None, None)
