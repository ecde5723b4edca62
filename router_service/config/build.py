"""Makes settings of a valid document: the last step, which cannot fail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from router_service.config.addresses import SIMULATOR_SCHEME
from router_service.config.document import Document, ServerSection
from router_service.config.entries import ModelEntry, TimeoutsEntry
from router_service.config.keys import fetch_key
from router_service.config.prober_section import HealthSection, ProberSection
from router_service.config.simulator_section import SimulatorSection
from router_service.core.catalog import Catalog, Model, Prices, Provider, Target, Timeouts
from router_service.core.decision.view import PLAIN_POLICY
from router_service.core.settings import (
    HealthRules,
    ProberSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
)
from router_service.core.simulation import ANY_PROVIDER, Behaviour, SimulatorSettings

VERSION_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What settings depend on besides the document. Relative paths in it start from `directory`."""

    environ: Mapping[str, str] = field(repr=False)
    directory: Path
    simulator_address: str


def build(document: Document, around: Surroundings) -> Settings:
    """The settings that `document` stands for. Their warnings tell of keys that cannot be ones."""
    targets: list[Target] = []
    warnings: list[str] = []
    for entry in document.providers:
        key, warning = fetch_key(entry, around.environ, around.directory)
        if warning:
            warnings.append(f"{entry.name} is skipped: {warning}")
        provider = Provider(
            name=entry.name,
            dialect=entry.dialect,
            base_url=_resolved(entry.base_url, around.simulator_address),
            key_env=tuple(entry.key_env),
            key_file=entry.key_file or "",
            key=key,
            tier=entry.tier,
            region=entry.region or "",
            compliance=frozenset(entry.compliance),
            timeouts=_timeouts(entry.timeouts_s),
        )
        targets.extend(Target(provider, _model(model)) for model in entry.models)
    return Settings(
        catalog=Catalog(tuple(targets), version=version_of(document)),
        server=_server(document.server),
        prober=_prober(document.prober, document.health),
        routing=RoutingSettings(
            max_attempts=document.routing.max_attempts, max_output_mib=document.routing.max_output_mib
        ),
        policy=replace(PLAIN_POLICY, weights=document.routing.weights),
        telemetry=TelemetrySettings(
            otlp_endpoint=document.telemetry.otlp_endpoint, sample_ratio=document.telemetry.sample_ratio
        ),
        simulator=_simulator(document.simulator, around),
        warnings=tuple(warnings),
    )


def version_of(document: Document) -> str:
    """A digest of what the file says: comments, layout, the order of keys and spelt-out defaults do not change it."""
    content = document.model_dump(mode="json", exclude_defaults=True)
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_LENGTH]


def _resolved(base_url: str, simulator_address: str) -> str:
    """`simulator:/alder/v1` is a path at the simulator, wherever that listens today."""
    if not base_url.startswith(SIMULATOR_SCHEME):
        return base_url
    return f"http://{simulator_address}{base_url.removeprefix(SIMULATOR_SCHEME)}"


def _timeouts(entry: TimeoutsEntry) -> Timeouts:
    return Timeouts(connect_s=entry.connect, first_byte_s=entry.first_byte, gap_s=entry.gap, answer_s=entry.answer)


def _model(entry: ModelEntry) -> Model:
    prices = entry.prices
    return Model(
        id=entry.id,
        aliases=tuple(entry.alias),
        capabilities=frozenset(entry.capabilities),
        context_tokens=entry.context or 0,
        prices=Prices(input=prices.input, output=prices.output, cached_input=prices.cached_input),
    )


def _server(section: ServerSection) -> ServerSettings:
    return ServerSettings(
        address=section.address,
        allow_remote=section.allow_remote,
        drain_s=section.drain_s,
        lame_duck_s=section.lame_duck_s,
        max_message_mib=section.max_message_mib,
        max_prompt_mib=section.max_prompt_mib,
        max_in_flight=section.max_in_flight,
        default_deadline_s=section.default_deadline_s,
        max_deadline_s=section.max_deadline_s,
        reflection=section.reflection,
    )


def _prober(section: ProberSection, health: HealthSection) -> ProberSettings:
    return ProberSettings(
        address=section.address,
        allow_remote=section.allow_remote,
        interval_s=section.interval_s,
        confirm_s=section.confirm_s,
        timeout_s=section.timeout_s,
        stale_s=section.stale_s,
        ignore_s=section.ignore_s,
        report_s=section.report_s,
        rules=_rules(health),
    )


def _rules(section: HealthSection) -> HealthRules:
    return HealthRules(
        down_after=section.down_after,
        up_after=section.up_after,
        window_s=section.window_s,
        degraded_failures=section.degraded_failures,
        degraded_ratio=section.degraded_ratio,
        degraded_share=section.degraded_share,
        healthy_ratio=section.healthy_ratio,
        cooldown_s=section.cooldown_s,
        max_cooldown_s=section.max_cooldown_s,
        recovery_shares=tuple(section.recovery_shares),
        recovery_step_s=section.recovery_step_s,
        min_dwell_s=section.min_dwell_s,
        half_life_s=section.half_life_s,
        slow_s=section.slow_s,
        slow_factor=section.slow_factor,
    )


def _simulator(section: SimulatorSection, around: Surroundings) -> SimulatorSettings:
    behaviours = {name: entry.behaviour() for name, entry in section.behaviours.items()}
    return SimulatorSettings(
        address=around.simulator_address,
        behaviours=MappingProxyType({ANY_PROVIDER: Behaviour(), **behaviours}),
        log_path=None if section.log_path is None else around.directory / section.log_path,
        seed=section.seed,
        log_capacity=section.log_capacity,
    )
