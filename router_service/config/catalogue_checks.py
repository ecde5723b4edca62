"""Checks between the values of providers, models and budgets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from router_service.config.addresses import is_plain_http_to_far
from router_service.config.problem import Loc, Problem
from router_service.config.source import Source, Value
from router_service.config.values import at, items, line_of, texts


def catalogue_checks(source: Source) -> Iterator[Problem]:
    """Names that stand twice or for nothing, keys in the clear, and speeds that contradict each other."""
    providers = items(at(source.data, "providers"), ("providers",))
    yield from repeated(source, providers, "name", "is the name of another provider")
    for loc, provider in providers:
        models = items(at(provider, "models"), (*loc, "models"))
        yield from repeated(source, models, "id", "is a model that this provider has already")
        yield from _key_in_the_clear(source, loc, provider)
        yield from _limits(source, loc, provider)
        for place, entry in [(loc, provider), *models]:
            yield from _speed(source, place, entry)
        yield from _replacements(source, models, texts(at(provider, "models"), "id"))
    yield from _budgets(source)


def repeated(source: Source, entries: Iterable[tuple[Loc, Value]], key: str, message: str) -> Iterator[Problem]:
    """A problem for each entry whose `key` an earlier one has as well."""
    first: dict[str, Loc] = {}
    for loc, entry in entries:
        name, place = at(entry, key), (*loc, key)
        if not isinstance(name, str):
            continue
        if name in first:
            yield source.problem(place, message, f"the first is in {line_of(source, first[name], seen_from=place)}")
        first.setdefault(name, place)


def _key_in_the_clear(source: Source, loc: Loc, provider: Value) -> Iterator[Problem]:
    url, has_key = at(provider, "base_url"), at(provider, "key_env") or at(provider, "key_file")
    if has_key and isinstance(url, str) and is_plain_http_to_far(url):
        yield source.problem((*loc, "base_url"), "would send the key over plain http", "use https")


def _limits(source: Source, loc: Loc, provider: Value) -> Iterator[Problem]:
    """Limits of models that the provider has not would bind nobody."""
    known = texts(at(provider, "models"), "id")
    limits = [*items(at(provider, "limits"), (*loc, "limits")), ((*loc, "free"), at(provider, "free"))]
    for place, limit in limits:
        for where, model in items(at(limit, "models"), (*place, "models")):
            if isinstance(model, str) and model not in known:
                yield source.problem(where, "is no model of this provider", _near(model, known))


def _speed(source: Source, loc: Loc, entry: Value) -> Iterator[Problem]:
    median, ninth = at(entry, "speed", "first_token_s"), at(entry, "speed", "first_token_p90_s")
    if isinstance(median, int | float) and isinstance(ninth, int | float) and ninth < median:
        place = (*loc, "speed", "first_token_p90_s")
        yield source.problem(place, "is smaller than first_token_s, the median", "what nine in ten stay under")


def _replacements(source: Source, models: Iterable[tuple[Loc, Value]], known: list[str]) -> Iterator[Problem]:
    for loc, model in models:
        replacement = at(model, "replacement")
        if not isinstance(replacement, str):
            continue
        if replacement == at(model, "id"):
            yield source.problem((*loc, "replacement"), "is the model itself", "name another model of this provider")
        elif replacement not in known:
            yield source.problem((*loc, "replacement"), "is no model of this provider", _near(replacement, known))


def _budgets(source: Source) -> Iterator[Problem]:
    """A bound for a misspelt provider would bind nobody."""
    budgets, known = at(source.data, "budgets", "providers"), texts(at(source.data, "providers"), "name")
    for name in budgets if isinstance(budgets, dict) else ():
        if name not in known:
            yield source.problem(("budgets", "providers", name), "is no provider of this file", _near(name, known))


def _near(name: str, known: list[str]) -> str:
    if near := get_close_matches(name, known, n=1):
        return f"did you mean {near[0]}?"
    return f"known here: {', '.join(known[:20])}" if known else ""
