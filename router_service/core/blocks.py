"""Providers that are not to be called for a while although they may be well, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from router_service.core.health import ProviderHealth
from router_service.core.outcome import BlockReason

LONGEST_BLOCK_S = 300.0


@dataclass(frozen=True, slots=True)
class Block:
    """Holds until a moment of the owner's monotonic clock."""

    until: float
    reason: BlockReason

    def left_s(self, now: float) -> float:
        return max(0.0, self.until - now)


class Blocks:
    """At most one block a provider: of two, the one that lasts longer."""

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}

    def add(self, provider: str, reason: BlockReason, *, for_s: float, now: float) -> Block:
        """Block `provider` for `for_s` seconds, at least none and at most five minutes; return what holds now."""
        block = Block(now + min(LONGEST_BLOCK_S, max(0.0, for_s)), reason)
        held = self._blocks.get(provider)
        if held is None or held.until < block.until:
            self._blocks[provider] = block
        return self._blocks[provider]

    def of(self, provider: str) -> Block | None:
        """The block of `provider`, which may be over already."""
        return self._blocks.get(provider)

    def lift(self, provider: str) -> None:
        self._blocks.pop(provider, None)

    def replace(self, providers: Iterable[ProviderHealth], now: float) -> None:
        """Hold what `providers` say and nothing else; their durations count from `now`."""
        self._blocks.clear()
        for health in providers:
            if health.block_reason is not None and health.blocked_for_s > 0:
                self.add(health.provider, health.block_reason, for_s=health.blocked_for_s, now=now)

    def expire(self, now: float) -> None:
        self._blocks = {p: b for p, b in self._blocks.items() if b.until > now}
