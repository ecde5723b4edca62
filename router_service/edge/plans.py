"""A plan on the wire: the decision in short, or with every target that was looked at."""

from __future__ import annotations

from collections.abc import Iterable

from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.decision.explain import Candidate
from router_service.core.decision.factors import Factor
from router_service.core.decision.standing import SnapshotInfo
from router_service.core.health import Source
from router_service.core.plan import Plan, Rejection
from router_service.core.task import Complexity, TaskType
from router_service.edge.durations import duration

REASONS = {r: router_pb2.RejectionReason.Value(f"REJECTION_REASON_{r.name}") for r in Rejection}
SOURCES = {s: router_pb2.SnapshotSource.Value(f"SNAPSHOT_SOURCE_{s.name}") for s in Source}
TASK_TYPES = {t: chat_pb2.TaskType.Value(f"TASK_TYPE_{t.name}") for t in TaskType}
COMPLEXITIES = {c: chat_pb2.Complexity.Value(f"COMPLEXITY_{c.name}") for c in Complexity}
MAX_FULL_BYTES = 3_500_000
"""Callers' libraries receive 4 MiB unless told otherwise; candidates beyond it are left out."""


def plan(value: Plan, *, candidates: int) -> router_pb2.Plan:
    """`candidates` is the most of them to show, 0 for the short form."""
    estimate = value.estimate
    pb = router_pb2.Plan(
        target=value.targets[0].id if value.targets else "",
        fallbacks=[target.id for target in value.targets[1:]],
        strategy=value.strategy,
        rule=value.rule,
        reason=value.reason,
        inferred=value.is_inferred,
        inference_confidence=value.inference_confidence,
        snapshot=_snapshot(value.view.snapshot),
        config_version=value.view.catalog.version,
        decision_id=value.decision_id,
    )
    if value.task_type is not None:
        pb.task_type = TASK_TYPES[value.task_type]
    if value.complexity is not None:
        pb.complexity = COMPLEXITIES[value.complexity]
    if estimate is not None:
        if estimate.cost_usd_nanos is not None:
            pb.estimated_cost_usd_nanos = estimate.cost_usd_nanos
        if estimate.blended_usd_nanos_per_million is not None:
            pb.estimated_cost_usd_nanos_per_million_tokens = estimate.blended_usd_nanos_per_million
        pb.expected_latency.CopyFrom(duration(estimate.latency_s))
        pb.expected_quality = estimate.quality
    for reason, count in value.rejected_counts.items():
        pb.rejected_by_reason.add(reason=REASONS[reason], count=count)
    if candidates:
        _show(pb, value.first_candidates(candidates))
    return pb


def _show(pb: router_pb2.Plan, candidates: Iterable[Candidate]) -> None:
    """As many as a caller's library receives."""
    room = MAX_FULL_BYTES
    for candidate in candidates:
        shown = _candidate(candidate)
        room -= shown.ByteSize()
        if room < 0:
            return
        pb.candidates.append(shown)


def _candidate(value: Candidate) -> router_pb2.Candidate:
    target = value.target
    pb = router_pb2.Candidate(
        target=target.id,
        provider=target.provider.name,
        model=target.model.id,
        preference_class=value.preference_class,
        score=value.score,
        factors=[_factor(factor) for factor in value.factors],
    )
    if value.refusal is not None:
        pb.rejection.reason = REASONS[value.refusal.reason]
        pb.rejection.detail = value.refusal.detail
    return pb


def _factor(value: Factor) -> router_pb2.Candidate.Factor:
    return router_pb2.Candidate.Factor(
        name=value.name,
        points=value.points,
        max_points=value.max_points,
        value=value.value,
        note=value.note,
    )


def _snapshot(value: SnapshotInfo) -> router_pb2.SnapshotInfo:
    pb = router_pb2.SnapshotInfo(epoch=value.epoch, sequence=value.sequence, source=SOURCES[value.source])
    if value.epoch:
        pb.age.CopyFrom(duration(value.age_s))
    return pb
