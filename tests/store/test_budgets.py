"""Money in the book of quotas: what is held, what is refused, and when it comes back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from router_service.core.budget import BudgetRules, ProviderBudget, TenantBudget
from router_service.core.quota import Amounts, Overflow, QuotaRules, RefusedBy, Unit
from router_service.core.windows import Per
from tests.store.making import USD, HandClock, book, limit, refused, reserved


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def call(usd: float) -> Amounts:
    return Amounts(requests=1, tokens=100, usd_nanos=round(usd * USD))


ANTHROPIC, LOCAL = QuotaRules(provider="anthropic"), QuotaRules(provider="ollama", is_unpriced=True)


def test_a_soft_budget_lets_the_call_through_that_crosses_it(clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD))
    for _ in range(2):
        quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(0.6))), call(0.6))
    found = refused(quotas.reserve("anthropic", "opus", call(0.01)))
    assert (found.by, found.what) == (RefusedBy.BUDGET, "the budget of the server for a day is used up")
    assert found.retry_in_s == 12 * 3600 - 30
    assert quotas.budget().is_over


def test_a_hard_budget_is_never_crossed(clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD, is_hard=True))
    held = [quotas.reserve("anthropic", "opus", call(0.1), worst_usd_nanos=round(0.4 * USD)) for _ in range(3)]
    assert [type(each).__name__ for each in held] == ["Reservation", "Reservation", "Refused"]
    assert quotas.budget_readings()[0].left_usd_nanos == round(0.2 * USD)
    quotas.settle(reserved(held[0]), call(0.1))
    assert quotas.budget_readings()[0].left_usd_nanos == round(0.5 * USD)


@pytest.mark.parametrize("is_hard", [True, False])
def test_money_that_calls_under_way_hold_comes_back_before_the_window_ends(is_hard: bool, clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD, is_hard=is_hard))
    held = reserved(quotas.reserve("anthropic", "opus", call(1)))
    found, standing = refused(quotas.reserve("anthropic", "opus", call(0.3))), quotas.budget()
    assert (found.by, found.retry_in_s) == (RefusedBy.BUDGET, 1.0)
    assert found.what == (
        "the budget of the server for a day has 0.00 USD left, 1.00 USD are held by calls under way, "
        "and this request may cost 0.30 USD"
    )
    told = standing.refusing("anthropic", round(0.3 * USD))
    assert told is not None
    assert (told.told(round(0.3 * USD)), told.wait_s(round(0.3 * USD))) == (found.what, 1.0)
    quotas.settle(held, call(1))
    spent = refused(quotas.reserve("anthropic", "opus", call(0.3)))
    assert (spent.what, spent.retry_in_s) == ("the budget of the server for a day is used up", 12 * 3600 - 30)


def test_money_in_flight_counts(clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD))
    held = reserved(quotas.reserve("anthropic", "opus", call(1)))
    assert (quotas.budget().is_over, quotas.budget().is_warning) == (True, True)
    quotas.settle(held, call(0.25))
    assert (quotas.budget().is_over, quotas.budget_readings()[0].left_usd_nanos) == (False, round(0.75 * USD))


def test_over_the_budget_what_is_free_goes_on(clock: HandClock) -> None:
    free = QuotaRules(provider="groq", free=limit(2), overflow=Overflow.PAID)
    quotas = book(free, LOCAL, clock=clock, budgets=BudgetRules(daily_usd_nanos=0))
    assert quotas.budget().is_over
    for _ in range(2):
        quotas.settle(reserved(quotas.reserve("groq", "small", call(5))), call(5))
    refused(quotas.reserve("groq", "small", call(5)))
    reserved(quotas.reserve("ollama", "small", call(0)))
    assert quotas.budget_readings()[0].used_usd_nanos == 0


def test_a_free_model_goes_on_too(clock: HandClock) -> None:
    rules = QuotaRules(provider="openrouter", free_models=frozenset({"small:free"}))
    quotas = book(rules, clock=clock, budgets=BudgetRules(free_only=True))
    reserved(quotas.reserve("openrouter", "small:free", call(0)))
    assert refused(quotas.reserve("openrouter", "large", call(0))).by is RefusedBy.FREE_ONLY


def test_a_provider_has_a_day_of_its_own_and_a_bound_on_each_request(clock: HandClock) -> None:
    own = {"anthropic": ProviderBudget(daily_usd_nanos=USD, request_usd_nanos=USD // 2)}
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=10 * USD, providers=own))
    found = refused(quotas.reserve("anthropic", "opus", call(0.6)))
    assert (found.by, found.retry_in_s) == (RefusedBy.REQUEST_LIMIT, None)
    assert found.what == "a request to anthropic may cost 0.5000 USD, and this one may cost 0.6000"
    for _ in range(2):
        quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(0.5))), call(0.5))
    assert refused(quotas.reserve("anthropic", "opus", call(0.1))).subject == "provider:anthropic"
    assert (quotas.budget().over_providers, quotas.budget().is_over) == (frozenset({"anthropic"}), False)


def test_a_tenant_spends_its_own(clock: HandClock) -> None:
    tenants = {"web": TenantBudget(daily_usd_nanos=USD), "guest": TenantBudget(free_only=True)}
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=10 * USD, tenants=tenants))
    quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(1), tenant="web")), call(1))
    refused(quotas.reserve("anthropic", "opus", call(0.1), tenant="web"))
    assert refused(quotas.reserve("anthropic", "opus", call(0.1), tenant="guest")).by is RefusedBy.FREE_ONLY
    reserved(quotas.reserve("anthropic", "opus", call(0.1)))
    assert (quotas.budget("web").is_over, quotas.budget("other").is_over) == (True, False)


def test_a_call_that_was_never_sent_costs_nothing(clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD))
    quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(0.9))), Amounts())
    assert quotas.budget_readings()[0].left_usd_nanos == USD


def test_a_budgets_day_ends_at_midnight_of_its_zone_without_a_guard(clock: HandClock) -> None:
    """12:00:30 UTC is 07:00:30 in New York: its day has 16 hours, 59 minutes and 30 seconds to go."""
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD, zone=ZoneInfo("America/New_York")))
    quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(1))), call(1))
    clock.pass_s(17 * 3600 - 30.5)
    assert quotas.budget().is_over
    clock.pass_s(0.5)
    assert not quotas.budget().is_over


@pytest.mark.parametrize(("days", "is_over"), [(0, True), (1, True), (2, False)])
def test_a_week_lasts_until_monday(days: int, is_over: bool, clock: HandClock) -> None:
    """The clock starts on a Saturday."""
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(weekly_usd_nanos=USD))
    quotas.settle(reserved(quotas.reserve("anthropic", "opus", call(1))), call(1))
    clock.pass_s(days * 86_400)
    assert quotas.budget().is_over is is_over


def test_the_bill_may_exceed_the_estimate_by_what_was_in_flight(clock: HandClock) -> None:
    quotas = book(ANTHROPIC, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD))
    held = [reserved(quotas.reserve("anthropic", "opus", call(0.1))) for _ in range(9)]
    for each in held:
        quotas.settle(each, call(0.2))
    assert quotas.budget_readings()[0].used_usd_nanos == round(1.8 * USD)
    refused(quotas.reserve("anthropic", "opus", call(0.1)))


def test_what_one_attempt_may_cost_is_bounded_by_hard_limits_and_bounds_on_requests(clock: HandClock) -> None:
    balance = QuotaRules(provider="balance", limits=(limit(USD // 2, Per.EVER, Unit.USD_NANOS),))
    per_provider = {"anthropic": ProviderBudget(request_usd_nanos=USD // 4)}
    soft = book(
        ANTHROPIC, LOCAL, balance, clock=clock, budgets=BudgetRules(daily_usd_nanos=USD, providers=per_provider)
    )
    assert [soft.payable(name, "m") for name in ("anthropic", "balance", "ollama")] == [USD // 4, None, None]
    rules = BudgetRules(daily_usd_nanos=USD, providers=per_provider, is_hard=True)
    hard = book(ANTHROPIC, LOCAL, balance, clock=clock, budgets=rules)
    assert [hard.payable(name, "m") for name in ("anthropic", "balance", "other")] == [USD // 4, USD // 2, USD]
    reserved(hard.reserve("other", "m", call(0.1), worst_usd_nanos=round(0.9 * USD)))
    assert [hard.payable(name, "m") for name in ("anthropic", "balance")] == [USD // 10, USD // 10]
    assert book(ANTHROPIC, clock=clock).payable("anthropic", "m") is None
