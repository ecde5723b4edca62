"""The order in which targets are tried: the best first, and then other providers before more of the same."""

from __future__ import annotations

from collections.abc import Iterable

from router_service.core.decision.offer import Offer


def across_providers(ranked: Iterable[Offer], wanted: int) -> list[Offer]:
    """Each provider's best in order, then the rest in order, so that a fallback does not share the fault; no more than
    `wanted` of them.
    """
    seen: set[int] = set()
    first: list[Offer] = []
    rest: list[Offer] = []
    for offer in ranked:
        if offer.slot in seen:
            rest.append(offer)
            continue
        first.append(offer)
        seen.add(offer.slot)
        if len(first) == wanted:
            return first
    return (first + rest)[:wanted]
