"""Makes settings of a valid document and of what surrounds it: the last step."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType

from router_service.config.access_checks import about_tenants
from router_service.config.document import Document, ServerSection, TelemetrySection
from router_service.config.money import usd_nanos
from router_service.config.prober_section import HealthSection, ProberSection
from router_service.config.problem import ConfigError, Problem
from router_service.config.retirement import after_retirement
from router_service.config.simulator_section import SimulatorSection
from router_service.config.source import Source
from router_service.config.surroundings import Surroundings
from router_service.config.targets import targets_of
from router_service.config.vain import about_capabilities, about_dialects, about_rules, about_selectors, about_skipped
from router_service.config.vain_rules import about_noughts, about_shadows, about_unknown_tenants
from router_service.core.budget import BudgetRules
from router_service.core.catalog import Catalog
from router_service.core.decision.policy import Policy
from router_service.core.settings import (
    DeepSettings,
    HealthRules,
    ProberSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
)
from router_service.core.simulation import ANY_PROVIDER, Behaviour, SimulatorSettings
from router_service.core.task import Environment

ENVIRONMENT_VARIABLE = "SIGNALBOX_ENV"
VERSION_LENGTH = 12


def build(document: Document, source: Source, around: Surroundings) -> Settings:
    """The settings that `document` stands for. Their warnings name what of `source` is in vain, a line each.

    Raises ConfigError where a variable that the settings depend on holds what it cannot.
    """
    made, skipped = targets_of(document.providers, around)
    targets, retirements = after_retirement(made, around.today, has_auto_upgrade=document.routing.auto_upgrade)
    tenants = tuple(entry.tenant() for entry in document.tenants)
    policy = document.routing.policy(environment_of(document, around.environ))
    _check_strategy(policy, source, around)
    warnings = (
        *about_skipped(skipped),
        *about_dialects(targets),
        *about_capabilities(source),
        *about_selectors(source, policy, targets),
        *about_rules(policy.rules, targets),
        *about_shadows(source, policy.rules),
        *about_unknown_tenants(source),
        *about_noughts(source),
        *about_tenants(source, tenants, targets),
        *retirements,
    )
    return Settings(
        catalog=Catalog(targets, version=version_of(document)),
        server=_server(document.server, around),
        tenants=tenants,
        prober=_prober(document.prober, document.health, around),
        routing=_routing(document),
        telemetry=_telemetry(document.telemetry),
        policy=policy,
        budgets=_budgets(document),
        simulator=_simulator(document.simulator, around),
        warnings=warnings,
    )


def _check_strategy(policy: Policy, source: Source, around: Surroundings) -> None:
    """Of the built-in ones routing_checks.py tells it with everything else; what one of others needs, it alone knows.

    Raises ConfigError where a strategy of others has nothing to go by.
    """
    strategy = around.strategies.get(policy.strategy)
    if strategy is not None and (lacking := strategy.lacks(policy)):
        raise ConfigError([source.problem(("routing", "strategy"), "has nothing to go by", f"it needs {lacking}")])


def version_of(document: Document) -> str:
    """A digest of what the file says: comments, layout, the order of keys and spelt-out defaults do not change it."""
    content = document.model_dump(mode="json", exclude_defaults=True, exclude={"extends"})
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_LENGTH]


def environment_of(document: Document, environ: Mapping[str, str]) -> Environment:
    """The file's word, else the variable's, else production. Raises ConfigError where the variable's is none."""
    named = document.routing.environment or environ.get(ENVIRONMENT_VARIABLE, "").strip()
    try:
        return Environment(named or Environment.PRODUCTION.value)
    except ValueError as e:
        known = " or ".join(member.value for member in Environment)
        problem = Problem(
            file=f"${ENVIRONMENT_VARIABLE}",
            line=0,
            path="",
            message="names no environment",
            hint=f"{known}; or unset it, or set routing.environment in the configuration",
        )
        raise ConfigError([problem]) from e


def _budgets(document: Document) -> BudgetRules:
    tenants = {entry.name: budget for entry in document.tenants if (budget := entry.budget()) is not None}
    return dataclasses.replace(document.budgets.rules(), tenants=tenants)


def _routing(document: Document) -> RoutingSettings:
    told = {entry.name: entry.content_filter_failover for entry in document.tenants}
    of_tenants = {name: is_wanted for name, is_wanted in told.items() if is_wanted is not None}
    return dataclasses.replace(document.routing.settings(), content_filter_failover_of=of_tenants)


def _server(section: ServerSection, around: Surroundings) -> ServerSettings:
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
        slow_reader_s=section.slow_reader_s,
        reflection=section.reflection,
        tls=None if section.tls is None else section.tls.settings(around.directory),
    )


def _telemetry(section: TelemetrySection) -> TelemetrySettings:
    return TelemetrySettings(
        otlp_endpoint=section.otlp_endpoint,
        sample_ratio=section.sample_ratio,
        content=section.content,
        metrics_address=section.metrics_address,
        prober_metrics_address=section.prober_metrics_address,
        allow_remote=section.allow_remote,
    )


def _prober(section: ProberSection, health: HealthSection, around: Surroundings) -> ProberSettings:
    return ProberSettings(
        address=section.address,
        allow_remote=section.allow_remote,
        interval_s=section.interval_s,
        confirm_s=section.confirm_s,
        timeout_s=section.timeout_s,
        stale_s=section.stale_s,
        ignore_s=section.ignore_s,
        report_s=section.report_s,
        deep=DeepSettings(
            is_enabled=section.deep.enabled,
            max_usd_nanos_per_day=usd_nanos(section.deep.max_usd_per_day),
            interval_s=section.deep.interval_s,
        ),
        rules=_rules(health),
        access=section.access.settings(around),
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
