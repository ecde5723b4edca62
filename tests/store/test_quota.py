"""The book of quotas: limits, free windows and balances, what jumps of the clock do, and what standings say."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from router_service.core.budget import BudgetRules
from router_service.core.catalog import Catalog, Model, Prices, Provider, Target
from router_service.core.quota import Amounts, Overflow, QuotaRules, RefusedBy, Reservation, Unit
from router_service.core.windows import GUARD_S, Per
from router_service.store.ports import Quotas
from router_service.store.terms import terms_of
from tests.store.making import ONE, USD, HandClock, admitted, book, limit, refused, reserved, used


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.mark.parametrize("per", list(Per))
def test_a_window_takes_its_limit_and_no_more(per: Per, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(30, per),)), clock=clock)
    assert admitted(quotas, 50) == 30


@pytest.mark.parametrize(
    ("per", "rests_s"),
    [(Per.SECOND, 1.5), (Per.MINUTE, 60), (Per.HOUR, 3600), (Per.DAY, 86_400), (Per.MONTH, 10 * 86_400)],
)
def test_a_window_resets_by_itself(per: Per, rests_s: float, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5, per),)), clock=clock)
    assert admitted(quotas, 9) == 5
    clock.pass_s(rests_s)
    assert admitted(quotas, 9) == 5


def test_a_refusal_says_what_is_full_and_until_when(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(1, Per.MINUTE), limit(2))), clock=clock)
    admitted(quotas, 1)
    found = refused(quotas.reserve("groq", "small", ONE))
    assert found.what == "nothing is left of its requests for a minute"
    assert (found.by, found.retry_in_s) == (RefusedBy.QUOTA, 31.0)
    clock.pass_s(31)
    admitted(quotas, 1)
    found = refused(quotas.reserve("groq", "small", ONE))
    assert found.what == "nothing is left of its requests for a day"
    assert found.retry_in_s == 12 * 3600 - 30 - 31 + 1


def test_close_to_an_edge_both_windows_count(clock: HandClock) -> None:
    """Half a second before a minute ends a provider may have begun the next, or half a second after it not yet."""
    quotas = book(QuotaRules(provider="groq", limits=(limit(10, Per.MINUTE),)), clock=clock)
    clock.pass_s(29.5)
    assert admitted(quotas, 10) == 10
    clock.pass_s(1.0)
    assert admitted(quotas, 10) == 0
    clock.pass_s(1.0)
    assert admitted(quotas, 10) == 0
    clock.pass_s(59.5)
    assert admitted(quotas, 10) == 10


def test_in_flight_takes_room_until_it_is_settled(clock: HandClock) -> None:
    quotas: Quotas = book(QuotaRules(provider="groq", limits=(limit(1),)), clock=clock)
    held = reserved(quotas.reserve("groq", "small", ONE))
    refused(quotas.reserve("groq", "small", ONE))
    quotas.settle(held, Amounts())
    quotas.settle(reserved(quotas.reserve("groq", "small", ONE)), ONE)
    refused(quotas.reserve("groq", "small", ONE))


def test_settling_twice_counts_once(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(10_000, unit=Unit.TOKENS),)), clock=clock)
    held = reserved(quotas.reserve("groq", "small", Amounts(requests=1, tokens=100)))
    for tokens in (70, 900, 0):
        quotas.settle(held, Amounts(requests=1, tokens=tokens))
    assert used(quotas, unit=Unit.TOKENS) == 70


def test_an_attempt_is_no_more_requests_than_were_reserved(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(10),)), clock=clock)
    quotas.settle(reserved(quotas.reserve("groq", "small", ONE)), Amounts(requests=9))
    assert used(quotas) == 1


def test_what_is_settled_after_midnight_belongs_to_the_day_before(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(1_000, unit=Unit.TOKENS),)), clock=clock)
    held = reserved(quotas.reserve("groq", "small", Amounts(requests=1, tokens=100)))
    clock.pass_s(12 * 3600)
    quotas.settle(held, Amounts(requests=1, tokens=900))
    assert used(quotas, unit=Unit.TOKENS) == 0


@pytest.mark.parametrize(("estimate", "actual"), [(100, 40), (100, 100), (100, 900)])
def test_tokens_are_counted_as_they_came(estimate: int, actual: int, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(500, unit=Unit.TOKENS),)), clock=clock)
    held = reserved(quotas.reserve("groq", "small", Amounts(requests=1, tokens=estimate)))
    assert used(quotas, unit=Unit.TOKENS) == estimate
    quotas.settle(held, Amounts(requests=1, tokens=actual))
    assert used(quotas, unit=Unit.TOKENS) == actual


def test_an_attempt_larger_than_the_whole_window_need_not_wait(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(500, Per.MINUTE, Unit.TOKENS),)), clock=clock)
    assert refused(quotas.reserve("groq", "small", Amounts(requests=1, tokens=501))).retry_in_s is None


def test_a_full_window_of_tokens_takes_no_attempt_without_an_estimate(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(500, Per.MINUTE, Unit.TOKENS),)), clock=clock)
    quotas.settle(reserved(quotas.reserve("groq", "small", ONE)), Amounts(requests=1, tokens=500))
    refused(quotas.reserve("groq", "small", ONE))


@pytest.mark.parametrize("claimed", [-5, 10**30])
def test_what_a_provider_claims_is_bounded(claimed: int, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(500, unit=Unit.TOKENS),)), clock=clock)
    quotas.settle(reserved(quotas.reserve("groq", "small", ONE)), Amounts(requests=1, tokens=claimed))
    assert used(quotas, unit=Unit.TOKENS) == (0 if claimed < 0 else 10**15)


def test_a_limit_of_one_model_leaves_the_others_alone(clock: HandClock) -> None:
    rules = QuotaRules(provider="groq", limits=(limit(2, models=("large",)), limit(10)))
    quotas = book(rules, clock=clock)
    assert admitted(quotas, 5, model="large") == 2
    assert admitted(quotas, 20, model="small") == 8
    standings = quotas.standings()
    assert set(standings) == {"groq", "groq/large"}


def test_models_may_share_a_limit(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5, models=("large", "huge")),)), clock=clock)
    assert admitted(quotas, 4, model="large") == 4
    assert admitted(quotas, 4, model="huge") == 1
    standings = quotas.standings()
    assert (standings["groq/huge"].has_room, standings["groq"].remaining_share) == (False, None)


def test_of_two_limits_that_count_the_same_the_lower_holds(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(9), limit(4), limit(7))), clock=clock)
    assert admitted(quotas, 20) == 4


FREE = QuotaRules(provider="groq", free=limit(3), overflow=Overflow.STOP)
PAID = QuotaRules(provider="groq", free=limit(3), overflow=Overflow.PAID)


def test_a_free_window_that_is_used_up_stops(clock: HandClock) -> None:
    quotas = book(FREE, clock=clock)
    assert quotas.standings()["groq"].is_free
    assert admitted(quotas, 9) == 3
    found = quotas.standings()["groq"]
    assert (found.is_free, found.has_room, found.resets_in_s) == (False, False, 12 * 3600 - 30 + 1)
    clock.pass_s(86_400)
    assert quotas.standings()["groq"].is_free


def test_a_free_window_that_overflows_goes_on_at_a_price(clock: HandClock) -> None:
    quotas = book(PAID, clock=clock)
    found = [reserved(quotas.reserve("groq", "small", ONE)) for _ in range(5)]
    assert [each.is_free for each in found] == [True] * 3 + [False] * 2
    assert quotas.standings()["groq"].has_room


def test_what_overflows_does_not_fill_the_free_window_further(clock: HandClock) -> None:
    quotas = book(PAID, clock=clock)
    for held in [reserved(quotas.reserve("groq", "small", ONE)) for _ in range(5)]:
        quotas.settle(held, ONE)
    assert used(quotas) == 3


def test_a_free_allowance_in_money_counts_list_prices_and_costs_nothing(clock: HandClock) -> None:
    rules = QuotaRules(provider="groq", free=limit(USD, Per.MONTH, Unit.USD_NANOS), overflow=Overflow.PAID)
    quotas = book(rules, clock=clock)
    call = Amounts(requests=1, usd_nanos=USD // 2)
    for is_free in (True, True, False):
        held = reserved(quotas.reserve("groq", "small", call))
        quotas.settle(held, call)
        assert held.is_free is is_free


def test_what_is_free_leaves_a_prepaid_balance_alone(clock: HandClock) -> None:
    balance = limit(USD, Per.EVER, Unit.USD_NANOS)
    quotas = book(QuotaRules(provider="groq", limits=(balance,), free=limit(1), overflow=Overflow.PAID), clock=clock)
    call = Amounts(requests=1, usd_nanos=USD // 4)
    for spent in (0, USD // 4):
        quotas.settle(reserved(quotas.reserve("groq", "small", call)), call)
        assert used(quotas, unit=Unit.USD_NANOS, per=Per.EVER) == spent


def test_a_free_window_in_neurons(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="cloudflare", free=limit(10_000, unit=Unit.NEURONS)), clock=clock)
    call = Amounts(requests=1, neurons=4_000)
    found = [quotas.reserve("cloudflare", "small", call) for _ in range(3)]
    assert [isinstance(each, Reservation) for each in found] == [True, True, False]


def test_a_prepaid_balance_does_not_come_back(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="deepseek", limits=(limit(USD, Per.EVER, Unit.USD_NANOS),)), clock=clock)
    call = Amounts(requests=1, usd_nanos=USD // 2)
    for _ in range(2):
        quotas.settle(reserved(quotas.reserve("deepseek", "chat", call)), call)
    clock.pass_s(400 * 86_400)
    assert refused(quotas.reserve("deepseek", "chat", call)).retry_in_s is None
    found = quotas.standings()["deepseek"]
    assert (found.has_room, found.resets_in_s, found.window_left_share) == (False, None, 0.0)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 86_400.0 * 400, -1.7e9])
def test_a_wall_clock_that_jumps_neither_refills_nor_empties_short_windows(jump_s: float, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5, Per.MINUTE), limit(8, Per.HOUR))), clock=clock)
    assert admitted(quotas, 3) == 3
    clock.jump(jump_s)
    assert admitted(quotas, 9) == 2
    clock.pass_s(60)
    assert admitted(quotas, 9) == 3


@pytest.mark.parametrize("jump_s", [-3600.0, -86_400.0, -40 * 86_400.0, -1.7e9])
def test_a_wall_clock_that_is_set_back_refills_no_day(jump_s: float, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5),)), clock=clock)
    assert admitted(quotas, 5) == 5
    clock.jump(jump_s)
    assert admitted(quotas, 5) == 0
    clock.jump(-jump_s)
    assert admitted(quotas, 5) == 0


def test_a_wall_clock_that_swings_over_midnight_gives_each_day_once(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5),)), clock=clock)
    clock.pass_s(11.9 * 3600)
    assert admitted(quotas, 3) == 3
    count = 0
    for jump_s in (3600.0, -3600.0) * 5:
        clock.jump(jump_s)
        count += admitted(quotas, 9)
    assert count == 5


def test_standings_are_made_anew_only_when_something_changed(clock: HandClock) -> None:
    quotas = book(FREE, QuotaRules(provider="mistral"), clock=clock)
    before = quotas.standings()
    assert quotas.standings() is before
    held = reserved(quotas.reserve("groq", "small", ONE))
    after = quotas.standings()
    assert (before["groq"].remaining_share, after["groq"].remaining_share) == (1.0, 2 / 3)
    assert after["mistral"] is before["mistral"]
    quotas.settle(held, Amounts())
    assert quotas.standings()["groq"].remaining_share == 1.0


def test_standings_follow_a_window_that_turns_at_once(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(1, Per.MINUTE),)), clock=clock)
    admitted(quotas, 1)
    clock.pass_s(30.9)
    assert not quotas.standings()["groq"].has_room
    clock.pass_s(0.11)
    assert quotas.standings()["groq"].has_room


def test_a_standing_says_how_much_of_its_window_is_left(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(10),)), clock=clock)
    assert quotas.standings()["groq"].window_left_share == pytest.approx(0.5, abs=0.001)
    clock.pass_s(6 * 3600)
    assert quotas.standings()["groq"].window_left_share == pytest.approx(0.25, abs=0.001)


def test_a_provider_that_nobody_configured_has_no_limits(clock: HandClock) -> None:
    quotas = book(FREE, clock=clock)
    held = reserved(quotas.reserve("unheard-of", "small", ONE))
    quotas.settle(held, ONE)
    quotas.observe_headers("unheard-of", {"x-ratelimit-remaining-requests": "0"})
    assert (held.is_free, "unheard-of" in quotas.standings(), quotas.readings("unheard-of")) == (False, False, ())


def test_other_rules_keep_what_was_counted(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(5),)), clock=clock)
    held = reserved(quotas.reserve("groq", "small", ONE))
    assert admitted(quotas, 2) == 2
    quotas.adopt([QuotaRules(provider="groq", limits=(limit(4),))], BudgetRules())
    assert quotas.standings()["groq"].remaining_share == 0.25
    quotas.settle(held, Amounts())
    assert admitted(quotas, 9) == 2


@pytest.mark.parametrize(
    ("before", "after"), [(("a", "b"), ("a", "b", "c")), (("a", "b"), ("a",)), (("b",), ("a",)), (("a",), ("a", "z"))]
)
def test_a_list_of_models_that_changes_refills_nothing(
    before: tuple[str, ...], after: tuple[str, ...], clock: HandClock
) -> None:
    def rules(models: tuple[str, ...]) -> QuotaRules:
        other = limit(9, models=("other",))
        return QuotaRules(
            provider="groq", limits=(limit(50), limit(3, models=models), other), free=limit(5, models=models)
        )

    quotas = book(rules(before), clock=clock)
    assert admitted(quotas, 2, model=before[0]) == 2
    quotas.adopt([rules(after)], BudgetRules())
    assert admitted(quotas, 9, model=after[0]) == 1
    assert admitted(quotas, 20, model="other") == 9, "another limit of its kind has a count of its own"


@pytest.mark.parametrize(
    ("before", "after", "asked", "left"),
    [
        pytest.param([()], [("a",)], "a", 1, id="list-added"),
        pytest.param([("a",)], [()], "a", 3, id="list-removed"),
        pytest.param([("b",), ("a",)], [("a",)], "a", 3, id="first-of-two-removed"),
        pytest.param([("b",), ("a",)], [("a",), ("b",)], "a", 3, id="swapped"),
        pytest.param([("b",), ("a",)], [("a",), ("b",)], "b", 3, id="swapped-other"),
        pytest.param([("a",), ("b",)], [()], "b", 1, id="two-become-one"),
        pytest.param([("a",), ("b",)], [("a", "b")], "b", 1, id="two-are-joined"),
        pytest.param([("a", "b")], [("a",), ("b",)], "b", 1, id="one-becomes-two"),
        pytest.param([()], [("b",), ()], "b", 1, id="another-in-front"),
    ],
)
def test_a_limit_whose_models_are_named_anew_is_not_refilled(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]], asked: str, left: int, clock: HandClock
) -> None:
    def rules(lists: list[tuple[str, ...]]) -> list[QuotaRules]:
        return [QuotaRules(provider="groq", limits=tuple(limit(10, models=models) for models in lists))]

    quotas = book(*rules(before), clock=clock)
    assert (admitted(quotas, 7, model="a"), admitted(quotas, 2, model="b")) == (7, 2)
    quotas.adopt(rules(after), BudgetRules())
    assert admitted(quotas, 20, model=asked) == left


def test_what_is_in_flight_over_a_swap_gives_no_room_back_to_others(clock: HandClock) -> None:
    a, b = limit(10, models=("a",)), limit(10, models=("b",))
    quotas = book(QuotaRules(provider="groq", limits=(a, b)), clock=clock)
    held = reserved(quotas.reserve("groq", "a", ONE))
    assert admitted(quotas, 7, model="b") == 7
    quotas.adopt([QuotaRules(provider="groq", limits=(b, a))], BudgetRules())
    quotas.settle(held, Amounts())
    assert admitted(quotas, 20, model="b") == 3


def test_a_limit_that_was_added_behind_begins_at_nothing(clock: HandClock) -> None:
    a, b = limit(10, models=("a",)), limit(10, models=("b",))
    quotas = book(QuotaRules(provider="groq", limits=(a,)), clock=clock)
    assert admitted(quotas, 10, model="a") == 10
    quotas.adopt([QuotaRules(provider="groq", limits=(a, b))], BudgetRules())
    assert admitted(quotas, 20, model="b") == 10


def test_a_providers_word_goes_on_where_models_are_named_anew(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(10, Per.MINUTE),)), clock=clock)
    said = {"x-ratelimit-limit-requests": "10", "x-ratelimit-remaining-requests": "0"}
    quotas.observe_headers("groq", {**said, "x-ratelimit-reset-requests": "1h"}, model="a")
    quotas.adopt([QuotaRules(provider="groq", limits=(limit(10, Per.MINUTE, models=("a",)),))], BudgetRules())
    assert admitted(quotas, 5, model="a") == 0


def test_terms_come_from_the_catalogue() -> None:
    provider = Provider(
        name="openrouter", dialect="openai", base_url="", free=limit(200), limits=(limit(20, Per.MINUTE),)
    )
    local = Provider(name="ollama", dialect="openai", base_url="", tier="local")
    free, dear = Prices(input=0.0, output=0.0), Prices(input=1.0, output=2.0)
    models = [Model(id="a:free", prices=free), Model(id="b", prices=dear), Model(id="c", prices=Prices(input=0.0))]
    catalog = Catalog(targets=(*(Target(provider, m) for m in models), Target(local, models[2])))
    assert terms_of(catalog) == (
        QuotaRules(
            provider="openrouter",
            limits=(limit(20, Per.MINUTE),),
            free=limit(200),
            free_models=frozenset({"a:free"}),
        ),
        QuotaRules(provider="ollama", is_unpriced=True),
    )


def test_a_provider_that_goes_leaves_nothing_behind() -> None:
    clock = HandClock()
    counts = book(QuotaRules(provider="alder", limits=(limit(10),)), clock=clock)
    held = reserved(counts.reserve("alder", "m", ONE))
    counts.adopt([QuotaRules(provider="birch", limits=(limit(10),))], BudgetRules())
    counts.settle(held, ONE)
    assert counts.standings().keys() == {"birch"}


def test_the_zone_of_budgets_moves_no_providers_day() -> None:
    provider = Provider(name="alder", dialect="openai", base_url="", limits=(limit(10),))
    catalog = Catalog(targets=(Target(provider, Model(id="m")),))
    money = BudgetRules(daily_usd_nanos=USD, zone=ZoneInfo("Asia/Tokyo"))
    quotas = book(*terms_of(catalog), clock=HandClock(), budgets=money)
    [day], [budget] = quotas.readings("alder"), quotas.budget_readings()
    assert day.resets_in_s == 12 * 3600 - 30 + GUARD_S, "midnight UTC, half a minute past noon"
    assert budget.resets_in_s == 3 * 3600 - 30, "midnight in Tokyo"
