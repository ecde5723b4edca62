"""Whatever the order of reserving, settling, cancelling and turning of clocks: never above a limit, nothing lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.core.budget import BudgetRules
from router_service.core.quota import Amounts, Overflow, QuotaRules, Reservation, Unit
from router_service.core.windows import Per, span_at
from router_service.store.memory import MemoryQuotaStore
from router_service.store.quota import QuotaBook
from tests.store.making import NOON_S, HandClock, book, limit

MINUTE, DAY, MODEL, TOKENS, BUDGET = 4, 9, 3, 1_000, 5_000
RULES = QuotaRules(
    provider="groq",
    limits=(
        limit(MINUTE, Per.MINUTE),
        limit(MODEL, Per.HOUR, models=("large",)),
        limit(TOKENS, Per.MINUTE, Unit.TOKENS),
    ),
    free=limit(DAY),
    overflow=Overflow.STOP,
)

RESERVE = st.tuples(st.just("reserve"), st.sampled_from(["small", "large"]), st.integers(0, 300))
SETTLE = st.tuples(st.just("settle"), st.integers(0, 20), st.integers(0, 900))
CANCEL = st.tuples(st.just("cancel"), st.integers(0, 20), st.just(0))
PASS = st.tuples(st.just("pass"), st.sampled_from([0.3, 0.9, 5.0, 61.0, 3_600.0, 43_000.0]), st.just(0))
JUMP = st.tuples(st.just("jump"), st.sampled_from([-86_400.0, -3_600.0, 3_600.0, 86_400.0, -1.7e9]), st.just(0))
HEADERS = st.tuples(st.just("headers"), st.integers(0, 20), st.integers(0, 20))
RELOAD = st.just(("reload", 0, 0))
STEPS = st.lists(st.one_of(RESERVE, RESERVE, RESERVE, SETTLE, CANCEL, PASS, JUMP, HEADERS, RELOAD), max_size=60)


@dataclass
class Played:
    """A book that was put through steps, with what was let through, by window of the clocks that nobody turns back."""

    clock: HandClock = field(default_factory=HandClock)
    quotas: QuotaBook = field(init=False)
    open: list[Reservation] = field(default_factory=list)
    admitted: Counter[tuple[Per, str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.quotas = book(RULES, clock=self.clock)

    def step(self, kind: object, what: object, number: int) -> None:
        match kind, what:
            case "reserve", str() as model:
                found = self.quotas.reserve("groq", model, Amounts(requests=1, tokens=number))
                if isinstance(found, Reservation):
                    self.open.append(found)
                    self._let_through(model)
            case (("settle" | "cancel"), int() as index) if self.open:
                held = self.open.pop(index % len(self.open))
                actual = Amounts(requests=1, tokens=number) if kind == "settle" else Amounts()
                self.quotas.settle(held, actual)
                self.quotas.settle(held, Amounts(requests=1, tokens=10**6))
                if kind == "cancel":
                    self._let_through(held.model, -1, at=held.number)
            case "pass", float() as seconds:
                self.clock.pass_s(seconds)
            case "jump", float() as seconds:
                self.clock.jump(seconds)
            case "headers", int() as remaining:
                headers = {"x-ratelimit-limit-requests-minute": str(number)}
                self.quotas.observe_headers(
                    "groq", {**headers, "x-ratelimit-remaining-requests-minute": str(remaining)}
                )
            case _:
                self.quotas.adopt([RULES], BudgetRules())

    _windows: dict[int, list[tuple[Per, str, str]]] = field(default_factory=dict)

    def _let_through(self, model: str, count: int = 1, *, at: int = 0) -> None:
        """Count it in the window in which it was let through: by the steady clock, and by the wall's."""
        if count > 0:
            at = self.open[-1].number
            self._windows[at] = [
                (per, span_at(per, self.clock().on(per), UTC).name, "large" if per is Per.HOUR else "")
                for per in (Per.MINUTE, Per.DAY, *([Per.HOUR] if model == "large" else []))
            ]
        for window in self._windows[at]:
            self.admitted[window] += count


@settings(max_examples=400)
@given(steps=STEPS)
def test_never_above_a_request_limit(steps: list[tuple[str, object, int]]) -> None:
    played = Played()
    most = {Per.MINUTE: MINUTE, Per.HOUR: MODEL, Per.DAY: DAY}
    for step in steps:
        played.step(*step)
        assert all(count <= most[per] for (per, _, _), count in played.admitted.items())


@settings(max_examples=200)
@given(steps=STEPS)
def test_standings_agree_with_what_is_let_through(steps: list[tuple[str, object, int]]) -> None:
    played = Played()
    for step in steps:
        played.step(*step)
        standing = played.quotas.standings()["groq"]
        found = played.quotas.reserve("groq", "small", Amounts(requests=1))
        assert standing.has_room is isinstance(found, Reservation)
        assert standing.remaining_share is not None
        assert 0 <= standing.remaining_share <= 1
        assert 0 <= standing.window_left_share <= 1
        if isinstance(found, Reservation):
            played.quotas.settle(found, Amounts())


CALLS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 900), st.integers(0, 700), st.booleans(), st.integers(0, 3)),
    max_size=40,
)


@settings(max_examples=300)
@given(calls=CALLS, is_hard=st.booleans())
def test_what_is_spent_is_the_sum_of_what_was_settled(
    calls: list[tuple[int, int, int, bool, int]], is_hard: bool
) -> None:
    """Also in the store, once it is written; and a hard budget is never crossed where the worst case was right."""
    store, clock = MemoryQuotaStore(), HandClock()
    rules = QuotaRules(provider="groq", limits=(limit(10**9, unit=Unit.TOKENS),))
    quotas = book(rules, clock=clock, store=store, budgets=BudgetRules(daily_usd_nanos=BUDGET, is_hard=is_hard))
    tokens = money = most_at_once = 0
    held: list[tuple[Reservation, Amounts]] = []
    for estimate, token_count, cost, is_cancelled, settled_now in calls:
        estimated = Amounts(requests=1, tokens=estimate, usd_nanos=estimate)
        found = quotas.reserve("groq", "small", estimated, worst_usd_nanos=max(estimate, cost))
        if isinstance(found, Reservation):
            actual = Amounts() if is_cancelled else Amounts(requests=1, tokens=token_count, usd_nanos=cost)
            held.append((found, actual))
        most_at_once = max(most_at_once, sum(actual.usd_nanos for _, actual in held))
        for _ in range(min(settled_now, len(held))):
            reservation, actual = held.pop(0)
            quotas.settle(reservation, actual)
            tokens, money = tokens + actual.tokens, money + actual.usd_nanos
    for reservation, actual in held:
        quotas.settle(reservation, actual)
        tokens, money = tokens + actual.tokens, money + actual.usd_nanos
    assert quotas.readings("groq")[0].used == tokens
    assert quotas.budget_readings()[0].used_usd_nanos == money
    assert money <= BUDGET if is_hard else money <= BUDGET + most_at_once
    asyncio.run(quotas.close())
    again = book(rules, clock=clock, store=store, budgets=BudgetRules(daily_usd_nanos=BUDGET))
    asyncio.run(again.load())
    assert (again.readings("groq")[0].used, again.budget_readings()[0].used_usd_nanos) == (tokens, money)


@pytest.mark.parametrize("start_s", [NOON_S, NOON_S + 29.2, NOON_S + 12 * 3600 - 31])
@settings(max_examples=60)
@given(gaps=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=80), offset_s=st.floats(-0.99, 0.99))
def test_a_provider_whose_clock_is_a_second_off_sees_no_more_either(
    start_s: float, gaps: list[float], offset_s: float
) -> None:
    clock, seen = HandClock(start_s), Counter[str]()
    quotas = book(RULES, clock=clock)
    for gap_s in gaps:
        clock.pass_s(gap_s)
        if isinstance(quotas.reserve("groq", "small", Amounts(requests=1)), Reservation):
            for per in (Per.MINUTE, Per.DAY):
                seen[span_at(per, clock.steady_s + offset_s, UTC).name] += 1
    assert all(count <= (MINUTE if name.startswith("minute") else DAY) for name, count in seen.items())
