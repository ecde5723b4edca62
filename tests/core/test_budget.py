"""The standing of the money: over, near, and what is left, for the server, its providers and its tenants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from router_service.core.budget import (
    BudgetLine,
    BudgetReading,
    BudgetRules,
    BudgetStanding,
    Owner,
    ProviderBudget,
    TenantBudget,
    budget_standing,
)
from router_service.core.windows import Per

USD = 10**9
RULES = BudgetRules(
    daily_usd_nanos=10 * USD,
    weekly_usd_nanos=40 * USD,
    providers={
        "anthropic": ProviderBudget(daily_usd_nanos=5 * USD, request_usd_nanos=USD // 2),
        "openai": ProviderBudget(),
    },
    tenants={"web": TenantBudget(daily_usd_nanos=2 * USD), "guest": TenantBudget(free_only=True)},
)


def readings(used_usd: Mapping[str, float], rules: BudgetRules = RULES) -> tuple[BudgetReading, ...]:
    """Readings of every line; spent is given by `day`, `week`, or the name of a provider or tenant."""
    return tuple(
        BudgetReading(
            line=line, used_usd_nanos=round(used_usd.get(line.name or line.per.value, 0) * USD), resets_in_s=60.0
        )
        for line in rules.lines()
    )


def test_without_rules_nothing_bounds() -> None:
    assert budget_standing(BudgetRules(), "web", ()) == BudgetStanding()


def test_every_bound_is_a_line() -> None:
    assert [str(line) for line in RULES.lines()] == [
        "budget of the server for a day",
        "budget of the server for a week",
        "budget of the provider anthropic for a day",
        "budget of the tenant web for a day",
    ]


@pytest.mark.parametrize(
    ("used", "tenant", "is_over", "left_usd"),
    [
        ({}, "", False, 10),
        ({"day": 9.99}, "", False, 0.01),
        ({"day": 10}, "", True, 0),
        ({"day": 12}, "", True, 0),
        ({"week": 40}, "", True, 0),
        ({"anthropic": 5}, "", False, 10),
        ({"web": 2}, "", False, 10),
        ({"web": 2}, "web", True, 0),
        ({"day": 9.5, "web": 1}, "web", False, 0.5),
        ({"day": 3, "web": 1}, "web", False, 1),
    ],
)
def test_over_is_by_any_bound_that_holds_for_the_tenant(
    used: dict[str, float], tenant: str, is_over: bool, left_usd: float
) -> None:
    hard = replace(RULES, is_hard=True)
    found = budget_standing(hard, tenant, readings(used, hard))
    assert (found.is_over, found.left_usd_nanos) == (is_over, round(left_usd * USD))
    soft = budget_standing(RULES, tenant, readings(used))
    assert (soft.is_over, soft.left_usd_nanos) == (is_over, None), "a soft bound lets one call cross it"


def test_a_provider_over_its_budget_is_named_and_the_rest_goes_on() -> None:
    found = budget_standing(RULES, "", readings({"anthropic": 5}))
    assert (found.over_providers, found.is_over) == (frozenset({"anthropic"}), False)


def test_requests_are_bounded_by_provider() -> None:
    assert budget_standing(RULES, "", readings({})).request_limits == {"anthropic": USD // 2}
    assert [RULES.request_limit(name) for name in ("anthropic", "openai", "groq")] == [USD // 2, None, None]


@pytest.mark.parametrize(
    ("used", "is_warning"),
    [({"day": 7.99}, False), ({"day": 8}, True), ({"week": 32}, True), ({"anthropic": 4}, True), ({"web": 1.6}, False)],
)
def test_the_warning_comes_at_four_fifths(used: dict[str, float], is_warning: bool) -> None:
    assert budget_standing(RULES, "", readings(used)).is_warning is is_warning


@pytest.mark.parametrize(("tenant", "free_only"), [("guest", True), ("web", False), ("", False)])
def test_a_tenant_may_have_only_what_is_free(tenant: str, free_only: bool) -> None:
    assert budget_standing(RULES, tenant, readings({})).free_only is free_only


def test_a_server_that_has_only_what_is_free_has_it_for_everyone() -> None:
    assert budget_standing(BudgetRules(free_only=True), "web", ()).free_only


def test_a_budget_of_nothing_is_over_from_the_start() -> None:
    rules = BudgetRules(daily_usd_nanos=0)
    assert budget_standing(rules, "", readings({}, rules)).is_over


@pytest.mark.parametrize(
    ("owner", "name", "binds"),
    [
        (Owner.SERVER, "", True),
        (Owner.PROVIDER, "groq", True),
        (Owner.PROVIDER, "web", False),
        (Owner.TENANT, "web", True),
        (Owner.TENANT, "groq", False),
    ],
)
def test_a_line_binds_its_owner(owner: Owner, name: str, binds: bool) -> None:
    assert BudgetLine(owner=owner, name=name, per=Per.DAY, limit_usd_nanos=1).binds("groq", "web") is binds


def test_of_the_bounds_that_refuse_a_call_the_longest_wait_is_told() -> None:
    rules = replace(RULES, is_hard=True, monthly_usd_nanos=USD)
    resets = {Per.DAY: 60.0, Per.WEEK: 900.0, Per.MONTH: 9000.0}
    given = tuple(replace(r, resets_in_s=resets[r.line.per]) for r in readings({"day": 9.9, "week": 39.8}, rules))
    found = budget_standing(rules, "", given)
    told = [found.refusing("groq", nanos) for nanos in (USD // 20, USD // 8, USD // 4, 2 * USD)]
    waits = [each and each.wait_s(nanos) for each, nanos in zip(told, (0, USD // 8, USD // 4, 2 * USD), strict=True)]
    assert [each and str(each.line) for each in told] == [
        None,
        "budget of the server for a day",
        "budget of the server for a week",
        "budget of the server for a month",
    ]
    assert waits == [None, 60.0, 900.0, None], "no month is large enough for the last one"


def test_a_providers_own_bound_refuses_calls_to_it_alone() -> None:
    found = budget_standing(RULES, "", readings({"anthropic": 5}))
    own = found.refusing("anthropic", 1)
    assert own is not None
    assert (own.line.subject, own.wait_s(1)) == ("provider:anthropic", 60.0)
    assert found.refusing("groq", 1) is None


@pytest.mark.parametrize(
    ("spent_usd", "held_usd", "needed_usd", "wait_s"),
    [
        (0, 9.9, 1, 1.0),
        (8, 1.5, 1, 1.0),
        (9.5, 0.4, 1, 60.0),
        (10, 1, 0, 60.0),
        (0, 9.9, 11, None),
    ],
)
def test_what_would_fit_beside_what_was_spent_waits_for_calls_under_way(
    spent_usd: float, held_usd: float, needed_usd: float, wait_s: float | None
) -> None:
    line = BudgetLine(owner=Owner.SERVER, name="", per=Per.DAY, limit_usd_nanos=10 * USD, is_hard=True)
    used, held = round((spent_usd + held_usd) * USD), round(held_usd * USD)
    reading = BudgetReading(line=line, used_usd_nanos=used, held_usd_nanos=held, resets_in_s=60.0)
    needed = round(needed_usd * USD)
    assert reading.refuses(needed)
    assert reading.wait_s(needed) == wait_s
    assert ("held by calls under way" in reading.told(needed)) is (wait_s == 1.0)
    assert replace(reading, resets_in_s=0.5).wait_s(needed) in (None, 0.5), "never longer than the window lasts"


def test_nobody_waits_for_a_budget_of_nothing() -> None:
    rules = BudgetRules(daily_usd_nanos=0)
    found = budget_standing(rules, "", readings({}, rules)).refusing("groq", 1)
    assert found is not None
    assert found.wait_s(1) is None
