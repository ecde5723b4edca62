"""The money limits, with what is counted against each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from router_service.core.budget import BudgetLine, BudgetReading, BudgetRules, BudgetStanding, budget_standing, longest
from router_service.core.prices import NANOS_PER_USD
from router_service.core.quota import Limit, Refused, RefusedBy, Unit
from router_service.core.windows import Moment
from router_service.store.counter import Charge, Counter, Kept


class Purse:
    """Says whether an attempt that has a price may be paid, and charges it. All money is in billionths of a dollar.

    Our own clock alone decides when a budget's window ends, so there is no guard at its edges.
    """

    def __init__(self, rules: BudgetRules, kept_of: Callable[[str], Kept]) -> None:
        self.rules = rules
        requests = (budget.request_usd_nanos for budget in rules.providers.values())
        self._is_strict = rules.is_hard or any(bound is not None for bound in requests)
        self._lines = tuple((line, _counter(line, rules, kept_of)) for line in rules.lines())

    @property
    def is_strict(self) -> bool:
        """Whether anything bounds the worst case of a single attempt."""
        return self._is_strict

    def left(self, provider: str, tenant: str, now: Moment) -> list[int]:
        """What bounds the worst case of one attempt: the provider's bound on a request and, where limits are hard, what
        is left of each.
        """
        bound = self.rules.request_limit(provider)
        bounds = [] if bound is None else [bound]
        if self.rules.is_hard:
            bounds += [counter.left(now) for _, counter in self._binding(provider, tenant)]
        return bounds

    def held(self, estimate_usd_nanos: int, worst_usd_nanos: int | None) -> int:
        """What an attempt holds while it is under way: its worst case where the limits are hard."""
        return max(estimate_usd_nanos, worst_usd_nanos or 0) if self.rules.is_hard else estimate_usd_nanos

    def refusal(self, provider: str, tenant: str, usd_nanos: int, now: Moment) -> Refused | None:
        """Why an attempt with a price, holding `usd_nanos`, is not to be paid; None where it is."""
        if self.rules.is_free_only(tenant):
            return Refused(by=RefusedBy.FREE_ONLY, what="only what is free may be called")
        bound = self.rules.request_limit(provider)
        if bound is not None and usd_nanos > bound:
            what = f"a request to {provider} may cost {_usd(bound)} USD, and this one may cost {_usd(usd_nanos)}"
            return Refused(by=RefusedBy.REQUEST_LIMIT, what=what)
        readings = [
            _reading(line, counter, now)
            for line, counter in self._binding(provider, tenant)
            if self._is_used_up(counter, usd_nanos, now)
        ]
        if (found := longest(readings, usd_nanos)) is None:
            return None
        return Refused(
            by=RefusedBy.BUDGET,
            what=found.told(usd_nanos),
            subject=found.line.subject,
            retry_in_s=found.wait_s(usd_nanos),
        )

    def charge(self, provider: str, tenant: str, usd_nanos: int, now: Moment) -> Iterator[Charge]:
        """Hold the money of an attempt that was not refused."""
        for _, counter in self._binding(provider, tenant):
            yield from counter.charge(usd_nanos, now)

    def readings(self, now: Moment) -> tuple[BudgetReading, ...]:
        """How every bound stands, the server's first."""
        return tuple(_reading(line, counter, now) for line, counter in self._lines)

    def standing(self, tenant: str, now: Moment) -> BudgetStanding:
        return budget_standing(self.rules, tenant, self.readings(now))

    def _binding(self, provider: str, tenant: str) -> list[tuple[BudgetLine, Counter]]:
        return [(line, counter) for line, counter in self._lines if line.binds(provider, tenant)]

    def _is_used_up(self, counter: Counter, usd_nanos: int, now: Moment) -> bool:
        if counter.used(now) >= counter.ceiling:
            return True
        return self.rules.is_hard and counter.refuses(usd_nanos, now)


def _counter(line: BudgetLine, rules: BudgetRules, kept_of: Callable[[str], Kept]) -> Counter:
    limit = Limit(unit=Unit.USD_NANOS, per=line.per, max=line.limit_usd_nanos)
    scope = " ".join(["budget", line.owner.value, line.name or "*", str(limit)])
    return Counter(scope, limit, zone=rules.zone, kept=kept_of(scope), guard_s=0.0)


def _reading(line: BudgetLine, counter: Counter, now: Moment) -> BudgetReading:
    return BudgetReading(
        line=line,
        used_usd_nanos=counter.used(now),
        resets_in_s=counter.reading(now).resets_in_s,
        held_usd_nanos=counter.held(now),
    )


def _usd(nanos: int) -> str:
    return f"{nanos / NANOS_PER_USD:.4f}"
