"""A report's wire form: what one router saw, as a message and back. What cannot be believed is refused whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import pairwise

from signalbox.v1 import chat_pb2
from signalbox.v1 import health_feed_pb2 as pb

from router_service.core.health import QuotaWindow
from router_service.core.outcome import Outcome
from router_service.core.sketch import BUCKETS, LatencySketch
from router_service.core.tally import Report, Tally
from router_service.health import wire_limits as limits
from router_service.health.wire import BLOCK_REASONS, block_reason_from_number, to_duration
from router_service.health.wire_limits import Corrupt, number, seconds
from router_service.health.wire_windows import windows_from_messages, windows_to_messages

MAX_REPORT_BYTES = 1024 * 1024
OLDEST_REPORT_S = 300.0

_OUTCOMES = {outcome: chat_pb2.Outcome.Value(f"OUTCOME_{outcome.name}") for outcome in Outcome}
_OUTCOMES_BACK = {number: outcome for outcome, number in _OUTCOMES.items()}


def report_to_message(report: Report) -> pb.ReportRequest:
    return pb.ReportRequest(
        reporter_id=report.reporter_id,
        sequence=report.sequence,
        targets=[_tally_to_message(target, tally) for target, tally in report.tallies.items()],
        age=to_duration(min(report.age_s, OLDEST_REPORT_S)) if report.age_s > 0 else None,
        providers=[
            pb.ProviderReport(provider=provider, windows=windows_to_messages(windows))
            for provider, windows in report.windows.items()
        ],
    )


def report_from_message(message: pb.ReportRequest, *, known: Collection[str]) -> Report:
    """The report, every number of it within bounds and every target one of `known`. Raises Corrupt."""
    if message.ByteSize() > MAX_REPORT_BYTES:
        raise Corrupt("report", f"is larger than {MAX_REPORT_BYTES} bytes")
    reporter_id = limits.reporter_id(message.reporter_id, "reporter_id")
    if message.sequence < 1:
        raise Corrupt("sequence", "is less than 1")
    tallies: dict[str, Tally] = {}
    for i, target in enumerate(message.targets):
        if target.target not in known:
            raise Corrupt(f"targets[{i}].target", f"is {target.target[:80]!r}, which is not configured here")
        if target.target in tallies:
            raise Corrupt(f"targets[{i}].target", f"names {target.target!r} a second time")
        tallies[target.target] = _tally_from_message(target, f"targets[{i}]")
    age_s = seconds(message.age, "age", most=OLDEST_REPORT_S)
    windows = _windows_from_message(message, {target.partition("/")[0] for target in known})
    return Report(reporter_id=reporter_id, sequence=message.sequence, tallies=tallies, age_s=age_s, windows=windows)


def _windows_from_message(message: pb.ReportRequest, known: Collection[str]) -> dict[str, tuple[QuotaWindow, ...]]:
    """A provider that is not configured here is left out: the router may have read a newer file a second ago."""
    windows: dict[str, tuple[QuotaWindow, ...]] = {}
    for i, entry in enumerate(message.providers):
        if entry.provider in windows:
            raise Corrupt(f"providers[{i}].provider", f"names {entry.provider!r} a second time")
        if entry.provider in known:
            windows[entry.provider] = windows_from_messages(entry.windows, f"providers[{i}].windows")
    return windows


def _tally_to_message(target: str, tally: Tally) -> pb.TargetReport:
    message = pb.TargetReport(
        target=target,
        outcomes=[
            pb.OutcomeCount(outcome=_OUTCOMES[outcome], count=count)
            for outcome, count in tally.outcomes.items()
            if count
        ],
        latency=_sketch_to_message(tally.latency),
        time_to_first_token=_sketch_to_message(tally.time_to_first_token),
        output_tokens=tally.output_tokens,
        output_seconds=tally.output_s,
        in_flight=tally.in_flight,
        trailing_failures=tally.trailing_failures,
        leading_failures=tally.leading_failures,
        longest_failures=tally.longest_failures,
        last_error=tally.last_error[: limits.MAX_ERROR_CHARACTERS],
    )
    if tally.block_reason is not None and tally.blocked_for_s > 0:
        message.blocked_for.CopyFrom(to_duration(tally.blocked_for_s))
        message.block_reason = BLOCK_REASONS[tally.block_reason]
    return message


def _tally_from_message(message: pb.TargetReport, field: str) -> Tally:
    blocked_for_s = seconds(message.blocked_for, f"{field}.blocked_for", most=limits.LONGEST_BLOCK_S)
    return Tally(
        outcomes=_outcomes_from_message(message, field),
        latency=_sketch_from_message(message.latency, f"{field}.latency"),
        time_to_first_token=_sketch_from_message(message.time_to_first_token, f"{field}.time_to_first_token"),
        output_tokens=_count(message.output_tokens, f"{field}.output_tokens"),
        output_s=number(message.output_seconds, f"{field}.output_seconds", most=limits.MOST_CALLS),
        trailing_failures=_count(message.trailing_failures, f"{field}.trailing_failures"),
        leading_failures=_count(message.leading_failures, f"{field}.leading_failures"),
        longest_failures=_count(message.longest_failures, f"{field}.longest_failures"),
        in_flight=_count(message.in_flight, f"{field}.in_flight"),
        blocked_for_s=blocked_for_s,
        block_reason=block_reason_from_number(message.block_reason, f"{field}.block_reason") if blocked_for_s else None,
        last_error=limits.error_text(message.last_error, f"{field}.last_error"),
    )


def _outcomes_from_message(message: pb.TargetReport, field: str) -> Counter[Outcome]:
    """An outcome that only a newer version knows is left out: it says nothing that this one could judge by."""
    counts: Counter[Outcome] = Counter()
    for i, entry in enumerate(message.outcomes):
        count = int(number(entry.count, f"{field}.outcomes[{i}].count", least=1, most=limits.MOST_CALLS))
        if entry.outcome == chat_pb2.OUTCOME_UNSPECIFIED:
            raise Corrupt(f"{field}.outcomes[{i}].outcome", "is missing")
        if (outcome := _OUTCOMES_BACK.get(entry.outcome)) is not None:
            counts[outcome] += count
    return counts


def _sketch_to_message(sketch: LatencySketch) -> pb.LatencySketch | None:
    buckets = sketch.buckets()
    if not buckets:
        return None
    return pb.LatencySketch(
        bucket_indexes=[bucket for bucket, _ in buckets],
        bucket_counts=[round(count) for _, count in buckets],
        sum_seconds=sketch.sum_s,
    )


def _sketch_from_message(message: pb.LatencySketch, field: str) -> LatencySketch:
    indexes, counts = message.bucket_indexes, message.bucket_counts
    if len(indexes) != len(counts):
        raise Corrupt(f"{field}.bucket_counts", "are not as many as there are indexes")
    if any(not 0 <= index < BUCKETS for index in indexes):
        raise Corrupt(f"{field}.bucket_indexes", f"are not between 0 and {BUCKETS - 1}")
    if any(later <= earlier for earlier, later in pairwise(indexes)):
        raise Corrupt(f"{field}.bucket_indexes", "do not rise")
    for count in counts:
        number(count, f"{field}.bucket_counts", least=1, most=limits.MOST_CALLS)
    sum_s = number(message.sum_seconds, f"{field}.sum_seconds", most=limits.LONGEST_LATENCY_S * max(1, sum(counts)))
    sketch = LatencySketch(half_life_s=None)
    sketch.add_counts(zip(indexes, map(float, counts), strict=True), sum_s=sum_s, now=0.0)
    return sketch


def _count(value: int, field: str) -> int:
    return int(number(value, field, most=limits.MOST_CALLS))
