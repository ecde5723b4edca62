"""The whole configuration file as it stands: its sections, their keys, and what each key takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from router_service.config.access_section import TenantEntry, TlsSection
from router_service.config.budgets_section import BudgetsSection
from router_service.config.entries import ProviderEntry
from router_service.config.fields import (
    Endpoint,
    ListenAddress,
    Mebibytes,
    MetricsAddress,
    PositiveSeconds,
    Seconds,
    Section,
    Share,
    Version,
)
from router_service.config.prober_section import HealthSection, ProberSection
from router_service.config.routing_section import RoutingSection
from router_service.config.simulator_section import SimulatorSection
from router_service.core.settings import ServerSettings, TelemetrySettings

# The defaults stand once, in core.
_SERVER, _TELEMETRY = ServerSettings(), TelemetrySettings()


class ServerSection(Section):
    """The router's gRPC server."""

    address: ListenAddress = Field(
        default=_SERVER.address, description="Where the router listens.", examples=["127.0.0.1:50051"]
    )
    allow_remote: bool = Field(
        default=_SERVER.allow_remote,
        description="Whether `address` may be one that other machines reach, though nothing here guards it.",
    )
    drain_s: Seconds = Field(
        default=_SERVER.drain_s, description="How long calls under way may go on once the router stops.", examples=[25]
    )
    lame_duck_s: Seconds = Field(
        default=_SERVER.lame_duck_s,
        description="How long the router, told to stop, still takes calls while balancers turn away.",
        examples=[2],
    )
    max_message_mib: Mebibytes = Field(
        default=_SERVER.max_message_mib, description="The largest message that is read or sent.", examples=[32]
    )
    max_prompt_mib: Mebibytes = Field(
        default=_SERVER.max_prompt_mib, description="The largest prompt that is accepted.", examples=[8]
    )
    max_in_flight: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=_SERVER.max_in_flight, description="Requests inside at once; more are turned away.", examples=[10000]
    )
    default_deadline_s: PositiveSeconds = Field(
        default=_SERVER.default_deadline_s, description="The deadline of a call that brings none.", examples=[300]
    )
    max_deadline_s: PositiveSeconds = Field(
        default=_SERVER.max_deadline_s, description="The longest deadline; longer ones are cut to it.", examples=[3600]
    )
    slow_reader_s: PositiveSeconds = Field(
        default=_SERVER.slow_reader_s,
        description="How long a stream waits for its caller to read on before it is ended.",
        examples=[30],
    )
    reflection: bool | None = Field(
        default=_SERVER.reflection,
        description="Whether tools such as grpcurl may ask for the services; by default only on this machine.",
    )
    tls: TlsSection | None = Field(default=None, description="Certificates.")


class TelemetrySection(Section):
    """Traces and metrics."""

    otlp_endpoint: Endpoint = Field(
        default=_TELEMETRY.otlp_endpoint,
        description="The collector that traces and metrics go to by gRPC; empty sends them nowhere.",
        examples=["http://127.0.0.1:4317"],
    )
    sample_ratio: Share = Field(
        default=_TELEMETRY.sample_ratio,
        description="The share of traces that is kept where the caller did not decide.",
        examples=[0.1],
    )
    content: bool = Field(default=_TELEMETRY.content, description="Whether spans carry prompts and answers.")
    metrics_address: MetricsAddress = Field(
        default=_TELEMETRY.metrics_address,
        description='Where the router\'s metrics are for Prometheus, at `/metrics`; `""` is nowhere.',
        examples=["127.0.0.1:9464"],
    )
    prober_metrics_address: MetricsAddress = Field(
        default=_TELEMETRY.prober_metrics_address,
        description="The same for the prober's.",
        examples=["127.0.0.1:9465"],
    )
    allow_remote: bool = Field(
        default=_TELEMETRY.allow_remote,
        description="Whether other machines may read the metrics; nobody is asked for a key.",
    )


class Document(Section):
    """The configuration of Signalbox."""

    version: Version = Field(description="The format's version.", examples=[1])
    extends: Literal["none", "shipped"] = Field(
        default="none", description="Whether the file stands alone, or is laid over the shipped configuration."
    )
    server: ServerSection = Field(default=ServerSection(), description="Where the router listens, and its bounds.")
    tenants: Annotated[list[TenantEntry], Field(max_length=10_000)] = Field(
        default=[], description="Who may call. Without any, nobody is asked for a key."
    )
    prober: ProberSection = Field(
        default=ProberSection(), description="When the prober looks, and how long its word counts."
    )
    health: HealthSection = Field(default=HealthSection(), description="What makes a target healthy, degraded or down.")
    providers: Annotated[list[ProviderEntry], Field(min_length=1, max_length=10_000)] = Field(
        description="The accounts that requests can go to.",
        examples=[[{"name": "groq", "base_url": "https://api.example.com/v1", "models": [{"id": "small"}]}]],
    )
    routing: RoutingSection = Field(default=RoutingSection(), description="How a target is picked.")
    budgets: BudgetsSection = Field(default=BudgetsSection(), description="What may be spent.")
    telemetry: TelemetrySection = Field(default=TelemetrySection(), description="Where traces and metrics go.")
    simulator: SimulatorSection = Field(default=SimulatorSection(), description="How the simulated providers behave.")
