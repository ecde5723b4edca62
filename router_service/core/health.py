"""Everything known about health at one moment, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from router_service.core.outcome import BlockReason


class State(Enum):
    """HEALTHY takes its full share, DEGRADED and RECOVERING a part, UNHEALTHY none; UNKNOWN counts as well."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    RECOVERING = "recovering"


class Source(Enum):
    """Whose picture it is: a prober's, the router's own outcomes alone, or nobody's."""

    PROBER = "prober"
    PASSIVE = "passive"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time-decayed percentiles and mean, in seconds. All zero where nothing was measured."""

    p50_s: float = 0.0
    p90_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    mean_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpan:
    """The trace of the probe that a picture rests on: 16 and 8 bytes, empty where there is none."""

    trace_id: bytes = b""
    span_id: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.span_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTiming:
    """One probe's phases in seconds; a phase that did not happen is 0 (no look-up, a kept connection, no TLS)."""

    dns_s: float = 0.0
    connect_s: float = 0.0
    tls_s: float = 0.0
    first_byte_s: float = 0.0
    total_s: float = 0.0
    is_ok: bool = False
    status_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """One target's health. Rates are 0 to 1; `samples` is the decayed count they rest on.

    `consecutive_failures` are those of real calls: whoever folds in calls of its own counts on from them. How the last
    probe ended is in `last_probe`.
    """

    target: str
    state: State = State.UNKNOWN
    state_age_s: float = 0.0
    traffic_share: float = 1.0
    success_rate: float = 1.0
    success_rate_lower: float = 0.0
    consecutive_failures: int = 0
    samples: float = 0.0
    in_flight: int = 0
    latency: Latency = field(default_factory=Latency)
    time_to_first_token: Latency = field(default_factory=Latency)
    output_tokens_per_second: float = 0.0
    last_error: str = ""
    last_probe_time: float = 0.0
    last_probe: ProbeTiming | None = None
    probe_span: ProbeSpan = field(default_factory=ProbeSpan)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaWindow:
    """What is left of one limit. `unit` says what is counted over which time, such as `requests/minute`.

    `resets_in_s` is None for what no time refills. `models` are those that share it; empty means all. Inside a window
    that `is_free`, calls have no price.
    """

    unit: str
    limit: int
    remaining: int
    resets_in_s: float | None = None
    models: tuple[str, ...] = ()
    is_free: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """A provider's account: blocked for how many more seconds, counted from the snapshot's making, and why; and what
    is left of its limits.
    """

    provider: str
    blocked_for_s: float = 0.0
    block_reason: BlockReason | None = None
    windows: tuple[QuotaWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A whole state, never a delta. (epoch, sequence) orders all snapshots; wall time is only for people."""

    epoch: int
    sequence: int
    prober_id: str = ""
    produced_time: float = 0.0
    targets: Mapping[str, TargetHealth] = field(default_factory=dict)
    providers: Mapping[str, ProviderHealth] = field(default_factory=dict)
    merged_sequences: Mapping[str, int] = field(default_factory=dict)

    @property
    def order(self) -> tuple[int, int]:
        return (self.epoch, self.sequence)
