"""Checks that take more than one value. They read raw values, so that a mistake elsewhere in the file hides none."""

from __future__ import annotations

from collections.abc import Iterator

from router_service.config.access_checks import access_checks
from router_service.config.catalogue_checks import catalogue_checks
from router_service.config.problem import Problem
from router_service.config.routing_checks import routing_checks
from router_service.config.source import Source
from router_service.config.values import at, number
from router_service.core.settings import HealthRules, ProberSettings, ServerSettings


def crosschecks(source: Source) -> Iterator[Problem]:
    """Every contradiction between values of the file. Values of a wrong type are left to the schema."""
    yield from access_checks(source)
    yield from _wrong_orders(source)
    yield from _recovery(source)
    yield from routing_checks(source)
    yield from catalogue_checks(source)


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
        given = at(source.data, section)
        if number(given, smaller, smaller_default) <= number(given, larger, larger_default):
            continue
        has_smaller = at(given, smaller) is not None
        key, message = (smaller, f"is larger than {larger}") if has_smaller else (larger, f"is smaller than {smaller}")
        default = f"{larger} is {larger_default:g}" if has_smaller else f"{smaller} is {smaller_default:g}"
        hint = f"{larger} has to be at least {smaller}; by default {default}"
        yield source.problem((section, key), message, hint)


def _recovery(source: Source) -> Iterator[Problem]:
    shares = at(source.data, "health", "recovery_shares")
    if not isinstance(shares, list) or not shares:
        return
    numbers = [share for share in shares if isinstance(share, int | float)]
    if len(numbers) == len(shares) and (numbers != sorted(numbers) or numbers[-1] != 1):
        yield source.problem(
            ("health", "recovery_shares"), "does not rise to 1", "for example recovery_shares: [0.05, 0.25, 1]"
        )
