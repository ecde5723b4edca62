"""Makes the targets of the file's providers, and says of which providers there is none to call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from router_service.config.addresses import (
    SIMULATOR_SCHEME,
    checked_plain_url,
    expanded,
    is_plain_http_to_far,
    variables_in,
)
from router_service.config.entries import ProviderEntry, TimeoutsEntry
from router_service.config.keys import fetch_key
from router_service.config.model_entry import ModelEntry, PricesEntry, SpeedEntry
from router_service.config.problem import Refusal
from router_service.config.surroundings import Surroundings
from router_service.core.catalog import (
    LOCAL_TIER,
    Kind,
    LongContextPrices,
    Model,
    Prices,
    Provider,
    Speed,
    Target,
    Timeouts,
)
from router_service.core.quota import Overflow
from router_service.core.task import TaskType


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A provider that is not called: `variables` are those that its address lacks, `key` says where none was found.

    `why` is for a variable that holds what cannot be used, and empty else.
    """

    provider: Provider
    variables: tuple[str, ...] = ()
    key: str = ""
    why: str = ""


def targets_of(
    entries: Iterable[ProviderEntry], around: Surroundings
) -> tuple[tuple[Target, ...], tuple[Skipped, ...]]:
    """All targets, those of skipped providers included. A provider that is switched off is not called skipped."""
    targets: list[Target] = []
    skipped: list[Skipped] = []
    for entry in entries:
        provider, why = _provider(entry, around)
        targets.extend(Target(provider, _model(model)) for model in entry.models)
        if provider.is_enabled and not provider.is_usable:
            key = "" if provider.key else " or ".join((*provider.key_env, *filter(None, [provider.key_file])))
            skipped.append(Skipped(provider=provider, variables=provider.missing_variables, key=key, why=why))
    return tuple(targets), tuple(skipped)


def _provider(entry: ProviderEntry, around: Surroundings) -> tuple[Provider, str]:
    """The provider and, where a variable holds what cannot be used, a sentence on it."""
    key, odd_key = fetch_key(entry, around.environ, around.directory)
    provider = Provider(
        name=entry.name,
        dialect=entry.dialect,
        base_url=entry.base_url,
        key_env=tuple(entry.key_env),
        key_file=entry.key_file or "",
        key_page=entry.key_page or "",
        key=key,
        tier=entry.tier,
        region=entry.region or "",
        compliance=frozenset(entry.compliance),
        timeouts=_timeouts(entry.timeouts_s),
        is_enabled=entry.enabled,
        limits=tuple(limit.limit() for limit in entry.limits),
        free=None if entry.free is None else entry.free.limit(),
        is_unpriced=entry.unpriced,
        overflow=Overflow(entry.overflow),
        pacing=entry.pacing,
        max_concurrency=entry.max_concurrency,
        sla=entry.sla,
        open_weights=entry.open_weights,
        speed=_speed(entry.speed),
        retired=tuple(model.retired() for model in entry.retired),
        deviations=entry.deviations.deviations(is_local=entry.tier == LOCAL_TIER),
    )
    addressed, odd_address = _addressed(provider, around)
    return addressed, odd_key or odd_address


def _addressed(provider: Provider, around: Surroundings) -> tuple[Provider, str]:
    """The provider at the address that its variables make of `base_url`, and what is odd about it."""
    if provider.base_url.startswith(SIMULATOR_SCHEME):
        path = provider.base_url.removeprefix(SIMULATOR_SCHEME)
        return replace(provider, base_url=f"http://{around.simulator_address}{path}"), ""
    try:
        url, missing = expanded(provider.base_url, around.environ)
        if missing:
            return replace(provider, missing_variables=missing), ""
        url = checked_plain_url(url)
    except Refusal as refusal:
        return _unusable(provider, str(refusal))
    if provider.key and is_plain_http_to_far(url):
        return _unusable(provider, "would send the key over plain http")
    return replace(provider, base_url=url), ""


def _unusable(provider: Provider, what: str) -> tuple[Provider, str]:
    unusable = replace(provider, missing_variables=variables_in(provider.base_url))
    return unusable, f"with its variables filled in, base_url {what}"


def _timeouts(entry: TimeoutsEntry) -> Timeouts:
    return Timeouts(connect_s=entry.connect, first_byte_s=entry.first_byte, gap_s=entry.gap, answer_s=entry.answer)


def _model(entry: ModelEntry) -> Model:
    return Model(
        id=entry.id,
        aliases=tuple(entry.alias),
        capabilities=frozenset(entry.capabilities),
        context_tokens=entry.context or 0,
        max_output_tokens=entry.max_output,
        prices=_prices(entry.prices),
        kind=Kind(entry.kind),
        is_enabled=entry.enabled,
        roles=frozenset(entry.roles),
        tasks={TaskType(task): share for task, share in entry.tasks.items()},
        quality={TaskType(task): share for task, share in entry.quality.items() if task != "default"},
        default_quality=entry.quality.get("default"),
        speed=_speed(entry.speed),
        retires=None if entry.retires is None else date.fromisoformat(entry.retires),
        replacement=entry.replacement or "",
        rejects=frozenset(entry.rejects),
    )


def _prices(entry: PricesEntry) -> Prices:
    long = entry.long_context
    return Prices(
        input=entry.input,
        output=entry.output,
        cached_input=entry.cached_input,
        cache_write=entry.cache_write,
        long_context=None
        if long is None
        else LongContextPrices(
            from_input_tokens=long.from_input_tokens,
            input=long.input,
            output=long.output,
            cached_input=long.cached_input,
            cache_write=long.cache_write,
        ),
    )


def _speed(entry: SpeedEntry) -> Speed:
    return Speed(
        time_to_first_token_s=entry.first_token_s,
        time_to_first_token_p90_s=entry.first_token_p90_s,
        tokens_per_second=entry.tokens_per_s,
    )
