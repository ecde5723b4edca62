"""The prober's part of the file: when it looks, and what makes a target healthy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from router_service.config.access_section import ProberAccessSection
from router_service.config.fields import Failures, PositiveSeconds, Seconds, Section, Share, TcpAddress, Usd
from router_service.core.prices import NANOS_PER_USD
from router_service.core.settings import DeepSettings, HealthRules, ProberSettings

# The defaults stand once, in core.
_PROBER, _DEEP, _RULES = ProberSettings(), DeepSettings(), HealthRules()


class DeepSection(Section):
    """Probes that cost a token: small completions, where neither real traffic nor cheap probes tell how a model is."""

    enabled: bool = Field(default=_DEEP.is_enabled, description="Whether such probes are made.")
    max_usd_per_day: Usd = Field(
        default=_DEEP.max_usd_nanos_per_day / NANOS_PER_USD,
        description="What such probes may cost per provider in a day (UTC), whatever they find.",
        examples=[0.05],
    )
    interval_s: PositiveSeconds = Field(
        default=_DEEP.interval_s,
        description="How long a model may go uncalled before it is probed so; up to eightfold while it answers.",
        examples=[900],
    )


class ProberSection(Section):
    """The prober, and how long a router goes by what it said."""

    address: TcpAddress = Field(
        default=_PROBER.address,
        description="Where the prober listens beside its Unix socket.",
        examples=["127.0.0.1:50052"],
    )
    allow_remote: bool = Field(
        default=_PROBER.allow_remote,
        description="Whether `address` may be one that other machines reach, though nothing here guards it, and a "
        "router's key go to such a prober without TLS.",
    )
    interval_s: PositiveSeconds = Field(
        default=_PROBER.interval_s, description="Between two probes of a provider, give or take a fifth.", examples=[5]
    )
    confirm_s: PositiveSeconds = Field(
        default=_PROBER.confirm_s,
        description="From a failed probe to the next, until it is settled whether the provider is down.",
        examples=[0.5],
    )
    timeout_s: PositiveSeconds = Field(
        default=_PROBER.timeout_s, description="How long one probe may take.", examples=[5]
    )
    stale_s: PositiveSeconds = Field(
        default=_PROBER.stale_s, description="The age from which a snapshot counts for less.", examples=[15]
    )
    ignore_s: PositiveSeconds = Field(
        default=_PROBER.ignore_s, description="The age from which a snapshot counts for nothing.", examples=[60]
    )
    report_s: PositiveSeconds = Field(
        default=_PROBER.report_s, description="Between two reports of a router to the prober.", examples=[1]
    )
    access: ProberAccessSection = Field(
        default=ProberAccessSection(), description="What a router shows to a prober that it calls by TCP."
    )
    deep: DeepSection = Field(default=DeepSection(), description="Probes that cost a token, and their bounds.")


class HealthSection(Section):
    """When a target counts as what."""

    down_after: Failures = Field(
        default=_RULES.down_after, description="Failures in a row that make a target unhealthy.", examples=[3]
    )
    up_after: Failures = Field(
        default=_RULES.up_after,
        description="Good calls after the cooldown that let it recover, and bad ones that end its recovery.",
        examples=[2],
    )
    window_s: PositiveSeconds = Field(
        default=_RULES.window_s,
        description="How far back the window reaches that tells of a degraded target.",
        examples=[5],
    )
    degraded_failures: Failures = Field(
        default=_RULES.degraded_failures,
        description="Failures in the window from which a target may be degraded.",
        examples=[3],
    )
    degraded_ratio: Share = Field(
        default=_RULES.degraded_ratio,
        description="The share of calls in the window that must have failed as well.",
        examples=[0.2],
    )
    degraded_share: Share = Field(
        default=_RULES.degraded_share,
        description="The share of its traffic that a degraded target keeps.",
        examples=[0.1],
    )
    healthy_ratio: Share = Field(
        default=_RULES.healthy_ratio, description="The success rate below which a target is degraded.", examples=[0.9]
    )
    cooldown_s: PositiveSeconds = Field(
        default=_RULES.cooldown_s,
        description="How long an unhealthy target rests at first; each relapse doubles it.",
        examples=[10],
    )
    max_cooldown_s: PositiveSeconds = Field(
        default=_RULES.max_cooldown_s, description="How long an unhealthy target rests at most.", examples=[300]
    )
    recovery_shares: Annotated[list[Share], Field(min_length=1, max_length=16)] = Field(
        default=list(_RULES.recovery_shares),
        description="The shares of its traffic that a recovering target gets, step by step, up to 1.",
        examples=[[0.05, 0.25, 1]],
    )
    recovery_step_s: Seconds = Field(
        default=_RULES.recovery_step_s, description="How long each step of the recovery lasts.", examples=[5]
    )
    min_dwell_s: Seconds = Field(
        default=_RULES.min_dwell_s, description="How long a state lasts before a better one follows.", examples=[2]
    )
    half_life_s: PositiveSeconds = Field(
        default=_RULES.half_life_s, description="The age at which an observation counts for half.", examples=[20]
    )
    slow_s: PositiveSeconds = Field(
        default=_RULES.slow_s, description="The mean time of an answer above which a target may be slow.", examples=[5]
    )
    slow_factor: Annotated[float, Field(ge=1, le=1000, allow_inf_nan=False)] = Field(
        default=_RULES.slow_factor,
        description="How many times its usual time the mean must exceed as well.",
        examples=[2],
    )
