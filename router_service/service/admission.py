"""Who may come in: a bound on requests in flight, and nobody once the router is to stop."""

from __future__ import annotations

from types import TracebackType

from router_service.core.errors import Draining, Overloaded


class Admission:
    """Counts the requests inside. Used as `with admission:` around each.

    Tenants' own bounds are met before, where the call comes in and before its message is read.
    """

    def __init__(self, *, max_in_flight: int) -> None:
        self._max_in_flight = max_in_flight
        self._is_draining = False
        self.has_given_up = False
        self.in_flight = 0

    def drain(self) -> None:
        """Let nobody in from now on."""
        self._is_draining = True

    def give_up(self) -> None:
        """What is still inside is about to be cancelled, and not by its callers."""
        self.has_given_up = True

    def __enter__(self) -> None:
        """Raises Draining and Overloaded."""
        if self._is_draining:
            raise Draining("this router is about to stop; another replica may take the call")
        if self.in_flight >= self._max_in_flight:
            raise Overloaded(f"this router has {self.in_flight} requests in flight, as many as it may")
        self.in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.in_flight -= 1
