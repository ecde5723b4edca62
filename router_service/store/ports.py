"""What others need of the store, and what the store needs of a database: the contracts, and their one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from router_service.core.budget import BudgetStanding
from router_service.core.quota import Amounts, QuotaStanding, Refused, Reservation
from router_service.core.windows import WindowKey


class StoreFailed(Exception):
    """The store did not do what it was asked for. Whoever asked goes on with what it knows, and asks again later."""


class Quotas(Protocol):
    """Room for attempts. Its methods neither wait nor do input or output, and are called from one thread."""

    def reserve(
        self, provider: str, model: str, amounts: Amounts, *, tenant: str = "", worst_usd_nanos: int | None = None
    ) -> Reservation | Refused:
        """Take room for one attempt, before its first byte goes out, or say what stands in the way.

        `amounts` is the estimate; money in it is the list price, which counts as 0 inside a free window.
        `worst_usd_nanos` is the most that the attempt can cost; a hard budget reserves it in the estimate's place.
        """

    def payable(self, provider: str, model: str, *, tenant: str = "") -> int | None:
        """The most that one attempt's worst case may come to now where it has to be paid, in billionths of a dollar;
        None where only estimates count.
        """

    def settle(self, reservation: Reservation, actual: Amounts) -> None:
        """The attempt has ended, however it did, and took `actual`; all zeros where nothing was sent.

        Counts once: a second call changes nothing, so that it may stand in any `finally`.
        """

    def observe_headers(self, provider: str, headers: Mapping[str, str], *, model: str = "") -> None:
        """An answer's head arrived from `model`: what it states of the provider's limits corrects our count."""


class QuotaStandings(Protocol):
    """How quotas and money stand. Its methods neither wait nor do input or output."""

    def standings(self) -> Mapping[str, QuotaStanding]:
        """By provider's name, and by target id where one has limits of its own. Never changed once it was returned, and
        the same object as long as nothing has changed.
        """

    def budget(self, tenant: str = "") -> BudgetStanding:
        """How the money stands for a tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A block that someone asks for: so much of a window, as long as no more than `limit` of it is given out.

    Without a limit it is not a question: it has been spent already.
    """

    key: WindowKey
    amount: int
    limit: int | None = None

    def granted(self, taken: int) -> int:
        """How much of it there is where `taken` has been given out before."""
        return self.amount if self.limit is None else max(0, min(self.amount, self.limit - taken))


class QuotaStore(Protocol):
    """What has been taken out of each window, by everyone who shares the store. It knows no clock and no prices.

    Each method is all or nothing and raises StoreFailed; one that raises has changed nothing. Calls take effect in the
    order in which they were made, also where a caller no longer waits for the answer. Of each scope the newest windows
    are kept, eight at least.
    """

    async def lease(self, wants: Sequence[Want]) -> Sequence[int]:
        """Take blocks; returns what is granted of each, 0 to its amount, which counts as taken until given back."""

    async def give_back(self, amounts: Mapping[WindowKey, int]) -> None:
        """Return what was leased and not spent. A window never holds less than nothing."""

    async def spent(self, keys: Sequence[WindowKey]) -> Mapping[WindowKey, int]:
        """What has been taken out of each window and not given back; 0 for a window that nobody has touched."""

    async def close(self) -> None:
        """Finish what was asked for, and let go of what is open; within two seconds, whatever happens."""
