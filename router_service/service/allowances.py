"""What each tenant may still ask for in this minute, and how many of its requests are under way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from router_service.core.bucket import Bucket
from router_service.core.catalog import Catalog, Target
from router_service.core.errors import AllowanceSpent, SignalboxError, StreamLimit
from router_service.core.events import AttemptFinished, RequestFinished, RouteFinished
from router_service.core.tenant import Tenant
from router_service.service.objections import TOLD_ALREADY, objections

logger = logging.getLogger(__name__)

WAIT_S = 1.0
"""When a caller may come again whose tenant has too much under way: nobody knows when some of it ends."""
QUIET_S = 10.0
"""A tenant that is only logged is logged once in so long for each of its limits."""


class Allowances:
    """Counts, for this process, what tenants ask for. Also an Observer: tokens are paid by a request's end.

    Callers without a tenant have no bounds here. What was counted stays over `adopt`, unless the bound itself changed;
    what is under way is counted until it ends, also for a tenant that went and came back meanwhile.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._accounts: Mapping[str, Account] = {}
        self._departed: Mapping[str, Account] = {}

    def adopt(self, tenants: Iterable[Tenant], on_trial: Mapping[str, Catalog]) -> None:
        """Hold these tenants to their bounds from now on; `on_trial` is as `served_on_trial` makes it."""
        now = self._clock()
        known = {**self._departed, **self._accounts}
        accounts: dict[str, Account] = {}
        for tenant in tenants:
            account = known[tenant.name] if tenant.name in known else Account(tenant, now)
            account.hold(tenant, on_trial.get(tenant.name), now)
            accounts[tenant.name] = account
        self._accounts = accounts
        self._departed = {n: account for n, account in known.items() if account.under_way and n not in accounts}

    def enter(self, tenant: str, *, is_stream: bool) -> Account | None:
        """Count a request in, at the account that is returned; its `leave` follows. None where nothing is counted.

        Raises AllowanceSpent and StreamLimit, and then nothing is counted either.
        """
        if (account := self._accounts.get(tenant)) is not None:
            account.enter(is_stream=is_stream, now=self._clock())
        return account

    def attempt_finished(self, event: AttemptFinished) -> None:
        """Paid with the request."""

    def request_finished(self, event: RequestFinished) -> None:
        if (account := self._accounts.get(event.request.tenant)) is None:
            return
        if account.tokens is not None:
            usages = [attempt.usage for attempt in event.attempts if attempt.usage is not None]
            account.pay(sum(u.input_tokens + u.output_tokens for u in usages), now=self._clock())
        if account.served is not None:
            account.object(event, [attempt.target for attempt in event.attempts], now=self._clock())

    def route_finished(self, event: RouteFinished) -> None:
        """A decision takes no tokens."""
        if (account := self._accounts.get(event.request.tenant)) is not None and account.served is not None:
            account.object(event, [], now=self._clock())


class Account:
    """One tenant's bounds and counts. It lasts for as long as the tenant does, and anything of it is under way."""

    __slots__ = ("_noted", "requests", "served", "tenant", "tokens", "under_way")

    def __init__(self, tenant: Tenant, now: float) -> None:
        self.tenant = tenant
        self.requests: Bucket | None = _bucket(tenant.allowance.requests_per_minute, None, now)
        self.tokens: Bucket | None = _bucket(tenant.allowance.tokens_per_minute, None, now)
        self.served: Catalog | None = None
        self.under_way = 0
        self._noted: dict[str, float] = {}

    def hold(self, tenant: Tenant, served: Catalog | None, now: float) -> None:
        """Hold it to these bounds. What was only logged is no debt once it is refused.

        `served` is what would serve it, where it is not held to that but logged; else None.
        """
        is_same_kind = tenant.is_log_only is self.tenant.is_log_only
        kept = (self.requests, self.tokens) if is_same_kind else (None, None)
        self.tenant = tenant
        self.served = served
        self.requests = _bucket(tenant.allowance.requests_per_minute, kept[0], now)
        self.tokens = _bucket(tenant.allowance.tokens_per_minute, kept[1], now)

    def leave(self) -> None:
        """A request that entered is over."""
        self.under_way -= 1

    def enter(self, *, is_stream: bool, now: float) -> None:
        """What would have been refused is under way as well, and takes nothing of the minute's."""
        is_within = True
        for what, refusal in self._refusals(is_stream=is_stream, now=now):
            if not self.tenant.is_log_only:
                raise refusal
            is_within = False
            self.note(what, str(refusal), now)
        if is_within and self.requests is not None:
            self.requests.take(1, now=now)
        self.under_way += 1

    def pay(self, tokens: int, *, now: float) -> None:
        """Take the tokens of a request that has ended; from an empty bucket only where requests are refused for it."""
        if self.tokens is not None and not (self.tenant.is_log_only and self.tokens.wait_s(now=now)):
            self.tokens.take(tokens, now=now)

    def object(self, event: RequestFinished | RouteFinished, asked: Sequence[Target], *, now: float) -> None:
        """Log what of a request its `only` would not have allowed; `asked` are the targets that were called."""
        if self.served is None or event.outcome in TOLD_ALREADY:
            return
        for what, text in objections(self.tenant, self.served, event.request, event.plan, asked):
            self.note(what, text, now)

    def note(self, what: str, text: str, now: float) -> None:
        """Log what would have been refused, now and then."""
        if now - self._noted.get(what, float("-inf")) >= QUIET_S:
            self._noted[what] = now
            logger.warning("tenant %s would be refused, were it not only logged: %s", self.tenant.name, text)

    def _refusals(self, *, is_stream: bool, now: float) -> Iterable[tuple[str, SignalboxError]]:
        name, allowance = self.tenant.name, self.tenant.allowance
        subject = f"tenant:{name}"
        if allowance.concurrency is not None and self.under_way >= allowance.concurrency:
            text = f"{name} has {self.under_way} requests under way, and may have {allowance.concurrency}"
            spent = AllowanceSpent(text, subject=subject, retry_after_s=WAIT_S)
            yield "concurrency", StreamLimit(text, subject=subject) if is_stream else spent
        for what, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            if bucket is not None and (wait_s := bucket.wait_s(now=now)):
                text = f"{name} has used up its {bucket.per_minute} {what} a minute"
                yield what, AllowanceSpent(text, subject=subject, retry_after_s=wait_s)


def _bucket(per_minute: int | None, earlier: Bucket | None, now: float) -> Bucket | None:
    if per_minute is None:
        return None
    return earlier if earlier is not None and earlier.per_minute == per_minute else Bucket(per_minute, now=now)
