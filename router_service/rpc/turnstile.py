"""Where callers pass once it is known who they are: what a port asks of whoever counts them."""

from __future__ import annotations

from typing import Protocol


class Place(Protocol):
    """A call that is counted as under way."""

    def leave(self) -> None:
        """The call is over; said once."""


class Turnstile(Protocol):
    """Counts calls by tenant, before anything of them is read."""

    def enter(self, tenant: str, *, is_stream: bool) -> Place | None:
        """Count a call in; None where nobody counts this tenant's.

        Raises a SignalboxError where it may not come in now, and then nothing is counted.
        """
