"""A configured target on the wire: what it is, whether it may be called, and how it stands."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time
from hashlib import sha256

from google.protobuf.timestamp_pb2 import Timestamp
from signalbox.v1 import admin_pb2, health_feed_pb2

from router_service.core import catalog
from router_service.core.catalog import Kind
from router_service.core.decision.statistics import UNKNOWN_STATISTICS
from router_service.core.health import State
from router_service.core.plan import View
from router_service.core.prices import NANOS_PER_USD
from router_service.edge.durations import duration

MOST_TOKENS = 2**31 - 1
ETAG_DIGITS = 16
EMBEDDING = "embedding"
"""The capability under which a target that makes vectors is listed; those that make text have none for it."""

STATES = {state: health_feed_pb2.HealthState.Value(f"HEALTH_STATE_{state.name}") for state in State}


def target(value: catalog.Target, view: View, dialects: Collection[str]) -> admin_pb2.Target:
    """The target with its health in `view`; `dialects` are the ones that this router speaks."""
    provider, model = value.provider, value.model
    available, detail = availability(value, dialects)
    capabilities = model.capabilities | ({EMBEDDING} if model.kind is Kind.EMBEDDING else frozenset())
    message = admin_pb2.Target(
        id=value.id,
        provider=provider.name,
        model=model.id,
        dialect=provider.dialect,
        tier=provider.tier,
        region=provider.region,
        compliance=sorted(provider.compliance),
        aliases=model.aliases,
        roles=sorted(model.roles),
        capabilities=sorted(capabilities),
        task_match={task.value: match for task, match in model.tasks.items()},
        context_tokens=min(model.context_tokens, MOST_TOKENS),
        prices=_prices(value),
        availability=available,
        availability_detail=detail,
        origin=admin_pb2.TARGET_ORIGIN_CONFIGURATION,
        replacement=f"{provider.name}/{model.replacement}" if model.replacement else "",
    )
    if model.retires is not None:
        message.retirement_time.CopyFrom(_midnight(model.retires))
    message.etag = sha256(message.SerializeToString(deterministic=True)).hexdigest()[:ETAG_DIGITS]
    message.health.CopyFrom(_health(value, view))
    return message


def availability(value: catalog.Target, dialects: Collection[str]) -> tuple[admin_pb2.Availability.ValueType, str]:
    """Whether requests may go to a target, and where they may not, why, in words."""
    provider = value.provider
    if not provider.is_enabled:
        return admin_pb2.AVAILABILITY_DISABLED, f"the provider {provider.name} is switched off in the configuration"
    if not value.model.is_enabled:
        return admin_pb2.AVAILABILITY_DISABLED, "it is switched off in the configuration"
    if not provider.is_usable:
        return admin_pb2.AVAILABILITY_NO_KEY, _lack(provider)
    if provider.dialect not in dialects:
        return admin_pb2.AVAILABILITY_UNSUPPORTED, f"this router does not speak the dialect {provider.dialect}"
    return admin_pb2.AVAILABILITY_ENABLED, ""


def _lack(provider: catalog.Provider) -> str:
    if provider.missing_variables:
        return f"its address needs {' and '.join(provider.missing_variables)} in the environment"
    return f"there is no key in {' or '.join(provider.key_env) or 'its key file'}"


def _prices(value: catalog.Target) -> admin_pb2.Prices:
    prices = value.model.prices
    if value.provider.is_unpriced or value.provider.is_self_hosted:
        return admin_pb2.Prices(input_usd_nanos_per_million_tokens=0, output_usd_nanos_per_million_tokens=0)
    return admin_pb2.Prices(
        input_usd_nanos_per_million_tokens=_nanos(prices.input),
        output_usd_nanos_per_million_tokens=_nanos(prices.output),
        cached_input_usd_nanos_per_million_tokens=_nanos(prices.cached_input),
        cache_write_usd_nanos_per_million_tokens=_nanos(prices.cache_write),
    )


def _nanos(usd: float | None) -> int | None:
    return None if usd is None else round(usd * NANOS_PER_USD)


def _midnight(day: date) -> Timestamp:
    """The beginning of the day, in UTC: vendors name no hour."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.combine(day, time.min, tzinfo=UTC))
    return stamp


def _health(value: catalog.Target, view: View) -> health_feed_pb2.TargetHealth:
    """What the router goes by. What it does not keep of a snapshot, such as the last probe, stays absent."""
    standing = view.standing(value)
    statistics = view.statistics.get(value.id, UNKNOWN_STATISTICS)
    message = health_feed_pb2.TargetHealth(
        target=value.id,
        state=STATES[standing.state],
        traffic_share=standing.traffic_share,
        success_rate=1.0,
        success_rate_lower=statistics.success_rate_lower,
        consecutive_failures=round(statistics.consecutive_failures),
        in_flight=view.in_flight.get(value.id, 0),
    )
    first_token = (
        (message.time_to_first_token.p50, statistics.time_to_first_token_p50_s),
        (message.time_to_first_token.p90, statistics.time_to_first_token_p90_s),
        (message.time_to_first_token.p95, standing.time_to_first_token_p95_s),
        (message.latency.p95, standing.answer_p95_s),
    )
    for field, seconds in first_token:
        if seconds:
            field.CopyFrom(duration(seconds))
    return message
