"""A caller's wishes for the decision, from the wire."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.decision.points import FACTORS
from router_service.core.request import Routing
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.edge.complaints import Complaints
from router_service.edge.durations import MAX_SECONDS, NANOS

MAX_MODEL_CHARACTERS = 256
MAX_NAME_CHARACTERS = 64
MAX_NAMES = 64
MAX_WEIGHT = 10.0
COMPLIANCE_TAGS = frozenset({"gdpr", "eu_data_residency", "soc2", "hipaa"})
DECISION_ID = re.compile(r"[A-Za-z0-9\-_.:]{1,128}")

_Choice = TypeVar("_Choice", bound=Enum)


TASK_TYPES: Mapping[int, TaskType] = {chat_pb2.TaskType.Value(f"TASK_TYPE_{t.name}"): t for t in TaskType}
COMPLEXITIES: Mapping[int, Complexity] = {chat_pb2.Complexity.Value(f"COMPLEXITY_{c.name}"): c for c in Complexity}
BUDGET_TIERS: Mapping[int, BudgetTier] = {chat_pb2.BudgetTier.Value(f"BUDGET_TIER_{t.name}"): t for t in BudgetTier}
ENVIRONMENTS: Mapping[int, Environment] = {chat_pb2.Environment.Value(f"ENVIRONMENT_{e.name}"): e for e in Environment}


def routing(pb: router_pb2.Routing, complaints: Complaints, *, max_attempts: int) -> Routing:
    reader = _Reader(pb, complaints)
    if pb.HasField("max_attempts") and not 1 <= pb.max_attempts <= max_attempts:
        complaints.add("routing.max_attempts", f"is {pb.max_attempts}; must be 1 to {max_attempts}, or unset")
    return Routing(
        model=reader.text("model", pb.model, MAX_MODEL_CHARACTERS),
        task_type=reader.choice("task_type", pb.task_type, TASK_TYPES, "TaskType"),
        complexity=reader.choice("complexity", pb.complexity, COMPLEXITIES, "Complexity"),
        strategy=reader.text("strategy", pb.strategy, MAX_NAME_CHARACTERS),
        budget_tier=reader.choice("budget_tier", pb.budget_tier, BUDGET_TIERS, "BudgetTier"),
        region=reader.text("region", pb.region, MAX_NAME_CHARACTERS),
        environment=reader.choice("environment", pb.environment, ENVIRONMENTS, "Environment"),
        speed_critical=pb.speed_critical,
        prefer_cheap=pb.prefer_cheap,
        allowed_providers=reader.names("allowed_providers", pb.allowed_providers),
        denied_providers=reader.names("denied_providers", pb.denied_providers),
        required_compliance=reader.compliance(),
        requires_compliance=pb.requires_compliance,
        requires_sla=pb.requires_sla,
        prefer_self_hosted=pb.prefer_self_hosted,
        max_cost_usd_nanos=reader.max_cost_usd_nanos(),
        max_latency_s=reader.max_latency_s(),
        min_quality=reader.min_quality(),
        max_attempts=pb.max_attempts if pb.HasField("max_attempts") else None,
        disable_fallback=pb.disable_fallback,
        hedge=pb.hedge,
        resume_on_failure=pb.resume_on_failure,
        weights=reader.weights(),
        required_capabilities=reader.names("required_capabilities", pb.required_capabilities),
        preferred_capabilities=reader.names("preferred_capabilities", pb.preferred_capabilities),
        allow_paid_embeddings=pb.allow_paid_embeddings,
        decision_id=reader.decision_id(),
    )


class _Reader:
    """Reads one Routing field by field, each in its bounds; what is out of them is complained of."""

    __slots__ = ("_complaints", "_pb")

    def __init__(self, pb: router_pb2.Routing, complaints: Complaints) -> None:
        self._pb = pb
        self._complaints = complaints

    def choice(self, field: str, number: int, choices: Mapping[int, _Choice], kind: str) -> _Choice | None:
        if not number:
            return None
        found = choices.get(number)
        if found is None:
            self._add(field, f"{number} is no value of {kind}")
        return found

    def text(self, field: str, text: str, most: int) -> str:
        if len(text) > most:
            self._add(field, f"is {len(text)} characters long; at most {most}")
        return text

    def names(self, field: str, pb: Sequence[str]) -> frozenset[str]:
        if not pb:
            return _NONE
        names = frozenset(pb[: MAX_NAMES + 1])
        if len(pb) > MAX_NAMES or "" in names:
            self._add(field, f"must hold at most {MAX_NAMES} names, none of them empty")
        return names

    def compliance(self) -> frozenset[str]:
        tags = self.names("required_compliance", self._pb.required_compliance)
        if unknown := sorted(tags - COMPLIANCE_TAGS - {""}):
            known = ", ".join(sorted(COMPLIANCE_TAGS))
            self._add("required_compliance", f"{unknown[0][:MAX_NAME_CHARACTERS]!r} is no tag; use {known}")
        return tags

    def max_cost_usd_nanos(self) -> int | None:
        if not self._pb.HasField("max_cost_usd_nanos"):
            return None
        if self._pb.max_cost_usd_nanos < 0:
            self._add("max_cost_usd_nanos", f"is {self._pb.max_cost_usd_nanos}; must be 0 or more, or unset")
        return self._pb.max_cost_usd_nanos

    def max_latency_s(self) -> float | None:
        if not self._pb.HasField("max_latency"):
            return None
        if not _is_positive(self._pb.max_latency):
            self._add("max_latency", "must be a duration above zero, or unset")
        return self._pb.max_latency.seconds + self._pb.max_latency.nanos / NANOS

    def min_quality(self) -> float | None:
        if not self._pb.HasField("min_quality"):
            return None
        if not 0.0 <= self._pb.min_quality <= 1.0:
            self._add("min_quality", f"is {self._pb.min_quality}; must be 0.0 to 1.0, or unset")
        return self._pb.min_quality

    def weights(self) -> Mapping[str, float]:
        weights = self._pb.weights
        if not weights:
            return {}
        if len(weights) > len(FACTORS):
            self._add("weights", f"holds {len(weights)} factors; there are {len(FACTORS)}: {', '.join(FACTORS)}")
            return {}
        for name, weight in weights.items():
            field = f"weights[{name[:MAX_NAME_CHARACTERS]!r}]"
            if name not in FACTORS:
                self._add(field, f"is no factor; use {', '.join(FACTORS)}")
            elif not (math.isfinite(weight) and 0.0 <= weight <= MAX_WEIGHT):
                self._add(field, f"is {weight}; must be 0.0 to {MAX_WEIGHT}")
        return dict(weights)

    def decision_id(self) -> str:
        if self._pb.decision_id and not DECISION_ID.fullmatch(self._pb.decision_id):
            self._add("decision_id", "must be 1 to 128 letters, digits or any of - _ . :")
        return self._pb.decision_id

    def _add(self, field: str, description: str) -> None:
        self._complaints.add(f"routing.{field}", description)


_NONE: frozenset[str] = frozenset()


def _is_positive(pb: Duration) -> bool:
    return 0 <= pb.seconds <= MAX_SECONDS and 0 <= pb.nanos < NANOS and bool(pb.seconds or pb.nanos)
