"""LiteLLM's strategy, group aliases and fallbacks as this configuration's strategy, aliases and one rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from router_service.config.litellm_models import Models
from router_service.config.problem import Loc
from router_service.config.remainder import Remainder
from router_service.config.source import Value
from router_service.config.values import at, items

STRATEGIES: Mapping[str, str] = {
    "simple-shuffle": "weighted",
    "least-busy": "least_loaded",
    "latency-based-routing": "latency_optimized",
    "cost-based-routing": "cost_optimized",
}
NEEDS_SHARES = "weighted"
RULE = "LiteLLM fallbacks"


def routing_of(data: Value, models: Models, remainder: Remainder) -> dict[str, Value]:
    """The section `routing`; empty where nothing is to be said. Aliases and fallbacks name the models themselves."""
    settings, more = at(data, "router_settings"), at(data, "litellm_settings")
    routing: dict[str, Value] = {}
    if strategy := _strategy(at(settings, "routing_strategy"), models, remainder):
        routing["strategy"] = strategy
    if models.shares:
        routing["shares"] = dict(models.shares)
    _group_aliases(at(settings, "model_group_alias"), models, remainder)
    pairs = [
        *_pairs(settings, "router_settings", models, remainder),
        *_pairs(more, "litellm_settings", models, remainder),
    ]
    if order := _in_order(pairs, models, remainder):
        routing["rules"] = [{"name": RULE, "prefer": list(order)}]
    carried = ("routing_strategy", "model_group_alias", "fallbacks")
    remainder.rest(settings, ("router_settings",), carried, "it has no counterpart; health and retries have their own")
    remainder.rest(more, ("litellm_settings",), ("fallbacks",), "it has no counterpart")
    return routing


def _strategy(name: Value, models: Models, remainder: Remainder) -> str:
    if name is None:
        return NEEDS_SHARES if models.shares else ""
    found = STRATEGIES.get(name, "") if isinstance(name, str) else ""
    if not found or (found == NEEDS_SHARES and not models.shares):
        remainder.note(("router_settings", "routing_strategy"), "it has no counterpart here; points decide")
        return ""
    return found


def _group_aliases(aliases: Value, models: Models, remainder: Remainder) -> None:
    for alias, named in aliases.items() if isinstance(aliases, dict) else ():
        group = at(named, "model") if isinstance(named, dict) else named
        loc: Loc = ("router_settings", "model_group_alias", alias)
        if isinstance(group, str) and group in models.groups and alias != "auto":
            models.join(alias, list(models.groups[group]))
        else:
            remainder.note(loc, "the group that it stands for was not carried over")


def _pairs(section: Value, name: str, models: Models, remainder: Remainder) -> Iterator[tuple[str, str, Loc]]:
    """Each group with one that steps in for it."""
    for loc, entry in items(at(section, "fallbacks"), (name, "fallbacks")):
        for group, others in entry.items() if isinstance(entry, dict) else ():
            for place, other in items(others, (*loc, group)):
                if isinstance(other, str) and {group, other} <= models.groups.keys():
                    yield group, other, place
                else:
                    remainder.note(place, "one of the two groups was not carried over")


def _in_order(pairs: list[tuple[str, str, Loc]], models: Models, remainder: Remainder) -> list[str]:
    """The targets of all groups with fallbacks, first ones first; a fallback also goes by the name of its group."""
    members = {group: list(targets) for group, targets in models.groups.items()}
    before: dict[str, list[str]] = {}
    for group, other, loc in pairs:
        trial = {**before, other: [*before.get(other, []), group], group: before.get(group, [])}
        try:
            TopologicalSorter(trial).prepare()
        except CycleError:
            remainder.note(loc, "the two step in for each other, and one has to come first")
            continue
        before = trial
        models.join(group, members[other])
    return list(dict.fromkeys(t for group in TopologicalSorter(before).static_order() for t in members[group]))
