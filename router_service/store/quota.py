"""The book of quotas: who may be called now, what is in flight, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import inf
from typing import NamedTuple

from router_service.core.budget import BudgetReading, BudgetRules, BudgetStanding
from router_service.core.health import QuotaWindow
from router_service.core.quota import (
    Amounts,
    QuotaRules,
    QuotaStanding,
    Refused,
    Reservation,
    WindowReading,
)
from router_service.core.windows import Moment
from router_service.store.account import Account, Announced
from router_service.store.counter import Charge, Kept, WindowCount
from router_service.store.ports import QuotaStore
from router_service.store.purse import Purse
from router_service.store.write_through import WriteThrough

STANDING_AGE_S = 1.0
"""How old a standing may be where nothing was charged: only the share of its window that is left has changed."""


class QuotaBook:
    """A Quotas that holds every limit's whole share in memory and writes what it counts to a store in the background.

    Everything but `load`, `run` and `close` is synchronous, without input or output. What the store does, or fails to
    do, is never waited for: the count in memory decides.
    """

    def __init__(
        self,
        rules: Iterable[QuotaRules],
        budgets: BudgetRules,
        *,
        store: QuotaStore,
        clock: Callable[[], Moment],
    ) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._announced: dict[str, Announced] = {}
        self._open: dict[int, _Open] = {}
        self._numbers = count(1)
        self._accounts: dict[str, Account] = {}
        self._purse = Purse(BudgetRules(), self._kept_of)
        self._standings: Mapping[str, QuotaStanding] = {}
        self._standings_of: dict[str, Mapping[str, QuotaStanding]] = {}
        self._standings_until_s = -inf
        self._touched: set[str] = set()
        self._budgets: dict[str, BudgetStanding] = {}
        self._budgets_until_s = -inf
        self._writing = WriteThrough(store, self._all_counts, clock=clock, on_news=self._forget_standings)
        self.adopt(rules, budgets)

    def adopt(self, rules: Iterable[QuotaRules], budgets: BudgetRules) -> None:
        """Go by other rules from now on. What has been counted stays counted where the same thing is still limited, and
        what a provider's headers said holds as long as they said.
        """
        former, now = self._accounts, self._clock()
        self._accounts = {terms.provider: self._account(terms) for terms in rules}
        for name in self._accounts.keys() & former.keys():
            self._accounts[name].succeed(former[name], now)
        self._purse = Purse(budgets, self._kept_of)
        self._touched.clear()
        self._forget_standings()

    def reserve(
        self, provider: str, model: str, amounts: Amounts, *, tenant: str = "", worst_usd_nanos: int | None = None
    ) -> Reservation | Refused:
        """As Quotas.reserve. A provider that nobody configured has no limits of its own, and is not free."""
        now = self._clock()
        account = self._accounts.get(provider) or self._account(QuotaRules(provider=provider))
        free_window = account.free_window(model, amounts, now)
        is_free = free_window is not None or account.is_unpriced(model)
        held = 0 if is_free else self._purse.held(amounts.usd_nanos, worst_usd_nanos)
        charged = amounts._replace(usd_nanos=held)
        refused = account.refusal(model, charged, now, free_window=free_window)
        if refused is None and not is_free:
            refused = self._purse.refusal(provider, tenant, held, now)
        if refused is not None:
            return refused
        at_list = [] if free_window is None else free_window.charge(amounts.of(free_window.limit.unit), now)
        at_cost = account.charge(model, charged, now)
        if not is_free:
            at_cost += self._purse.charge(provider, tenant, held, now)
        reservation = Reservation(
            number=next(self._numbers), provider=provider, model=model, tenant=tenant, amounts=amounts, is_free=is_free
        )
        self._open[reservation.number] = _Open(at_list, at_cost)
        if at_list or at_cost:  # nothing changes for those whom no limit binds
            self._touch(provider)
        return reservation

    def payable(self, provider: str, model: str, *, tenant: str = "") -> int | None:
        """As Quotas.payable."""
        if not self._purse.is_strict:
            return None
        now, account = self._clock(), self._accounts.get(provider)
        bounds = self._purse.left(provider, tenant, now)
        if account is not None and self._purse.rules.is_hard:
            bounds += account.money_left(model, now)
        return min(bounds, default=None)

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        """As Quotas.settle."""
        held = self._open.pop(reservation.number, None)
        if held is None:
            return
        if not (held.at_list or held.at_cost):
            return
        for charge in held.at_list:
            charge.settle(actual)
        cost = actual._replace(usd_nanos=0) if reservation.is_free else actual
        for charge in held.at_cost:
            charge.settle(cost)
        self._touch(reservation.provider)

    def observe_headers(self, provider: str, headers: Mapping[str, str], *, model: str = "") -> None:
        """As Quotas.observe_headers."""
        account = self._accounts.get(provider)
        if account is not None and account.observe(headers, model, self._clock()):
            self._touch(provider)

    def standings(self) -> Mapping[str, QuotaStanding]:
        """How every provider stands now, by name; a model with limits of its own also by `provider/model`.

        What was returned before is never changed. It is made anew only for providers whose count has changed, and for
        all when a window turns or a second has passed.
        """
        now = self._clock()
        if now.steady_s >= self._standings_until_s:
            self._touched.update(self._accounts)
            self._standings_until_s = self._next_turn_s(now)
        if self._touched:
            standings = dict(self._standings)
            for name in self._touched:
                for key in self._standings_of.get(name, ()):
                    del standings[key]
                self._standings_of[name] = self._accounts[name].standings(now)
                standings.update(self._standings_of[name])
            self._touched.clear()
            self._standings = standings
        return self._standings

    def budget(self, tenant: str = "") -> BudgetStanding:
        """How the money stands for a tenant now."""
        now = self._clock()
        if now.steady_s >= self._budgets_until_s:
            self._budgets.clear()
            self._budgets_until_s = now.steady_s + _shortest_s(r.resets_in_s for r in self._purse.readings(now))
        if tenant not in self._budgets:
            self._budgets[tenant] = self._purse.standing(tenant, now)
        return self._budgets[tenant]

    def readings(self, provider: str) -> tuple[WindowReading, ...]:
        """How each limit of a provider stands, for people and for the health feed."""
        account = self._accounts.get(provider)
        return () if account is None else account.readings(self._clock())

    def windows(self) -> Mapping[str, tuple[QuotaWindow, ...]]:
        """What is left of every provider's limits, by name, as others are told of it; none where nothing limits."""
        now = self._clock()
        shown = {name: tuple(r.shown() for r in account.readings(now)) for name, account in self._accounts.items()}
        return {name: windows for name, windows in shown.items() if windows}

    def budget_readings(self) -> tuple[BudgetReading, ...]:
        """How each money limit stands."""
        return self._purse.readings(self._clock())

    async def load(self) -> None:
        """Learn what was counted before, by the time the first request comes; gives up after a second, and `run`
        goes on trying.
        """
        now = self._clock()
        for account in self._accounts.values():
            account.readings(now)
        self._purse.readings(now)
        await self._writing.load()

    async def run(self) -> None:
        """Write what was counted, four times a second, until cancelled."""
        await self._writing.run()

    async def close(self) -> None:
        """Write what is left and let the store go; once `run` has ended. Bounded in time, whatever the store does."""
        await self._writing.close()

    def _account(self, rules: QuotaRules) -> Account:
        return Account(rules, self._kept_of, self._announced.setdefault(rules.provider, {}))

    def _kept_of(self, scope: str) -> Kept:
        return self._kept.setdefault(scope, Kept())

    def _all_counts(self) -> list[WindowCount]:
        return [count for kept in self._kept.values() for count in kept.counts.values()]

    def _touch(self, provider: str) -> None:
        self._budgets.clear()
        if provider in self._accounts:
            self._touched.add(provider)

    def _forget_standings(self) -> None:
        self._standings, self._standings_of = {}, {}
        self._standings_until_s = self._budgets_until_s = -inf

    def _next_turn_s(self, now: Moment) -> float:
        """When the standings of now are too old, on the steady clock."""
        accounts = self._accounts.values()
        return now.steady_s + _shortest_s(r.resets_in_s for account in accounts for r in account.readings(now))


def _shortest_s(turns_in_s: Iterable[float | None]) -> float:
    """How long something stays true that windows change which turn in so many seconds."""
    return min((s for s in turns_in_s if s is not None and s < STANDING_AGE_S), default=STANDING_AGE_S)


class _Open(NamedTuple):
    """What an attempt under way holds: room in free windows, which counts list prices, and the rest."""

    at_list: list[Charge]
    at_cost: list[Charge]
