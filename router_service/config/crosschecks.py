"""Checks that take more than one value. They read raw values, so that a mistake elsewhere in the file hides none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router_service.config.addresses import is_far_address, is_plain_http_to_far
from router_service.config.problem import Loc, Problem
from router_service.config.source import Source, Value
from router_service.core.settings import HealthRules, ProberSettings, ServerSettings


def crosschecks(source: Source) -> Iterator[Problem]:
    """Every contradiction between values of the file. Values of a wrong type are left to the schema."""
    yield from _repeated_names(source)
    yield from _keys_in_the_clear(source)
    yield from _listeners(source)
    yield from _wrong_orders(source)
    yield from _recovery(source)


def _repeated_names(source: Source) -> Iterator[Problem]:
    providers = _items(_at(source.data, "providers"), ("providers",))
    yield from _repeated(source, providers, "name", "is the name of another provider")
    for loc, provider in providers:
        models = _items(_at(provider, "models"), (*loc, "models"))
        yield from _repeated(source, models, "id", "is a model that this provider has already")


def _repeated(source: Source, items: Iterable[tuple[Loc, Value]], key: str, message: str) -> Iterator[Problem]:
    first: dict[str, Loc] = {}
    for loc, item in items:
        name, at = _at(item, key), (*loc, key)
        if not isinstance(name, str):
            continue
        if name in first:
            yield source.problem(at, message, f"the first is in line {source.line_of(first[name])}")
        first.setdefault(name, at)


def _keys_in_the_clear(source: Source) -> Iterator[Problem]:
    for loc, provider in _items(_at(source.data, "providers"), ("providers",)):
        url, has_key = _at(provider, "base_url"), _at(provider, "key_env") or _at(provider, "key_file")
        if has_key and isinstance(url, str) and is_plain_http_to_far(url):
            yield source.problem((*loc, "base_url"), "would send the key over plain http", "use https")


def _listeners(source: Source) -> Iterator[Problem]:
    for section in ("server", "prober"):
        settings = _at(source.data, section)
        address = _at(settings, "address")
        if isinstance(address, str) and is_far_address(address) and _at(settings, "allow_remote") is not True:
            yield source.problem(
                (section, "address"),
                "would let other machines in, and callers are not authenticated",
                f"listen on 127.0.0.1, or set {section}.allow_remote: true where the network keeps strangers out",
            )


def _wrong_orders(source: Source) -> Iterator[Problem]:
    server, prober, rules = ServerSettings(), ProberSettings(), HealthRules()
    pairs = (
        ("server", "default_deadline_s", server.default_deadline_s, "max_deadline_s", server.max_deadline_s),
        ("server", "max_prompt_mib", server.max_prompt_mib, "max_message_mib", server.max_message_mib),
        ("prober", "interval_s", prober.interval_s, "stale_s", prober.stale_s),
        ("prober", "stale_s", prober.stale_s, "ignore_s", prober.ignore_s),
        ("health", "cooldown_s", rules.cooldown_s, "max_cooldown_s", rules.max_cooldown_s),
    )
    for section, smaller, smaller_default, larger, larger_default in pairs:
        given = _at(source.data, section)
        if _number(given, smaller, smaller_default) <= _number(given, larger, larger_default):
            continue
        has_smaller = _at(given, smaller) is not None
        at, message = (smaller, f"is larger than {larger}") if has_smaller else (larger, f"is smaller than {smaller}")
        default = f"{larger} is {larger_default:g}" if has_smaller else f"{smaller} is {smaller_default:g}"
        hint = f"{larger} has to be at least {smaller}; by default {default}"
        yield source.problem((section, at), message, hint)


def _recovery(source: Source) -> Iterator[Problem]:
    shares = _at(_at(source.data, "health"), "recovery_shares")
    if not isinstance(shares, list) or not shares:
        return
    numbers = [share for share in shares if isinstance(share, int | float)]
    if len(numbers) == len(shares) and (numbers != sorted(numbers) or numbers[-1] != 1):
        yield source.problem(
            ("health", "recovery_shares"), "does not rise to 1", "for example recovery_shares: [0.05, 0.25, 1]"
        )


def _at(value: Value, key: str) -> Value:
    return value.get(key) if isinstance(value, dict) else None


def _items(value: Value, loc: Loc) -> list[tuple[Loc, Value]]:
    return [((*loc, i), item) for i, item in enumerate(value)] if isinstance(value, list) else []


def _number(section: Value, key: str, default: float) -> float:
    value = _at(section, key)
    return value if isinstance(value, int | float) else default
