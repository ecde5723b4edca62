"""Money of the file, in USD, as money of core, in billionths of a dollar."""

from __future__ import annotations

from decimal import Decimal

from router_service.core.prices import NANOS_PER_USD


def usd_nanos(usd: float) -> int:
    """As it is written: 0.1 USD are exactly 100 million."""
    return int((Decimal(repr(usd)) * NANOS_PER_USD).to_integral_value())
