"""Who may come in: a bound on requests in flight, each tenant's own bounds, and nobody once the router is to stop."""

from __future__ import annotations

from types import TracebackType

from router_service.core.errors import Draining, Overloaded
from router_service.service.allowances import Account, Allowances


class Admission:
    """Counts the requests inside. Used as `with admission.of(tenant, …):` around each."""

    def __init__(self, *, max_in_flight: int, allowances: Allowances) -> None:
        self._max_in_flight = max_in_flight
        self._allowances = allowances
        self._is_draining = False
        self.has_given_up = False
        self.in_flight = 0

    def drain(self) -> None:
        """Let nobody in from now on."""
        self._is_draining = True

    def give_up(self) -> None:
        """What is still inside is about to be cancelled, and not by its callers."""
        self.has_given_up = True

    def of(self, tenant: str, *, is_stream: bool) -> Stay:
        """A request's stay inside. Entering raises Draining, Overloaded, AllowanceSpent and StreamLimit."""
        return Stay(self, tenant, is_stream=is_stream)

    def enter(self, tenant: str, *, is_stream: bool) -> Account | None:
        if self._is_draining:
            raise Draining("this router is about to stop; another replica may take the call")
        if self.in_flight >= self._max_in_flight:
            raise Overloaded(f"this router has {self.in_flight} requests in flight, as many as it may")
        account = self._allowances.enter(tenant, is_stream=is_stream)
        self.in_flight += 1
        return account

    def leave(self, account: Account | None) -> None:
        self.in_flight -= 1
        if account is not None:
            account.leave()


class Stay:
    """One request inside, for as long as its `with` block runs."""

    __slots__ = ("_account", "_admission", "_is_stream", "_tenant")

    def __init__(self, admission: Admission, tenant: str, *, is_stream: bool) -> None:
        self._admission = admission
        self._tenant = tenant
        self._is_stream = is_stream

    def __enter__(self) -> None:
        self._account = self._admission.enter(self._tenant, is_stream=self._is_stream)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._admission.leave(self._account)
