"""Numbers in words, for people: money, tokens, times and shares with just enough digits."""

from __future__ import annotations

from router_service.core.prices import NANOS_PER_USD
from router_service.core.quota import Amounts, Unit, WindowReading
from router_service.core.windows import Per


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


def lack(window: WindowReading, amounts: Amounts) -> str:
    """Why a call that may take `amounts` does not fit into a window."""
    unit, needed = window.unit, amounts.of(window.unit)
    what = "money" if unit is Unit.USD_NANOS else unit.value
    what += "" if window.is_announced or window.per is Per.EVER else f" for a {window.per.value}"
    whose = " by the provider's own word" if window.is_announced else ""
    if window.remaining <= 0:
        return f"nothing is left of its {what}{whose}"
    told, there = ("in all", window.limit) if needed > window.limit else ("left", window.remaining)
    takes = f"this request may take {_counted(unit, needed)}"
    return f"of its {what} there are {_counted(unit, there)} {told}{whose}, and {takes}"


def _counted(unit: Unit, count: int) -> str:
    return usd(count) if unit is Unit.USD_NANOS else f"{count:,}".replace(",", " ")
