"""A strategy that failed: what it did instead of putting options into an order, for the log and for people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """`what` finishes the sentence "the strategy NAME ...". `place` is the file and line that an error comes from."""

    strategy: str
    what: str
    place: str = ""

    def __str__(self) -> str:
        """For the operator: with the place."""
        where = f" at {self.place}" if self.place else ""
        return f"the strategy {self.strategy!r} {self.what}{where}"


class StrategyFailed(Exception):
    """A strategy gave no order. It never leaves the decision, which goes by points then."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.strategy} {failure.what}")
        self.failure = failure


def raised(strategy: str, error: Exception) -> StrategyFailed:
    """What `error` comes to. Its text stays out, since a strategy of others may write anything into it."""
    return StrategyFailed(Failure(strategy=strategy, what=f"raised {type(error).__name__}", place=_place(error)))


def _place(error: Exception) -> str:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f"{PurePath(traceback.tb_frame.f_code.co_filename).name}:{traceback.tb_lineno}"
