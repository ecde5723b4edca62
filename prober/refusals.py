"""What the prober itself was refused for: blocks of providers that refuse the key, want money, or limit the rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prober.probe import BLOCKING, Finding, ProbeResult
from router_service.core.blocks import Block, Blocks
from router_service.core.outcome import BlockReason

LEAST_BLOCK_S = 1.0
REFUSED_S = 60.0
"""So long a provider is left alone that refuses our key or wants money."""
FRESH_S = 60.0
"""While calls succeeded in this time, what a list of models is refused for says nothing of them."""
CONFIRMED_AFTER = 2
_REFUSED = (Finding.KEY_REFUSED, Finding.MONEY_GONE)


class Refusals:
    """Fed with probes and with what became of real calls. The clock is the caller's, in monotonic seconds.

    Calls have the last word. A key may do without the right to list models: so the lists' refusals block only from the
    second in a row on, once, and where no call has succeeded lately. Calls that are refused as well let them block for
    as long as they go on; calls that succeed lift the block, and no refused list blocks again until a call is refused
    or a list was shown.
    """

    def __init__(self) -> None:
        self._cheap = Blocks()
        self._deep = Blocks()
        self._lists: dict[str, _List] = {}
        self._served_at: dict[str, float] = {}

    def probed(self, result: ProbeResult, now: float) -> None:
        """A cheap probe ended."""
        if result.finding is Finding.GOOD:
            self._lists.pop(result.provider, None)
            self._cheap.lift(result.provider)
        elif result.finding in _REFUSED:
            self._refused_list(result, now)
        elif (known := self._lists.get(result.provider)) is not None:
            known.in_a_row = 0

    def probed_deep(self, result: ProbeResult, now: float) -> None:
        """A deep probe ended. It is a call like any other, but the routers' say more."""
        reason = BLOCKING.get(result.finding)
        if result.finding is Finding.GOOD:
            self._deep.lift(result.provider)
            self._calls_pass(result.provider)
        elif reason is BlockReason.RATE_LIMITED:
            self._deep.add(result.provider, reason, for_s=max(LEAST_BLOCK_S, result.retry_after_s), now=now)
        elif reason is not None and not self._is_served(result.provider, now):
            self.refused(result.provider)
            self._deep.add(result.provider, reason, for_s=REFUSED_S, now=now)

    def served(self, provider: str, ended_at: float, now: float) -> None:
        """A router's call that ended at `ended_at` succeeded."""
        if now - ended_at > FRESH_S:
            return
        self._served_at[provider] = max(ended_at, self._served_at.get(provider, ended_at))
        self._calls_pass(provider)
        block = self._deep.of(provider)
        if block is not None and block.reason is not BlockReason.RATE_LIMITED:
            self._deep.lift(provider)

    def refused(self, provider: str) -> None:
        """A call was refused for its key or for money: what lists are refused for may be believed."""
        self._served_at.pop(provider, None)
        known = self._lists.setdefault(provider, _List())
        known.may_block = known.is_confirmed = True

    def is_in_doubt(self, provider: str, now: float) -> bool:
        """Whether one more probe decides if the provider is blocked."""
        known = self._lists.get(provider)
        return known is not None and known.in_a_row == 1 and known.may_block and not self._is_served(provider, now)

    def blocks_of(self, provider: str) -> Iterable[Block]:
        """Some may be over already."""
        return (block for block in (self._cheap.of(provider), self._deep.of(provider)) if block is not None)

    def _refused_list(self, result: ProbeResult, now: float) -> None:
        known = self._lists.setdefault(result.provider, _List())
        known.in_a_row += 1
        if known.in_a_row < CONFIRMED_AFTER or not known.may_block or self._is_served(result.provider, now):
            return
        self._cheap.add(result.provider, BLOCKING[result.finding], for_s=REFUSED_S, now=now)
        known.may_block = known.is_confirmed

    def _calls_pass(self, provider: str) -> None:
        self._cheap.lift(provider)
        if (known := self._lists.get(provider)) is not None:
            known.may_block = known.is_confirmed = False

    def _is_served(self, provider: str, now: float) -> bool:
        served_at = self._served_at.get(provider)
        return served_at is not None and now - served_at <= FRESH_S


@dataclass(slots=True)
class _List:
    """How often in a row a provider's list of models was refused, and whether that may block it."""

    in_a_row: int = 0
    may_block: bool = True
    is_confirmed: bool = False
