"""Checks between the values of the decision's part of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from router_service.config.catalogue_checks import repeated
from router_service.config.problem import Problem
from router_service.config.routing_section import SPARE_TARGETS
from router_service.config.source import Source, Value
from router_service.config.values import at, items
from router_service.core.settings import RoutingSettings

NEEDED: Mapping[str, tuple[str, str]] = {
    "weighted": ("shares", "for example shares: {groq: 3, together: 1}"),
    "priority": ("priorities", "for example priorities: [tier:local, groq]"),
}
"""What a strategy has nothing to go by without."""


def routing_checks(source: Source) -> Iterator[Problem]:
    """Rules that repeat a name or can never match, chains that are too short, strategies with nothing to go by."""
    routing = at(source.data, "routing")
    yield from _chain_length(source, routing)
    yield from _rules(source, routing)
    yield from _strategy(source, routing)
    for key, hint in (("balance", "one of them above 0"), ("votes", "one strategy with votes above 0")):
        if _is_all_nought(at(routing, key), {"balance": 3, "votes": 1}[key]):
            yield source.problem(("routing", key), "weighs nothing at all", hint)


def _chain_length(source: Source, routing: Value) -> Iterator[Problem]:
    attempts, length = at(routing, "max_attempts"), at(routing, "chain_length")
    least = (attempts if isinstance(attempts, int) else RoutingSettings().max_attempts) + SPARE_TARGETS
    if isinstance(length, int) and length < least:
        message = "is too short for max_attempts, since an attempt may find its room taken"
        yield source.problem(("routing", "chain_length"), message, f"at least {least}, or leave it out")


def _rules(source: Source, routing: Value) -> Iterator[Problem]:
    rules = items(at(routing, "rules"), ("routing", "rules"))
    yield from repeated(source, rules, "name", "is the name of another rule")
    for loc, rule in rules:
        over, most = at(rule, "when", "input_tokens_over"), at(rule, "when", "input_tokens_max")
        if isinstance(over, int) and isinstance(most, int) and most <= over:
            place = (*loc, "when", "input_tokens_max")
            yield source.problem(place, "leaves nothing above input_tokens_over", f"at least {over + 1}")


def _strategy(source: Source, routing: Value) -> Iterator[Problem]:
    strategy = at(routing, "strategy")
    if isinstance(strategy, str) and strategy in NEEDED:
        key, hint = NEEDED[strategy]
        if not at(routing, key):
            yield source.problem(("routing", "strategy"), f"has nothing to go by without {key}", hint)


def _is_all_nought(weights: Value, least: int) -> bool:
    """Whether all weights are given, as many as there are at least, and none of them weighs anything."""
    if not isinstance(weights, dict) or len(weights) < least:
        return False
    return all(isinstance(weight, int | float) and weight == 0 for weight in weights.values())
