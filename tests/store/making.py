"""What the tests of the store are made of: a clock that is turned by hand, limits, and books over a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from router_service.core.budget import BudgetRules
from router_service.core.quota import Amounts, Limit, QuotaRules, Refused, Reservation, Unit
from router_service.core.windows import Moment, Per
from router_service.store.memory import MemoryQuotaStore
from router_service.store.ports import QuotaStore
from router_service.store.quota import QuotaBook

USD = 10**9
NOON_S = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC).timestamp()
ONE = Amounts(requests=1)


class HandClock:
    """Both clocks, turned by hand; `jump` turns the wall's alone."""

    def __init__(self, time_s: float = NOON_S) -> None:
        self.wall_s = self.steady_s = time_s

    def __call__(self) -> Moment:
        return Moment(self.wall_s, self.steady_s)

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    def jump(self, seconds: float) -> None:
        self.wall_s += seconds


async def until(is_so: Callable[[], Awaitable[bool]], what: str, *, within_s: float = 10.0) -> None:
    """Look every few milliseconds; fails with `what` when the bound is over."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await is_so():
        assert loop.time() - began < within_s, what
        await asyncio.sleep(0.01)


def limit(most: int, per: Per = Per.DAY, unit: Unit = Unit.REQUESTS, *, models: tuple[str, ...] = ()) -> Limit:
    return Limit(unit=unit, per=per, max=most, models=frozenset(models))


def book(
    *rules: QuotaRules, clock: HandClock, budgets: BudgetRules | None = None, store: QuotaStore | None = None
) -> QuotaBook:
    return QuotaBook(rules, budgets or BudgetRules(), store=store or MemoryQuotaStore(), clock=clock)


def reserved(found: Reservation | Refused) -> Reservation:
    assert isinstance(found, Reservation), found
    return found


def refused(found: Reservation | Refused) -> Refused:
    assert isinstance(found, Refused), found
    return found


def admitted(quotas: QuotaBook, tries: int, *, provider: str = "groq", model: str = "small") -> int:
    """How many of so many attempts find room; each is settled with what it reserved."""
    count = 0
    for _ in range(tries):
        found = quotas.reserve(provider, model, ONE)
        if isinstance(found, Reservation):
            quotas.settle(found, ONE)
            count += 1
    return count


def used(quotas: QuotaBook, provider: str = "groq", unit: Unit = Unit.REQUESTS, per: Per = Per.DAY) -> int:
    """What a provider's only limit of that kind has counted."""
    (reading,) = [r for r in quotas.readings(provider) if (r.unit, r.per) == (unit, per)]
    return reading.used
