"""The standings of quotas: which window is the tightest, whether there is room, and what is free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router_service.core.quota import (
    Amounts,
    Limit,
    Overflow,
    QuotaRules,
    QuotaStanding,
    Unit,
    WindowReading,
    neurons,
    standing,
)
from router_service.core.windows import Per

RULES = QuotaRules(provider="groq")
FREE_LIMIT = Limit(unit=Unit.REQUESTS, per=Per.DAY, max=200)


def reading(used: int, limit: int = 100, *, per: Per = Per.DAY, resets_in_s: float | None = 60.0) -> WindowReading:
    return WindowReading(unit=Unit.REQUESTS, per=per, limit=limit, used=used, left_share=0.5, resets_in_s=resets_in_s)


def free(used: int, limit: int = 200, *, models: frozenset[str] = frozenset()) -> WindowReading:
    return WindowReading(
        unit=Unit.REQUESTS,
        per=Per.DAY,
        limit=limit,
        used=used,
        left_share=0.25,
        resets_in_s=90.0,
        models=models,
        is_free=True,
    )


def test_without_limits_there_is_room_and_nothing_is_free() -> None:
    assert standing(RULES, "", []) == QuotaStanding(provider="groq")


def test_the_tightest_window_is_the_one_with_the_least_left() -> None:
    found = standing(RULES, "", [reading(50), reading(90, resets_in_s=5.0), reading(0)])
    assert found == QuotaStanding(provider="groq", remaining_share=0.1, window_left_share=0.5, resets_in_s=5.0)


def test_without_room_the_wait_is_the_longest_of_the_full_windows() -> None:
    found = standing(RULES, "", [reading(100, resets_in_s=5.0), reading(120, resets_in_s=900.0), reading(10)])
    assert (found.has_room, found.remaining_share, found.resets_in_s) == (False, 0.0, 900.0)


def test_a_spent_balance_is_refilled_by_no_time() -> None:
    found = standing(RULES, "", [reading(100, resets_in_s=None), reading(100, resets_in_s=900.0)])
    assert (found.has_room, found.resets_in_s) == (False, None)


@pytest.mark.parametrize("used", [0, 199])
@pytest.mark.parametrize("overflow", list(Overflow))
def test_inside_the_free_window_calls_are_free(used: int, overflow: Overflow) -> None:
    found = standing(QuotaRules(provider="groq", free=FREE_LIMIT, overflow=overflow), "", [free(used)])
    assert (found.is_free, found.has_room) == (True, True)


@pytest.mark.parametrize(("overflow", "has_room", "share"), [(Overflow.STOP, False, 0.0), (Overflow.PAID, True, None)])
def test_after_the_free_window_comes_what_overflow_says(
    overflow: Overflow, has_room: bool, share: float | None
) -> None:
    found = standing(QuotaRules(provider="groq", free=FREE_LIMIT, overflow=overflow), "", [free(200)])
    assert (found.is_free, found.has_room, found.remaining_share) == (False, has_room, share)


def test_a_free_window_for_some_models_says_nothing_of_the_others() -> None:
    rules = QuotaRules(provider="openrouter", free=FREE_LIMIT)
    readings = [free(200, models=frozenset({"small:free"})), reading(0)]
    assert standing(rules, "small:free", readings).has_room is False
    assert standing(rules, "large", readings) == QuotaStanding(
        provider="openrouter", remaining_share=1.0, window_left_share=0.5, resets_in_s=60.0
    )


def test_what_has_no_price_is_free_without_a_window() -> None:
    assert standing(QuotaRules(provider="ollama", is_unpriced=True), "", []).is_free
    rules = QuotaRules(provider="openrouter", free_models=frozenset({"small:free"}))
    assert [standing(rules, model, []).is_free for model in ("small:free", "large")] == [True, False]


def test_an_empty_balance_binds_nobody_who_is_free() -> None:
    balance = replace(reading(100, resets_in_s=None), unit=Unit.USD_NANOS)
    rules = QuotaRules(provider="openrouter", free_models=frozenset({"small:free"}))
    assert [standing(rules, model, [balance]).has_room for model in ("small:free", "large")] == [True, False]


def test_a_limit_of_nothing_leaves_nothing() -> None:
    found = standing(RULES, "", [reading(0, limit=0)])
    assert (found.has_room, found.remaining_share) == (False, 0.0)


def test_amounts_answer_by_unit() -> None:
    amounts = Amounts(requests=1, tokens=2, neurons=3, usd_nanos=4)
    assert [amounts.of(unit) for unit in Unit] == [1, 2, 3, 4]


@pytest.mark.parametrize(("usd_nanos", "count"), [(0, 0), (1, 1), (11_000, 1), (11_001, 2), (11_000_000, 1_000)])
def test_neurons_come_from_the_list_price(usd_nanos: int, count: int) -> None:
    assert neurons(usd_nanos) == count


@pytest.mark.parametrize(("models", "covered"), [(frozenset(), True), ({"a"}, True), ({"b", "c"}, False)])
def test_a_limit_covers_its_models_or_all(models: frozenset[str], covered: bool) -> None:
    assert Limit(unit=Unit.TOKENS, per=Per.DAY, max=1, models=frozenset(models)).covers("a") is covered
