"""A table in the order of the most points that each row could still reach, for all requests of like length.

So a decision looks at the first few rows and stops where nothing behind can catch up. That keeps it fast among
thousands of targets, and changes no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from router_service.core.decision import points
from router_service.core.decision.table import Row, Table

DUST = 1e-9
"""What two ways of adding up the same points may differ by."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One class: its rows, and beside each the most points that it could reach."""

    most: tuple[float, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Extremes:
    """Of all rows: what a request stays within for which no row is too small, too slow, too dear or too full."""

    least_room: float
    most_s: float
    most_input_nanos: float
    most_answer_nanos: float
    least_in_flight: float


@dataclass(frozen=True, slots=True)
class Ranking:
    table: Table
    fit: tuple[Ranked, ...]
    unfit: Ranked
    extremes: Extremes


def octave(input_tokens: int) -> int:
    """Requests of one octave share a ranking: at most twice as long as each other."""
    return input_tokens.bit_length()


def ranking(table: Table, input_tokens: int) -> Ranking:
    """`input_tokens` stand for all of their octave."""
    return Ranking(
        table,
        tuple(_ranked(rows, table, input_tokens) for rows in table.fit),
        _ranked(table.unfit, table, input_tokens),
        _extremes(table, [row for rows in (*table.fit, table.unfit) for row in rows]),
    )


def _extremes(table: Table, rows: Sequence[Row]) -> Extremes:
    bounds = [entry.offer.max_in_flight for entry in table.shortlist.entries]
    return Extremes(
        least_room=min((row[4] for row in rows), default=math.inf),
        most_s=max((row[5] for row in rows), default=0.0),
        most_input_nanos=max((row[1] for row in rows), default=0.0),
        most_answer_nanos=max((row[2] for row in rows), default=0.0),
        least_in_flight=min((bound for bound in bounds if bound is not None), default=math.inf),
    )


def _ranked(rows: Sequence[Row], table: Table, input_tokens: int) -> Ranked:
    bounds = list(_bounds(rows, table, input_tokens))
    order = sorted(range(len(rows)), key=lambda place: -bounds[place])
    return Ranked(tuple(bounds[place] for place in order), tuple(rows[place] for place in order))


def _bounds(rows: Sequence[Row], table: Table, input_tokens: int) -> Iterator[float]:
    """With a full quota, and at the price of the mix that is the cheapest in the octave: one of its two ends."""
    high = 1 << octave(input_tokens)
    quota = table.weights.quota * points.FULL_QUOTA
    for known, input_nanos, answer_nanos, output, *_ in rows:
        nanos = min((input_nanos * tokens + answer_nanos) / (tokens + output) for tokens in (high / 2, high))
        lost = points.PRICED_COST - points.cost_points(nanos / 1_000)
        yield known + quota - table.weights.cost * lost + DUST
