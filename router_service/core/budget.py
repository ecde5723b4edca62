"""What may be spent, by the server, by provider and by tenant, and how that stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import Enum
from math import inf

from router_service.core.decision import words
from router_service.core.windows import Per

WARN_AT = 0.8
HELD_RETRY_S = 1.0
"""When to come again where calls under way hold the money: one of them may have ended by then."""


class Owner(Enum):
    """Whose money it is: the server's as a whole, what goes to one provider, or what one tenant spends."""

    SERVER = "server"
    PROVIDER = "provider"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderBudget:
    """What one provider may cost, in billionths of a dollar; None sets no bound."""

    daily_usd_nanos: int | None = None
    request_usd_nanos: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantBudget:
    """What one tenant may spend. `free_only`: no priced target is ever called for it."""

    daily_usd_nanos: int | None = None
    free_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRules:
    """All money limits, in billionths of a dollar; None sets no bound. Windows begin at midnight of `zone`.

    Once a limit is reached, only what is free may be called until its window ends. A soft limit lets the call through
    that crosses it. A hard one (`is_hard`) lets no call through whose worst case would cross it.
    """

    daily_usd_nanos: int | None = None
    weekly_usd_nanos: int | None = None
    monthly_usd_nanos: int | None = None
    providers: Mapping[str, ProviderBudget] = field(default_factory=dict)
    tenants: Mapping[str, TenantBudget] = field(default_factory=dict)
    warn_at: float = WARN_AT
    is_hard: bool = False
    free_only: bool = False
    zone: tzinfo = UTC

    def request_limit(self, provider: str) -> int | None:
        """What a single request to the provider may cost, in billionths of a dollar."""
        return budget.request_usd_nanos if (budget := self.providers.get(provider)) else None

    def is_free_only(self, tenant: str) -> bool:
        return self.free_only or (tenant in self.tenants and self.tenants[tenant].free_only)

    def lines(self) -> tuple[BudgetLine, ...]:
        """Every bound in a window, the server's first."""
        server = (
            (Per.DAY, self.daily_usd_nanos),
            (Per.WEEK, self.weekly_usd_nanos),
            (Per.MONTH, self.monthly_usd_nanos),
        )
        bounds = [
            *((Owner.SERVER, "", per, bound) for per, bound in server),
            *((Owner.PROVIDER, name, Per.DAY, b.daily_usd_nanos) for name, b in self.providers.items()),
            *((Owner.TENANT, name, Per.DAY, b.daily_usd_nanos) for name, b in self.tenants.items()),
        ]
        return tuple(
            BudgetLine(owner=owner, name=name, per=per, limit_usd_nanos=bound, is_hard=self.is_hard)
            for owner, name, per, bound in bounds
            if bound is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """One bound: what `name` (empty for the server) may spend in each window."""

    owner: Owner
    name: str
    per: Per
    limit_usd_nanos: int
    is_hard: bool = False

    @property
    def subject(self) -> str:
        """Whose it is, as errors tell it: `server`, `provider:NAME` or `tenant:NAME`."""
        return f"{self.owner.value}:{self.name}" if self.name else self.owner.value

    def binds(self, provider: str, tenant: str) -> bool:
        """Whether a call to the provider for the tenant spends from it."""
        match self.owner:
            case Owner.SERVER:
                return True
            case Owner.PROVIDER:
                return self.name == provider
            case Owner.TENANT:
                return self.name == tenant

    def __str__(self) -> str:
        whose = f"{self.owner.value} {self.name}" if self.name else self.owner.value
        return f"budget of the {whose} for a {self.per.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReading:
    """How one bound stands: what is spent and in flight in its present window, and when that ends.

    `held_usd_nanos` is the part of what is used that calls under way hold; most of it comes back when they end.
    """

    line: BudgetLine
    used_usd_nanos: int
    resets_in_s: float | None
    held_usd_nanos: int = 0

    @property
    def left_usd_nanos(self) -> int:
        return max(0, self.line.limit_usd_nanos - self.used_usd_nanos)

    @property
    def is_over(self) -> bool:
        return self.used_usd_nanos >= self.line.limit_usd_nanos

    def refuses(self, usd_nanos: int) -> bool:
        """Whether an attempt that holds so much is not to be paid from it. A soft bound lets one cross it."""
        return self._has_no_room(usd_nanos, self.used_usd_nanos)

    def wait_s(self, usd_nanos: int) -> float | None:
        """Until its window turns, or a call under way may have ended that holds what is missing; None where so much
        fits into no window of it.
        """
        if self._is_too_large(usd_nanos) or not self.line.limit_usd_nanos:
            return None
        if self._is_held(usd_nanos):
            return HELD_RETRY_S if self.resets_in_s is None else min(HELD_RETRY_S, self.resets_in_s)
        return self.resets_in_s

    def told(self, usd_nanos: int) -> str:
        """Why it refuses so much, in words."""
        if self._is_too_large(usd_nanos):
            return f"the {self.line} is {words.usd(self.line.limit_usd_nanos)} in all{_needed(usd_nanos)}"
        if self._is_held(usd_nanos):
            left, held = words.usd(self.left_usd_nanos), words.usd(self.held_usd_nanos)
            return f"the {self.line} has {left} left, {held} are held by calls under way{_needed(usd_nanos)}"
        if self.is_over:
            return f"the {self.line} is used up"
        return f"the {self.line} has {words.usd(self.left_usd_nanos)} left{_needed(usd_nanos)}"

    def _is_held(self, usd_nanos: int) -> bool:
        """Whether so much would have room if no call were under way."""
        return not self._has_no_room(usd_nanos, self.used_usd_nanos - self.held_usd_nanos)

    def _has_no_room(self, usd_nanos: int, used_usd_nanos: int) -> bool:
        left = self.line.limit_usd_nanos - used_usd_nanos
        return left <= 0 or (self.line.is_hard and usd_nanos > left)

    def _is_too_large(self, usd_nanos: int) -> bool:
        return self.line.is_hard and usd_nanos > self.line.limit_usd_nanos

    def is_near(self, share: float) -> bool:
        """Whether so much of it is used that someone should know."""
        return self.used_usd_nanos >= share * self.line.limit_usd_nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStanding:
    """What a decision for one tenant needs to know of the money. Money is in billionths of a dollar.

    `readings` are those of the bounds that hold for the tenant, those of single providers among them; the rest says the
    same in short. `is_over`: only free targets are left. `left_usd_nanos` is the least that the hard bounds on
    everybody's calls still hold, and `provider_left` that of a provider's own; a soft bound refuses nobody before it is
    used up. `request_limits` bound a single request by provider.
    """

    readings: tuple[BudgetReading, ...] = ()
    is_over: bool = False
    left_usd_nanos: int | None = None
    over_providers: frozenset[str] = frozenset()
    provider_left: Mapping[str, int] = field(default_factory=dict)
    request_limits: Mapping[str, int] = field(default_factory=dict)
    free_only: bool = False
    is_warning: bool = False

    def refusing(self, provider: str, usd_nanos: int) -> BudgetReading | None:
        """The bound that an attempt at the provider which holds so much is refused by; None where it may be paid."""
        binding = (r for r in self.readings if r.line.owner is not Owner.PROVIDER or r.line.name == provider)
        return longest([r for r in binding if r.refuses(usd_nanos)], usd_nanos)


def budget_standing(rules: BudgetRules, tenant: str, readings: tuple[BudgetReading, ...]) -> BudgetStanding:
    """The standing for a tenant; readings of other tenants are left aside."""
    general = tuple(r for r in readings if _is_general(r.line, tenant))
    of_providers = tuple(r for r in readings if r.line.owner is Owner.PROVIDER)
    return BudgetStanding(
        readings=(*general, *of_providers),
        is_over=any(r.is_over for r in general),
        left_usd_nanos=min((r.left_usd_nanos for r in general if r.line.is_hard), default=None),
        over_providers=frozenset(r.line.name for r in of_providers if r.is_over),
        provider_left={r.line.name: r.left_usd_nanos for r in of_providers if r.line.is_hard},
        request_limits={
            name: budget.request_usd_nanos
            for name, budget in rules.providers.items()
            if budget.request_usd_nanos is not None
        },
        free_only=rules.is_free_only(tenant),
        is_warning=any(r.is_near(rules.warn_at) for r in (*general, *of_providers)),
    )


def longest(refusing: Sequence[BudgetReading], usd_nanos: int) -> BudgetReading | None:
    """Of the bounds that refuse so much, the one that does so for the longest."""
    waits = [(inf if (wait_s := r.wait_s(usd_nanos)) is None else wait_s) for r in refusing]
    return refusing[waits.index(max(waits))] if refusing else None


def _is_general(line: BudgetLine, tenant: str) -> bool:
    """Whether a bound holds for every provider alike."""
    return line.owner is Owner.SERVER or (line.owner is Owner.TENANT and line.name == tenant)


def _needed(usd_nanos: int) -> str:
    return f", and this request may cost {words.usd(usd_nanos)}"
