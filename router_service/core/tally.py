"""What one reporter saw of one target since its last report: counts, two sketches, and how it stands now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from router_service.core.health import QuotaWindow
from router_service.core.outcome import FAILURES, BlockReason, Outcome
from router_service.core.sketch import LatencySketch


def _sketch() -> LatencySketch:
    return LatencySketch(half_life_s=None)


@dataclass(slots=True, kw_only=True)
class Tally:
    """Grows by one attempt at a time. `trailing_failures` goes on from the tally before until a call succeeds; of this
    tally alone, `leading_failures` are those before the first success, and `longest_failures` the most in a row.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    latency: LatencySketch = field(default_factory=_sketch)
    time_to_first_token: LatencySketch = field(default_factory=_sketch)
    output_tokens: int = 0
    output_s: float = 0.0
    trailing_failures: int = 0
    leading_failures: int = 0
    longest_failures: int = 0
    in_flight: int = 0
    blocked_for_s: float = 0.0
    block_reason: BlockReason | None = None
    last_error: str = ""

    @property
    def good(self) -> int:
        return self.outcomes[Outcome.OK]

    @property
    def bad(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if outcome in FAILURES)

    def add(
        self,
        outcome: Outcome,
        *,
        latency_s: float,
        time_to_first_token_s: float | None,
        output_tokens: int,
        error: str,
    ) -> None:
        """One attempt ended. Latencies of failures count too where they are the target's own: a timeout is slow."""
        self.outcomes[outcome] += 1
        if outcome is Outcome.OK:
            self.trailing_failures = 0
        elif outcome in FAILURES:
            self.trailing_failures += 1
            self.leading_failures += not self.good
            in_a_row = self.trailing_failures if self.good else self.leading_failures
            self.longest_failures = max(self.longest_failures, in_a_row)
            self.last_error = error
        if outcome in (Outcome.OK, Outcome.TIMEOUT):
            self.latency.add(latency_s, 0.0)
        if time_to_first_token_s is not None:
            self.time_to_first_token.add(time_to_first_token_s, 0.0)
            if outcome is Outcome.OK:
                self.output_tokens += output_tokens
                self.output_s += max(0.0, latency_s - time_to_first_token_s)

    def block(self, reason: BlockReason, *, for_s: float) -> None:
        """The provider asked not to be called; the longest wait stands, with its reason."""
        if for_s >= self.blocked_for_s:
            self.blocked_for_s = for_s
            self.block_reason = reason

    def scaled(self, share: float) -> Tally:
        """The same finding with a part of its weight (0 to 1), for a reporter that would outweigh all others."""
        return Tally(
            outcomes=Counter({outcome: round(count * share) for outcome, count in self.outcomes.items()}),
            latency=_scaled(self.latency, share),
            time_to_first_token=_scaled(self.time_to_first_token, share),
            output_tokens=round(self.output_tokens * share),
            output_s=self.output_s * share,
            trailing_failures=self.trailing_failures,
            leading_failures=self.leading_failures,
            longest_failures=self.longest_failures,
            in_flight=self.in_flight,
            blocked_for_s=self.blocked_for_s,
            block_reason=self.block_reason,
            last_error=self.last_error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One reporter's tallies by target id, for one period that ended `age_s` seconds before the report was sent.

    `windows` is what it counts of providers' limits, by provider's name, as of the sending.
    """

    reporter_id: str
    sequence: int
    tallies: Mapping[str, Tally]
    age_s: float = 0.0
    windows: Mapping[str, tuple[QuotaWindow, ...]] = field(default_factory=dict)


def _scaled(sketch: LatencySketch, share: float) -> LatencySketch:
    scaled = _sketch()
    scaled.add_counts(((b, count * share) for b, count in sketch.buckets()), sum_s=sketch.sum_s * share, now=0.0)
    return scaled
