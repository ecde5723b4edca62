"""The health channel's wire form: pb2 messages to values and back. What cannot be believed is refused whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from signalbox.v1 import health_feed_pb2 as pb

from router_service.core.health import (
    Latency,
    ProbeSpan,
    ProbeTiming,
    ProviderHealth,
    Snapshot,
    State,
    TargetHealth,
)
from router_service.core.outcome import BlockReason
from router_service.core.slices import SLICE, Slices, finish
from router_service.health import wire_limits as limits
from router_service.health.wire_limits import Corrupt, number, seconds, unix_time
from router_service.health.wire_windows import windows_from_messages, windows_to_messages

MAX_SNAPSHOT_BYTES = 4 * 1024 * 1024
"""What clients of gRPC take by default; a snapshot of five thousand targets is half of it."""

STATES = {
    State.HEALTHY: pb.HEALTH_STATE_HEALTHY,
    State.DEGRADED: pb.HEALTH_STATE_DEGRADED,
    State.UNHEALTHY: pb.HEALTH_STATE_UNHEALTHY,
    State.RECOVERING: pb.HEALTH_STATE_RECOVERING,
    State.UNKNOWN: pb.HEALTH_STATE_UNKNOWN,
}
BLOCK_REASONS = {
    BlockReason.RATE_LIMITED: pb.BLOCK_REASON_RATE_LIMITED,
    BlockReason.MONEY: pb.BLOCK_REASON_MONEY,
    BlockReason.CREDENTIALS: pb.BLOCK_REASON_CREDENTIALS,
    BlockReason.OVERLOADED: pb.BLOCK_REASON_OVERLOADED,
}
_STATES_BACK = {number: state for state, number in STATES.items()}
_BLOCK_REASONS_BACK = {number: reason for reason, number in BLOCK_REASONS.items()}


def snapshot_to_message(snapshot: Snapshot) -> pb.Snapshot:
    return pb.Snapshot(
        epoch=snapshot.epoch,
        sequence=snapshot.sequence,
        produced_time=_timestamp(snapshot.produced_time),
        prober_id=snapshot.prober_id,
        targets=[_target_to_message(target) for target in snapshot.targets.values()],
        providers=[_provider_to_message(provider) for provider in snapshot.providers.values()],
        reporters=progress_to_messages(snapshot.merged_sequences),
    )


def progress_to_messages(merged_sequences: Mapping[str, int]) -> list[pb.ReporterProgress]:
    return [
        pb.ReporterProgress(reporter_id=reporter, merged_sequence=sequence)
        for reporter, sequence in merged_sequences.items()
    ]


def snapshot_from_message(message: pb.Snapshot, *, known: Collection[str] | None) -> Snapshot:
    """The snapshot, every number of it within bounds. `known` are the target ids it may name; None is all.

    Raises Corrupt. A state that this version does not know counts as unknown, since a newer prober may say it.
    """
    return finish(snapshot_in_slices(message, known=known))


def snapshot_in_slices(message: pb.Snapshot, *, known: Collection[str] | None) -> Slices[Snapshot]:
    """What `snapshot_from_message` does, a few targets at a time."""
    if message.ByteSize() > MAX_SNAPSHOT_BYTES:
        raise Corrupt("snapshot", f"is larger than {MAX_SNAPSHOT_BYTES} bytes")
    targets: dict[str, TargetHealth] = {}
    for i, target in enumerate(message.targets):
        if i % SLICE == SLICE - 1:
            yield
        targets[target.target] = _target_from_message(target, f"targets[{i}]")
    providers = {p.provider: _provider_from_message(p, f"providers[{i}]") for i, p in enumerate(message.providers)}
    if len(targets) != len(message.targets) or len(providers) != len(message.providers):
        raise Corrupt("targets", "name a target or a provider twice")
    if known is not None:
        _check_known(targets, providers, known)
    return Snapshot(
        epoch=_ordinal(message.epoch, "epoch"),
        sequence=_ordinal(message.sequence, "sequence"),
        prober_id=limits.error_text(message.prober_id, "prober_id"),
        produced_time=unix_time(message.produced_time, "produced_time"),
        targets=targets,
        providers=providers,
        merged_sequences={
            limits.reporter_id(r.reporter_id, f"reporters[{i}].reporter_id"): _ordinal(
                r.merged_sequence, f"reporters[{i}].merged_sequence"
            )
            for i, r in enumerate(message.reporters)
        },
    )


def to_duration(duration_s: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(duration_s * 1e9))
    return duration


def block_reason_from_number(value: int, field: str) -> BlockReason:
    """Why a provider is blocked. A reason that only a newer version knows blocks all the same."""
    if value == pb.BLOCK_REASON_UNSPECIFIED:
        raise Corrupt(field, "is missing although the provider is blocked")
    return _BLOCK_REASONS_BACK.get(value, BlockReason.RATE_LIMITED)  # type: ignore[call-overload, no-any-return]


def _check_known(targets: Collection[str], providers: Collection[str], known: Collection[str]) -> None:
    for target in targets:
        if target not in known:
            raise Corrupt("targets", f"name {target[:80]!r}, which is not configured here")
    known_providers = {target.partition("/")[0] for target in known}
    for provider in providers:
        if provider not in known_providers:
            raise Corrupt("providers", f"name {provider[:80]!r}, which is not configured here")


def _target_to_message(health: TargetHealth) -> pb.TargetHealth:
    message = pb.TargetHealth(
        target=health.target,
        state=STATES[health.state],
        state_age=to_duration(health.state_age_s),
        traffic_share=health.traffic_share,
        success_rate=health.success_rate,
        success_rate_lower=health.success_rate_lower,
        consecutive_failures=health.consecutive_failures,
        samples=health.samples,
        in_flight=health.in_flight,
        latency=_latency_to_message(health.latency),
        time_to_first_token=_latency_to_message(health.time_to_first_token),
        output_tokens_per_second=health.output_tokens_per_second,
        last_error=health.last_error,
    )
    if health.last_probe is not None:
        message.last_probe.CopyFrom(_timing_to_message(health.last_probe))
        message.last_probe_time.CopyFrom(_timestamp(health.last_probe_time))
    if health.probe_span:
        span = health.probe_span
        message.probe_span.CopyFrom(pb.ProbeSpan(trace_id=span.trace_id, span_id=span.span_id))
    return message


def _target_from_message(message: pb.TargetHealth, field: str) -> TargetHealth:
    return TargetHealth(
        target=message.target,
        state=_STATES_BACK.get(message.state, State.UNKNOWN),
        state_age_s=seconds(message.state_age, f"{field}.state_age", most=limits.LONGEST_AGE_S),
        traffic_share=number(message.traffic_share, f"{field}.traffic_share", most=1.0),
        success_rate=number(message.success_rate, f"{field}.success_rate", most=1.0),
        success_rate_lower=number(message.success_rate_lower, f"{field}.success_rate_lower", most=1.0),
        consecutive_failures=_count(message.consecutive_failures, f"{field}.consecutive_failures"),
        samples=number(message.samples, f"{field}.samples", most=limits.MOST_CALLS),
        in_flight=_count(message.in_flight, f"{field}.in_flight"),
        latency=_latency_from_message(message.latency, f"{field}.latency"),
        time_to_first_token=_latency_from_message(message.time_to_first_token, f"{field}.time_to_first_token"),
        output_tokens_per_second=number(
            message.output_tokens_per_second, f"{field}.output_tokens_per_second", most=limits.MOST_CALLS
        ),
        last_error=limits.error_text(message.last_error, f"{field}.last_error"),
        last_probe_time=unix_time(message.last_probe_time, f"{field}.last_probe_time"),
        last_probe=_timing_from_message(message, f"{field}.last_probe"),
        probe_span=_span_from_message(message.probe_span, f"{field}.probe_span"),
    )


def _provider_to_message(health: ProviderHealth) -> pb.ProviderHealth:
    message = pb.ProviderHealth(provider=health.provider, windows=windows_to_messages(health.windows))
    if health.block_reason is not None and health.blocked_for_s > 0:
        message.blocked_for.CopyFrom(to_duration(health.blocked_for_s))
        message.block_reason = BLOCK_REASONS[health.block_reason]
    return message


def _provider_from_message(message: pb.ProviderHealth, field: str) -> ProviderHealth:
    blocked_for_s = seconds(message.blocked_for, f"{field}.blocked_for", most=limits.LONGEST_BLOCK_S)
    reason = block_reason_from_number(message.block_reason, f"{field}.block_reason") if blocked_for_s else None
    return ProviderHealth(
        provider=message.provider,
        blocked_for_s=blocked_for_s,
        block_reason=reason,
        windows=windows_from_messages(message.windows, f"{field}.windows"),
    )


def _latency_to_message(latency: Latency) -> pb.LatencySummary | None:
    if latency == Latency():
        return None
    return pb.LatencySummary(
        p50=to_duration(latency.p50_s),
        p90=to_duration(latency.p90_s),
        p95=to_duration(latency.p95_s),
        p99=to_duration(latency.p99_s),
        mean=to_duration(latency.mean_s),
    )


def _latency_from_message(message: pb.LatencySummary, field: str) -> Latency:
    return Latency(
        p50_s=seconds(message.p50, f"{field}.p50"),
        p90_s=seconds(message.p90, f"{field}.p90"),
        p95_s=seconds(message.p95, f"{field}.p95"),
        p99_s=seconds(message.p99, f"{field}.p99"),
        mean_s=seconds(message.mean, f"{field}.mean"),
    )


def _timing_to_message(timing: ProbeTiming) -> pb.ProbeTiming:
    """A phase that did not happen stays absent."""
    return pb.ProbeTiming(
        dns=to_duration(timing.dns_s) if timing.dns_s else None,
        connect=to_duration(timing.connect_s) if timing.connect_s else None,
        tls=to_duration(timing.tls_s) if timing.tls_s else None,
        first_byte=to_duration(timing.first_byte_s) if timing.first_byte_s else None,
        total=to_duration(timing.total_s),
        ok=timing.is_ok,
        status_code=timing.status_code,
    )


def _timing_from_message(health: pb.TargetHealth, field: str) -> ProbeTiming | None:
    if not health.HasField("last_probe"):
        return None
    message = health.last_probe
    return ProbeTiming(
        dns_s=seconds(message.dns, f"{field}.dns"),
        connect_s=seconds(message.connect, f"{field}.connect"),
        tls_s=seconds(message.tls, f"{field}.tls"),
        first_byte_s=seconds(message.first_byte, f"{field}.first_byte"),
        total_s=seconds(message.total, f"{field}.total"),
        is_ok=message.ok,
        status_code=int(number(message.status_code, f"{field}.status_code", most=999)),
    )


def _span_from_message(message: pb.ProbeSpan, field: str) -> ProbeSpan:
    span = ProbeSpan(trace_id=message.trace_id, span_id=message.span_id)
    if (len(span.trace_id), len(span.span_id)) not in ((0, 0), (16, 8)):
        raise Corrupt(field, "is not 16 and 8 bytes")
    return span


def _timestamp(time_s: float) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromNanoseconds(round(time_s * 1e9))
    return timestamp


def _ordinal(value: int, field: str) -> int:
    if value < 1:
        raise Corrupt(field, "is less than 1")
    return value


def _count(value: int, field: str) -> int:
    return int(number(value, field, most=limits.MOST_CALLS))
