"""What every process of ours counts about itself: what its log and its telemetry lost, and its reloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from router_service.telemetry.instruments import Family, Instrument, Kind, Point

LOG_LINES_LOST = Instrument(
    name="signalbox.log.lines_lost",
    kind=Kind.COUNTER,
    unit="{line}",
    meaning="Log lines that were dropped because nobody read the log.",
)
SPANS_LOST = Instrument(
    name="signalbox.telemetry.spans_lost",
    kind=Kind.COUNTER,
    unit="{span}",
    meaning="Spans that were dropped: `queue` where too many waited, `export` where the collector did not take them.",
    labels=("cause",),
)
RELOADS = Instrument(
    name="signalbox.config.reloads",
    kind=Kind.COUNTER,
    unit="{reload}",
    meaning="Times that a changed configuration was `adopted`, or `refused` for its mistakes.",
    labels=("result",),
)
INSTRUMENTS = (LOG_LINES_LOST, SPANS_LOST, RELOADS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFigures:
    """Where each figure is known."""

    lines_lost: Callable[[], int]
    spans_lost: Mapping[str, int]
    reloads: Mapping[str, int]

    def families(self) -> Iterator[Family]:
        """Everything as it stands; a source of a Meter."""
        yield Family(LOG_LINES_LOST, [Point((), self.lines_lost())])
        yield Family(SPANS_LOST, [Point((cause,), count) for cause, count in self.spans_lost.items()])
        yield Family(RELOADS, [Point((result,), count) for result, count in self.reloads.items()])
