"""What an operator decides: frozen values that config fills and main hands to whoever needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router_service.core.budget import BudgetRules
from router_service.core.catalog import NO_SECRET, Catalog, Secret
from router_service.core.decision.policy import Policy
from router_service.core.decision.view import PLAIN_POLICY
from router_service.core.simulation import SimulatorSettings
from router_service.core.tenant import Tenant

MIB = 1024 * 1024
ROUTER_METRICS, PROBER_METRICS = "127.0.0.1:9464", "127.0.0.1:9465"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """The PEM files that a port is encrypted with. With `client_ca`, only who has a certificate of it may connect."""

    cert: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The router's gRPC server. Deadlines are in seconds; a call without one gets the default.

    `tls` holds for the prober's TCP port too. Where nobody said whether there is `reflection`, it is there for callers
    of this machine alone.
    """

    address: str = "127.0.0.1:50051"
    allow_remote: bool = False
    drain_s: float = 25.0
    lame_duck_s: float = 2.0
    max_message_mib: int = 32
    max_prompt_mib: int = 8
    max_in_flight: int = 10_000
    default_deadline_s: float = 300.0
    max_deadline_s: float = 3600.0
    slow_reader_s: float = 30.0
    reflection: bool | None = None
    tls: TlsSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When a target counts as what. The first values come from the design of the decision; all are configurable."""

    down_after: int = 3
    up_after: int = 2
    window_s: float = 5.0
    degraded_failures: int = 3
    degraded_ratio: float = 0.2
    degraded_share: float = 0.1
    healthy_ratio: float = 0.9
    cooldown_s: float = 10.0
    max_cooldown_s: float = 300.0
    recovery_shares: tuple[float, ...] = (0.05, 0.25, 1.0)
    recovery_step_s: float = 5.0
    min_dwell_s: float = 2.0
    half_life_s: float = 20.0
    slow_s: float = 5.0
    slow_factor: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSettings:
    """Probes that cost a token, at most `max_usd_nanos_per_day` (1e-9 USD) for each provider in a day.

    A target that nobody calls is probed so at most every `interval_s`, and less often while it answers.
    """

    is_enabled: bool = False
    max_usd_nanos_per_day: int = 50_000_000
    interval_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberAccess:
    """What a router shows to a prober that it calls by TCP: PEM files, and a key. `ca` turns TLS on."""

    ca: Path | None = None
    cert: Path | None = None
    cert_key: Path | None = None
    api_key: Secret = NO_SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberSettings:
    """The prober and the channel to it. `address` is its TCP address; the Unix socket lies in the data directory."""

    address: str = "127.0.0.1:50052"
    allow_remote: bool = False
    interval_s: float = 5.0
    confirm_s: float = 0.5
    timeout_s: float = 2.0
    stale_s: float = 15.0
    ignore_s: float = 60.0
    report_s: float = 1.0
    deep: DeepSettings = field(default_factory=DeepSettings)
    rules: HealthRules = field(default_factory=HealthRules)
    access: ProberAccess = field(default_factory=ProberAccess)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Bounds on one request's execution. Where every target that may serve it is full, it waits for at most
    `queue_wait_s`, as one of `queue_length` at each of them. `content_filter_failover` allows another target after a
    content filter's no, where `content_filter_failover_of` says nothing else of the tenant, by name.
    """

    max_attempts: int = 4
    max_output_mib: int = 16
    queue_length: int = 100
    queue_wait_s: float = 1.0
    content_filter_failover: bool = False
    content_filter_failover_of: Mapping[str, bool] = field(default_factory=dict)

    @property
    def max_output_bytes(self) -> int:
        return self.max_output_mib * MIB

    def fails_over_filters(self, tenant: str) -> bool:
        """Whether this tenant's requests go on to another target after a content filter's no."""
        return self.content_filter_failover_of.get(tenant, self.content_filter_failover)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Where traces and metrics go, and which share of traces. An empty endpoint or address is nowhere.

    With `content` spans carry what was asked and answered. The metrics' addresses are where Prometheus reads them, the
    router's and the prober's.
    """

    otlp_endpoint: str = ""
    sample_ratio: float = 0.1
    content: bool = False
    metrics_address: str = ROUTER_METRICS
    prober_metrics_address: str = PROBER_METRICS
    allow_remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process is told at its start. `warnings` name, a line each, what was configured in vain."""

    catalog: Catalog
    server: ServerSettings = field(default_factory=ServerSettings)
    tenants: tuple[Tenant, ...] = ()
    prober: ProberSettings = field(default_factory=ProberSettings)
    routing: RoutingSettings = field(default_factory=RoutingSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    policy: Policy = PLAIN_POLICY
    budgets: BudgetRules = field(default_factory=BudgetRules)
    simulator: SimulatorSettings = field(default_factory=SimulatorSettings)
    warnings: tuple[str, ...] = ()
