"""What the prober itself was refused for: blocks of providers that refuse the key, want money, or limit the rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
CONFIRMS_S = 300.0
"""So long a call that was refused lets a refused list be believed."""
_REFUSED = (Finding.KEY_REFUSED, Finding.MONEY_GONE)


class Refusals:
    """Fed with probes and with what became of real calls. The clock is the caller's, in monotonic seconds.

    Calls have the last word. A key may do without the right to list models: so the lists' refusals block only from the
    second in a row on, and where no call has succeeded lately, which `is_served` tells of a provider and a moment. They
    block once. The block lapses whatever the lists say, so that a call can go out: each that is refused lets them block
    once more; one that succeeds lifts the block, and no refused list blocks again until a call is refused or a list was
    shown.
    """

    def __init__(self, is_served: Callable[[str, float], bool]) -> None:
        self._is_served = is_served
        self._cheap = Blocks()
        self._deep = Blocks()
        self._lists: dict[str, _List] = {}

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
            self.refused(result.provider, reason, now)
            self._deep.add(result.provider, reason, for_s=REFUSED_S, now=now)

    def served(self, provider: str, ended_at: float, now: float) -> None:
        """A router's call that ended at `ended_at` succeeded."""
        if now - ended_at > FRESH_S:
            return
        self._calls_pass(provider)
        block = self._deep.of(provider)
        if block is not None and block.reason is not BlockReason.RATE_LIMITED:
            self._deep.lift(provider)

    def refused(self, provider: str, reason: BlockReason, now: float) -> None:
        """A call was refused for its key or for money: what lists are refused for may be believed, once."""
        self._lists.setdefault(provider, _List()).refusal = _Refusal(now, reason)

    def forget(self, provider: str) -> None:
        """It has another key or address from now on: what was refused before says nothing of it."""
        self._cheap.lift(provider)
        self._deep.lift(provider)
        self._lists.pop(provider, None)

    def is_in_doubt(self, provider: str, now: float) -> bool:
        """Whether one more probe decides if the provider is blocked."""
        known = self._lists.get(provider)
        return known is not None and known.in_a_row == 1 and known.may_block(now) and not self._is_served(provider, now)

    def blocks_of(self, provider: str) -> Iterable[Block]:
        """Some may be over already."""
        return (block for block in (self._cheap.of(provider), self._deep.of(provider)) if block is not None)

    def _refused_list(self, result: ProbeResult, now: float) -> None:
        known = self._lists.setdefault(result.provider, _List())
        known.in_a_row += 1
        if known.in_a_row < CONFIRMED_AFTER or not known.may_block(now) or self._is_served(result.provider, now):
            return
        reason = known.believed_for(now) or BLOCKING[result.finding]
        self._cheap.add(result.provider, reason, for_s=REFUSED_S, now=now)
        known.awaits_a_call()

    def _calls_pass(self, provider: str) -> None:
        self._cheap.lift(provider)
        if (known := self._lists.get(provider)) is not None:
            known.awaits_a_call()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A call that was refused, when by the prober's monotonic clock, and what for."""

    at: float
    reason: BlockReason


@dataclass(slots=True)
class _List:
    """How often in a row a provider's list of models was refused, and whether that may block it: without a call that
    was refused, or on the word of one.
    """

    in_a_row: int = 0
    may_block_alone: bool = True
    refusal: _Refusal | None = None

    def may_block(self, now: float) -> bool:
        return self.may_block_alone or self.believed_for(now) is not None

    def believed_for(self, now: float) -> BlockReason | None:
        """What the last call was refused for; None where there was none lately that did not block already."""
        return self.refusal.reason if self.refusal is not None and now - self.refusal.at <= CONFIRMS_S else None

    def awaits_a_call(self) -> None:
        """From now on nothing but a call that is refused lets the list block."""
        self.may_block_alone = False
        self.refusal = None
