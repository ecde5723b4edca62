"""A table in the order of the most points that each row could still reach, for all requests of like length.

So a decision looks at the first few rows and stops where nothing behind can catch up. That keeps it fast among
thousands of targets, and changes no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from router_service.core.decision import points
from router_service.core.decision.table import DROPPED, UNFIT, Row, Table

DUST = 1e-9
"""What two ways of adding up the same points may differ by."""


Ranked = Sequence[tuple[float, int, Row]]
"""One class: each row behind the most points that it could reach, negated, and its target's index; sorted."""


@dataclass(frozen=True, slots=True)
class Extremes:
    """Of all rows: what a request stays within for which no row is too small, too slow, too dear or too full."""

    least_room: float
    most_s: float
    most_input_nanos: float
    most_answer_nanos: float
    least_in_flight: float
    most_scale: float
    most_usual: float


@dataclass(frozen=True)
class Ranking:
    """`places` has the rows of each class that has any; `fit` are those of the fit, the first class first."""

    table: Table
    places: Mapping[int, Ranked]

    @cached_property
    def fit(self) -> tuple[Ranked, ...]:
        return tuple([self.places[place] for place in sorted(self.places) if place != UNFIT])

    @cached_property
    def unfit(self) -> Ranked:
        return self.places.get(UNFIT, ())

    @cached_property
    def extremes(self) -> Extremes:
        """Worked out only for those who want to know how many were turned away."""
        rows = [row for _, _, row in chain.from_iterable(self.places.values())]
        bounds = [entry.offer.max_in_flight for entry in self.table.shortlist.entries]
        return Extremes(
            least_room=min([row[4] for row in rows], default=math.inf),
            most_s=max([row[5] for row in rows], default=0.0),
            most_input_nanos=max([row[1] for row in rows], default=0.0),
            most_answer_nanos=max([row[2] for row in rows], default=0.0),
            least_in_flight=min([bound for bound in bounds if bound is not None], default=math.inf),
            most_scale=max([row[8] for row in rows], default=0.0),
            most_usual=max([row[9] for row in rows], default=0.0),
        )


def octave(input_tokens: int) -> int:
    """Requests of one octave share a ranking: at most twice as long as each other."""
    return input_tokens.bit_length()


def ranking(table: Table, input_tokens: int) -> Ranking:
    """`input_tokens` stand for all of their octave."""
    placed = _placed(table, table.spots, input_tokens)
    return Ranking(table, {place: sorted(rows) for place, rows in placed.items()})


def moved(old: Ranking, table: Table, indexes: Set[int], input_tokens: int) -> Ranking:
    """The ranking that `ranking` would give of `table`, which since `old` has moved only at these indexes."""
    came, places = _placed(table, indexes, input_tokens), dict(old.places)
    left = {spot.place for index in indexes if (spot := old.table.spots.get(index)) is not None}
    for place in {*came, *left} - {DROPPED}:
        rows = [ranked for ranked in places.pop(place, ()) if ranked[1] not in indexes]
        rows += sorted(came.get(place, ()))
        if rows:
            rows.sort()
            places[place] = rows
    return Ranking(table, places)


def _placed(table: Table, indexes: Iterable[int], input_tokens: int) -> Mapping[int, list[tuple[float, int, Row]]]:
    """Rows by class, in no order, behind the most points that they could reach, negated: with a full quota, and at the
    price of the mix that is the cheapest in the octave, which is one of its two ends.
    """
    high = float(1 << octave(input_tokens))
    quota = table.weights.quota * points.FULL_QUOTA
    low = high / 2
    found: dict[int, list[tuple[float, int, Row]]] = {}
    for index in indexes:
        spot = table.spots.get(index)
        if spot is None or spot.row is None:
            continue
        known, input_nanos, answer_nanos, output, *_ = spot.row
        nanos = min(
            (input_nanos * low + answer_nanos) / (low + output), (input_nanos * high + answer_nanos) / (high + output)
        )
        lost = points.PRICED_COST - points.cost_points(nanos / 1_000)
        most = known + quota - table.weights.cost * lost + DUST
        found.setdefault(spot.place, []).append((-most, index, spot.row))
    return found
