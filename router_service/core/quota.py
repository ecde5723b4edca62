"""What a provider allows and gives for nothing, and how that stands: limits, free windows, reservations, standings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import Enum
from math import inf
from typing import NamedTuple

from router_service.core.health import QuotaWindow
from router_service.core.windows import Per

NANOS_PER_NEURON = 11_000
"""Cloudflare sells a thousand neurons for 0.011 USD, which makes a list price a count of neurons."""


class Unit(Enum):
    """What is counted. Money counts in billionths of a dollar."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    NEURONS = "neurons"
    USD_NANOS = "usd_nanos"


class Overflow(Enum):
    """What follows a free window that is used up: no more calls until it starts anew, or calls at the list price."""

    STOP = "stop"
    PAID = "paid"


class Amounts(NamedTuple):
    """What a call takes, by unit: an estimate before it, the truth after it. Tokens are those of input and output."""

    requests: int = 0
    tokens: int = 0
    neurons: int = 0
    usd_nanos: int = 0

    def of(self, unit: Unit) -> int:
        match unit:
            case Unit.REQUESTS:
                return self.requests
            case Unit.TOKENS:
                return self.tokens
            case Unit.NEURONS:
                return self.neurons
            case Unit.USD_NANOS:
                return self.usd_nanos


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `max` of a unit in each window. `models` are the ids that share it; empty means all of the provider."""

    unit: Unit
    per: Per
    max: int
    models: frozenset[str] = frozenset()

    def covers(self, model: str) -> bool:
        return not self.models or model in self.models

    def __str__(self) -> str:
        return f"{self.unit.value}/{self.per.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRules:
    """One provider's terms. Its days, weeks and months begin at midnight of `zone`.

    `is_unpriced` says that nothing it serves has a price (a local server); `free_models` are single ids of that kind.
    An unknown price is neither.
    """

    provider: str
    limits: tuple[Limit, ...] = ()
    free: Limit | None = None
    overflow: Overflow = Overflow.STOP
    is_unpriced: bool = False
    free_models: frozenset[str] = frozenset()
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Room taken for one attempt, to be settled when it has ended. `is_free`: it has no price, whatever it takes."""

    number: int
    provider: str
    model: str
    tenant: str = ""
    amounts: Amounts
    is_free: bool


class RefusedBy(Enum):
    """What stands in the way of a call."""

    QUOTA = "quota"
    BUDGET = "budget"
    REQUEST_LIMIT = "request_limit"
    FREE_ONLY = "free_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No room. `what` says why in words; `retry_in_s` is None where waiting does not help. `subject` is whose budget it
    is: `server`, `provider:NAME` or `tenant:NAME`; empty where it is none.
    """

    by: RefusedBy
    what: str
    subject: str = ""
    retry_in_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReading:
    """How one limit stands in its present window. `left_share` is the share of the window's time still to come.

    `used` holds what is in flight as well, and may exceed `limit` by what was in flight at most. `resets_in_s` is None
    where no time refills it. `is_announced` marks a limit that is known only from the provider's headers.
    """

    unit: Unit
    per: Per
    limit: int
    used: int
    left_share: float
    resets_in_s: float | None
    models: frozenset[str] = frozenset()
    is_free: bool = False
    is_announced: bool = False

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def remaining_share(self) -> float:
        return self.remaining / self.limit if self.limit > 0 else 0.0

    @property
    def counts_bills(self) -> bool:
        """Whether it counts what calls cost in the end, which is nothing for those that are free."""
        return self.unit is Unit.USD_NANOS and not self.is_free

    def lacks(self, amounts: Amounts) -> bool:
        """Whether an attempt that is thought to take `amounts` does not fit."""
        return least(self.unit, amounts.of(self.unit)) > self.remaining

    def wait_s(self, amounts: Amounts) -> float | None:
        """Until `amounts` may fit; None where no time makes room for them, because alone they are too large."""
        return None if least(self.unit, amounts.of(self.unit)) > self.limit else self.resets_in_s

    def shown(self) -> QuotaWindow:
        """The same as others are told of it. A balance, which no time refills, has no time in its unit."""
        return QuotaWindow(
            unit=self.unit.value if self.per is Per.EVER else f"{self.unit.value}/{self.per.value}",
            limit=self.limit,
            remaining=self.remaining,
            resets_in_s=self.resets_in_s,
            models=tuple(sorted(self.models)),
            is_free=self.is_free,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaStanding:
    """What a decision needs to know: the tightest window, whether one more call fits, and whether it costs nothing.

    `remaining_share` is None where nothing limits. `window_left_share` and `resets_in_s` are the tightest window's;
    without room, `resets_in_s` is the wait until every window has some again, None if no wait helps.

    Whether a call fits that is larger than the least hangs on `windows`: those in tokens, neurons or money that bind.
    `free_window` is one that calls overflow, and are then paid, which do not fit into it.
    """

    provider: str
    remaining_share: float | None = None
    window_left_share: float = 0.0
    has_room: bool = True
    is_free: bool = False
    resets_in_s: float | None = None
    windows: tuple[WindowReading, ...] = ()
    free_window: WindowReading | None = None

    def lacking(self, amounts: Amounts, *, is_free: bool) -> WindowReading | None:
        """The window in which a call of this size has no room for the longest; None where it fits into all."""
        lacking = [r for r in self.windows if r.lacks(amounts) and not (is_free and r.counts_bills)]
        return max(lacking, key=lambda r: _endless(r.wait_s(amounts)), default=None)

    def least_left(self, unit: Unit) -> int | None:
        """Of the windows in that unit that are not free, what the tightest has left; None where there is none."""
        return min((r.remaining for r in self.windows if r.unit is unit and not r.is_free), default=None)


def standing(rules: QuotaRules, model: str, readings: Iterable[WindowReading]) -> QuotaStanding:
    """A provider's standing for one of its models; `model` is empty for those that no limit names.

    A free window that may overflow into paid calls is no limit, so it only says whether the next call is free.
    """
    covering = [r for r in readings if not r.models or model in r.models]
    binding = [r for r in covering if not (r.is_free and rules.overflow is Overflow.PAID)]
    is_free = rules.is_unpriced or model in rules.free_models or any(r.is_free and r.remaining > 0 for r in covering)
    sized = tuple(r for r in binding if r.unit is not Unit.REQUESTS)
    overflowing = next((r for r in covering if r.is_free and r not in binding and r.unit is not Unit.REQUESTS), None)
    counting = [r for r in binding if not (is_free and r.counts_bills)]
    if not counting:
        return QuotaStanding(provider=rules.provider, is_free=is_free, windows=sized, free_window=overflowing)
    if full := [r for r in counting if r.remaining <= 0]:
        tightest = max(full, key=lambda r: _endless(r.resets_in_s))
    else:
        tightest = min(counting, key=lambda r: r.remaining_share)
    return QuotaStanding(
        provider=rules.provider,
        remaining_share=tightest.remaining_share,
        window_left_share=tightest.left_share,
        has_room=not full,
        is_free=is_free,
        resets_in_s=tightest.resets_in_s,
        windows=sized,
        free_window=overflowing,
    )


def neurons(list_cost_usd_nanos: int) -> int:
    """Cloudflare's unit for a call that would cost so much at its list prices; a part of one counts as a whole."""
    return -(-list_cost_usd_nanos // NANOS_PER_NEURON)


def amounts_of(tokens: int, list_usd_nanos: int) -> Amounts:
    """One call's amounts by unit."""
    return Amounts(requests=1, tokens=tokens, neurons=neurons(list_usd_nanos), usd_nanos=list_usd_nanos)


def least(unit: Unit, amount: int) -> int:
    """What must fit for a call that is thought to take `amount`: every one takes something, but maybe no money."""
    return amount if unit is Unit.USD_NANOS else max(1, amount)


def _endless(wait_s: float | None) -> float:
    return inf if wait_s is None else wait_s
