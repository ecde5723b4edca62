"""The last minutes of what this router saw, report by report: to be sent, sent again, and replayed until merged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router_service.core.tally import Report, Tally

KEPT_S = 300.0


@dataclass(frozen=True, slots=True)
class ClosedTallies:
    """One period's tallies, closed at a moment of the router's monotonic clock and never changed again."""

    sequence: int
    closed_at: float
    tallies: Mapping[str, Tally]


class ReportJournal:
    """Numbers a router's reports and keeps those that say something for five minutes."""

    def __init__(self) -> None:
        self._sequence = 0
        self._merged = 0
        self._accepted = 0
        self._kept: deque[ClosedTallies] = deque()

    def close(self, tallies: Mapping[str, Tally], now: float) -> ClosedTallies:
        """The period ended: its tallies become the next report, also when there are none."""
        self._forget(now)
        if self._kept and not self._kept[-1].tallies:
            self._kept.pop()  # its only use was to be heard from, and now this one is
        self._sequence += 1
        closed = ClosedTallies(self._sequence, now, tallies)
        self._kept.append(closed)
        return closed

    def accepted(self, sequence: int) -> None:
        """The prober has taken every report up to `sequence`; they need not be sent to it again."""
        self._accepted = max(self._accepted, sequence)

    def merged(self, sequence: int, *, is_new_epoch: bool) -> None:
        """A snapshot holds every report up to `sequence`. A new epoch knows only what it was told since its start.

        What was never sent is in no snapshot: such a word is about somebody else's reports, and none of these.
        """
        if sequence > self._sequence:
            sequence = 0 if is_new_epoch else self._merged
        self._merged = sequence
        self._accepted = sequence if is_new_epoch else max(self._accepted, sequence)

    def unsent(self, reporter_id: str, now: float) -> list[Report]:
        """What the prober has not taken yet, oldest first, each with its age; the newest also when it is empty."""
        self._forget(now)
        return [
            Report(
                reporter_id=reporter_id,
                sequence=closed.sequence,
                tallies=closed.tallies,
                age_s=now - closed.closed_at,
            )
            for closed in self._kept
            if closed.sequence > self._accepted
        ]

    def unmerged(self) -> Iterator[ClosedTallies]:
        """What the last snapshot does not hold yet, oldest first."""
        return (closed for closed in self._kept if closed.sequence > self._merged)

    def _forget(self, now: float) -> None:
        while self._kept and self._kept[0].closed_at < now - KEPT_S:
            self._kept.popleft()
