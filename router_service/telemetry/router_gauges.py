"""How the router stands now: what is under way, what is left of quotas and money, what it knows of health."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from router_service.core.budget import BudgetReading
from router_service.core.outcome import BlockReason
from router_service.core.plan import Standing
from router_service.core.prices import NANOS_PER_USD
from router_service.core.quota import WindowReading
from router_service.telemetry.instruments import Family, Instrument, Kind, Point

QUOTA_LABELS = ("provider", "unit", "per", "models", "kind")
BUDGET_LABELS = ("owner", "name", "per")

IN_FLIGHT = Instrument(
    name="signalbox.in_flight", kind=Kind.GAUGE, unit="{request}", meaning="Requests that the router is serving."
)
ATTEMPTS_IN_FLIGHT = Instrument(
    name="signalbox.attempts.in_flight",
    kind=Kind.GAUGE,
    unit="{attempt}",
    meaning="Upstream calls under way.",
    labels=("target",),
)
TRAFFIC_SHARE = Instrument(
    name="signalbox.target.traffic_share",
    kind=Kind.GAUGE,
    unit="1",
    meaning="The share of its usual traffic that health leaves a target: 1 is all, 0 none.",
    labels=("target",),
)
BLOCKED = Instrument(
    name="signalbox.provider.blocked",
    kind=Kind.GAUGE,
    unit="{provider}",
    meaning="1 while a provider is not called for that reason although it may be well, else 0.",
    labels=("provider", "reason"),
)
SNAPSHOT_AGE = Instrument(
    name="signalbox.snapshot.age",
    kind=Kind.GAUGE,
    unit="s",
    meaning="How long ago the last health snapshot came from the prober; missing where none ever did.",
)
SNAPSHOTS_REFUSED = Instrument(
    name="signalbox.snapshots.refused",
    kind=Kind.COUNTER,
    unit="{snapshot}",
    meaning="Health snapshots that were not believed, by the field that was wrong with them.",
    labels=("cause",),
)
QUOTA_REMAINING = Instrument(
    name="signalbox.quota.remaining",
    kind=Kind.GAUGE,
    unit="{unit}",
    meaning="What is left in the present window of a provider's limit, in the label's unit.",
    labels=QUOTA_LABELS,
)
QUOTA_LIMIT = Instrument(
    name="signalbox.quota.limit",
    kind=Kind.GAUGE,
    unit="{unit}",
    meaning="The whole of that window.",
    labels=QUOTA_LABELS,
)
BUDGET_REMAINING = Instrument(
    name="signalbox.budget.remaining.usd",
    kind=Kind.GAUGE,
    unit="{USD}",
    meaning="What may still be spent in the present window of a budget; below zero where it was crossed.",
    labels=BUDGET_LABELS,
)
BUDGET_LIMIT = Instrument(
    name="signalbox.budget.limit.usd",
    kind=Kind.GAUGE,
    unit="{USD}",
    meaning="The whole of that budget.",
    labels=BUDGET_LABELS,
)
INSTRUMENTS = (
    *(IN_FLIGHT, ATTEMPTS_IN_FLIGHT, TRAFFIC_SHARE, BLOCKED, SNAPSHOT_AGE, SNAPSHOTS_REFUSED),
    *(QUOTA_REMAINING, QUOTA_LIMIT, BUDGET_REMAINING, BUDGET_LIMIT),
)
_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterGauges:
    """Where each figure is known. `quotas` gives the windows of a provider by name."""

    in_flight: Callable[[], int]
    attempts_in_flight: Mapping[str, int]
    standings: Callable[[], Mapping[str, Standing]]
    snapshot_age_s: Callable[[], float | None]
    snapshots_refused: Mapping[str, int]
    quotas: Callable[[str], Iterable[WindowReading]]
    budgets: Callable[[], Iterable[BudgetReading]]

    def families(self) -> Iterator[Family]:
        """Everything as it stands; a source of a Meter."""
        yield Family(IN_FLIGHT, [Point((), self.in_flight())])
        yield Family(ATTEMPTS_IN_FLIGHT, [Point((t,), n) for t, n in self.attempts_in_flight.items()])
        standings = self.standings()
        yield Family(TRAFFIC_SHARE, [Point((t,), s.traffic_share) for t, s in standings.items()])
        yield Family(BLOCKED, blocked_points(_blocks(standings)))
        age_s = self.snapshot_age_s()
        yield Family(SNAPSHOT_AGE, [] if age_s is None else [Point((), age_s)])
        yield Family(SNAPSHOTS_REFUSED, _by_cause(self.snapshots_refused))
        providers = dict.fromkeys(target.partition("/")[0] for target in standings)
        windows = {_quota_labels(name, window): window for name in providers for window in self.quotas(name)}
        yield Family(QUOTA_REMAINING, [Point(labels, window.remaining) for labels, window in windows.items()])
        yield Family(QUOTA_LIMIT, [Point(labels, window.limit) for labels, window in windows.items()])
        budgets = {_budget_labels(reading): reading for reading in self.budgets()}
        yield Family(BUDGET_REMAINING, [Point(labels, _left_usd(reading)) for labels, reading in budgets.items()])
        yield Family(BUDGET_LIMIT, [Point(labels, _usd(r.line.limit_usd_nanos)) for labels, r in budgets.items()])


def blocked_points(blocks: Mapping[str, BlockReason | None]) -> list[Point]:
    """A point for each provider and reason; `blocks` has the reason that holds now."""
    return [Point((provider, r.value), int(r is reason)) for provider, reason in blocks.items() for r in BlockReason]


def _blocks(standings: Mapping[str, Standing]) -> Mapping[str, BlockReason | None]:
    """A block is its provider's, and so the same for all of its targets."""
    return {t.partition("/")[0]: s.block_reason if s.blocked_for_s > 0 else None for t, s in standings.items()}


def _by_cause(refused: Mapping[str, int]) -> list[Point]:
    """A field's path without its indexes, of which there are as many as targets."""
    causes: dict[str, int] = {}
    for field, count in refused.items():
        cause = _INDEX.sub("[]", field)
        causes[cause] = causes.get(cause, 0) + count
    return [Point((cause,), count) for cause, count in causes.items()]


def _quota_labels(provider: str, window: WindowReading) -> tuple[str, ...]:
    kind = "free" if window.is_free else "announced" if window.is_announced else "limit"
    return (provider, window.unit.value, window.per.value, ",".join(sorted(window.models)), kind)


def _budget_labels(reading: BudgetReading) -> tuple[str, ...]:
    line = reading.line
    return (line.owner.value, line.name, line.per.value)


def _left_usd(reading: BudgetReading) -> float:
    return _usd(reading.line.limit_usd_nanos - reading.used_usd_nanos)


def _usd(nanos: int) -> float:
    return nanos / NANOS_PER_USD
