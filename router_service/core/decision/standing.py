"""How a target stands in health at one moment, and which picture of health that comes from."""

from __future__ import annotations

from dataclasses import dataclass, field

from router_service.core.health import ProbeSpan, Source, State
from router_service.core.outcome import BlockReason


@dataclass(frozen=True, slots=True)
class Standing:
    """What the decision needs to know of a target's health. `blocked_for_s` counts from the view's making."""

    state: State = State.UNKNOWN
    traffic_share: float = 1.0
    blocked_for_s: float = 0.0
    block_reason: BlockReason | None = None
    time_to_first_token_p95_s: float = 0.0
    answer_p95_s: float = 0.0
    probe_span: ProbeSpan = field(default_factory=ProbeSpan)


UNKNOWN_STANDING = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """Which picture of health a decision rested on, and how old it was."""

    epoch: int = 0
    sequence: int = 0
    age_s: float = 0.0
    source: Source = Source.NONE
