"""The figures: their names, units and goals, and what a run's values come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.pair import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A bound on a figure's median, or on its ratio to the floor's."""

    bound: float
    is_at_least: bool
    is_of_floor: bool = False

    def is_met(self, value: float, ratio: float | None) -> bool:
        measured = ratio if self.is_of_floor else value
        if measured is None:
            return False
        return measured >= self.bound if self.is_at_least else measured <= self.bound

    def text(self, unit: str) -> str:
        sign = ">=" if self.is_at_least else "<="
        return f"{sign} {self.bound:g} of the floor" if self.is_of_floor else f"{sign} {self.bound:g} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a figure is. One without a goal is there to judge the others by."""

    name: str
    unit: str
    goal: Goal | None = None


KINDS = (
    Kind(name="route", unit="requests/s", goal=Goal(bound=0.60, is_at_least=True, is_of_floor=True)),
    Kind(name="complete", unit="requests/s", goal=Goal(bound=0.60, is_at_least=True, is_of_floor=True)),
    Kind(name="complete_sampled_all", unit="requests/s", goal=Goal(bound=0.52, is_at_least=True, is_of_floor=True)),
    Kind(name="complete_wall", unit="requests/s"),
    Kind(name="added_latency_p50", unit="ms", goal=Goal(bound=0.8, is_at_least=False)),
    Kind(name="added_latency_p99", unit="ms", goal=Goal(bound=2.5, is_at_least=False)),
    Kind(name="stream_chunks", unit="chunks/s", goal=Goal(bound=25_000, is_at_least=True)),
    Kind(name="stream_messages_per_chunk", unit="messages/chunk"),
    Kind(name="stream_first_chunk", unit="ms", goal=Goal(bound=1.0, is_at_least=False)),
    Kind(name="decision_5", unit="µs"),
    Kind(name="decision_50", unit="µs", goal=Goal(bound=30, is_at_least=False)),
    Kind(name="decision_500", unit="µs"),
    Kind(name="decision_5000", unit="µs", goal=Goal(bound=300, is_at_least=False)),
    Kind(name="memory_rest", unit="MiB", goal=Goal(bound=100, is_at_least=False)),
    Kind(name="memory_per_stream", unit="KiB", goal=Goal(bound=1.5, is_at_least=False, is_of_floor=True)),
    Kind(name="cold_start", unit="s", goal=Goal(bound=1.5, is_at_least=False)),
    Kind(name="upstream_ceiling", unit="requests/s"),
    Kind(name="foreign_cpu", unit="share"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of a run. The spread is the distance from the least to the greatest value as a share of the median."""

    name: str
    unit: str
    values: Sequence[float]
    median: float
    spread: float
    floor: Sequence[float] | None
    floor_median: float | None
    ratio: float | None
    goal: str | None
    met: bool | None


def figures(samples: Iterable[Sample], kinds: Sequence[Kind] = KINDS) -> Sequence[Figure]:
    """All kinds in their order, each from its samples of all repeats."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.figure, []).append(sample)
    return [_figure(kind, by_name[kind.name]) for kind in kinds]


def shown(value: float) -> str:
    """For people: three digits that mean something, thousands apart."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:.3g}"


def _figure(kind: Kind, samples: Sequence[Sample]) -> Figure:
    values = [sample.value for sample in samples]
    floor = [sample.floor for sample in samples if sample.floor is not None]
    middle, floor_median = median(values), median(floor) if floor else None
    ratio = middle / floor_median if floor_median else None
    return Figure(
        name=kind.name,
        unit=kind.unit,
        values=[_rounded(value) for value in values],
        median=_rounded(middle),
        spread=round((max(values) - min(values)) / middle, 3) if middle else 0.0,
        floor=[_rounded(value) for value in floor] if floor else None,
        floor_median=None if floor_median is None else _rounded(floor_median),
        ratio=None if ratio is None else round(ratio, 3),
        goal=kind.goal.text(kind.unit) if kind.goal else None,
        met=kind.goal.is_met(middle, ratio) if kind.goal else None,
    )


def _rounded(value: float) -> float:
    """Four digits that mean something; more would only claim a precision that no run has."""
    return float(f"{value:.4g}")
