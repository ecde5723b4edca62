"""What the router itself took of a request's time, by stage: the part that a faster provider would not save."""

from __future__ import annotations

from typing import NamedTuple


class Overhead(NamedTuple):
    """In seconds. Time in which a provider, or the reader of a stream, had the turn is in none of them.

    `read_s` is for checking the message, `plan_s` for admission and the decision, `call_s` for everything between the
    decision and the last of the answer: taking room, writing the upstream call, reading what came back, the bill.
    """

    read_s: float = 0.0
    plan_s: float = 0.0
    call_s: float = 0.0

    @property
    def total_s(self) -> float:
        return self.read_s + self.plan_s + self.call_s


NO_OVERHEAD = Overhead()
