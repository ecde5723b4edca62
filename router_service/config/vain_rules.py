"""Finds what of rules and limits can never have an effect, or none but one that nobody wants, with the line of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from router_service.config.problem import Loc
from router_service.config.source import Source, Value
from router_service.config.values import at, items, line_of, texts
from router_service.core.decision.rules import Rule, shadows


def about_shadows(source: Source, rules: Sequence[Rule]) -> Iterator[str]:
    """A line on each rule that never applies, since an earlier one always does."""
    for number, rule in enumerate(rules):
        first = next((place for place, earlier in enumerate(rules[:number]) if shadows(earlier, rule)), None)
        if first is not None:
            loc, over = ("routing", "rules", number), ("routing", "rules", first)
            line = line_of(source, over, seen_from=loc)
            what = f"never applies, since rule {first + 1}, in {line}, matches all that it would"
            yield source.warning(loc, what, "put it before that one, or narrow that one down")


def about_unknown_tenants(source: Source) -> Iterator[str]:
    """A line on each tenant that a rule waits for and that there is not."""
    known = texts(at(source.data, "tenants"), "name")
    for loc, rule in items(at(source.data, "routing", "rules"), ("routing", "rules")):
        for place, name in _one_or_more(at(rule, "when", "tenant"), (*loc, "when", "tenant")):
            if isinstance(name, str) and name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else "add the tenant to `tenants`, or remove the rule"
                yield source.warning(place, "is no tenant of this file", hint)


def about_noughts(source: Source) -> Iterator[str]:
    """A line on each limit that lets nothing through."""
    for loc, provider in items(at(source.data, "providers"), ("providers",)):
        for place, limit in items(at(provider, "limits"), (*loc, "limits")):
            if _is_nought(at(limit, "max")):
                hint = "enabled: false switches a provider or a model off; without the limit, there is none"
                yield source.warning((*place, "max"), "allows nothing at all", hint)
        if _is_nought(at(provider, "free", "max")):
            yield source.warning((*loc, "free", "max"), "gives nothing at all", "leave free out")


def _is_nought(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


def _one_or_more(value: Value, loc: Loc) -> list[tuple[Loc, Value]]:
    """The items of a list, or the one that stands by itself."""
    return [(loc, value)] if isinstance(value, str) else list(items(value, loc))
