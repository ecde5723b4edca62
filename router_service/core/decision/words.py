"""Numbers in words, for people: money, tokens, times and shares with just enough digits."""

from __future__ import annotations

NANOS_PER_USD = 1_000_000_000


def usd(nanos: float) -> str:
    """Three significant digits below a cent, cents above: `0.00123 USD`, `4.50 USD`."""
    amount = nanos / NANOS_PER_USD
    if amount == 0 or amount >= 0.01:
        return f"{amount:.2f} USD"
    return f"{amount:.3g} USD" if amount >= 1e-4 else f"{amount:.10f}".rstrip("0") + " USD"


def tokens(count: float) -> str:
    return f"{round(count):,} tokens".replace(",", " ")


def seconds(time_s: float) -> str:
    return f"{time_s:.2g} s" if time_s < 10 else f"{time_s:.0f} s"


def percent(share: float) -> str:
    """Three digits; a share too small to mean anything by its digits is told as that."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.3g} %"


def listed(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
