"""What a call costs: dated list prices times reported tokens, in integer billionths of a dollar."""

from __future__ import annotations

from dataclasses import replace

from router_service.core.catalog import Prices
from router_service.core.chat import Usage

NANOS_PER_USD = 1_000_000_000
NANOS_PER_TOKEN_AT_ONE_USD = 1_000
"""What a token costs at 1 USD per million, in billionths of a dollar."""


def cost_usd_nanos(usage: Usage, prices: Prices) -> int:
    """The price of `usage`. An unknown price counts as nothing: a bill states what is known and invents nothing.

    One token at 1 USD per million tokens costs a millionth of a dollar, which is exactly 1 000 nanos. Tokens that were
    cached and those that were written to the cache are parts of the input. More of them than input is a provider's
    nonsense: all of the input then counts as cached, what is left of it as written, and no more than that.
    """
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    fresh = usage.input_tokens - cached - written
    input_price = prices.input or 0.0
    cached_price = input_price if prices.cached_input is None else prices.cached_input
    write_price = input_price if prices.cache_write is None else prices.cache_write
    total = fresh * input_price + cached * cached_price + written * write_price
    total += usage.output_tokens * (prices.output or 0.0)
    return round(total * NANOS_PER_TOKEN_AT_ONE_USD)


CHARACTERS_PER_TOKEN = 4
"""A rough rule for text in Latin script, used only where a provider reported nothing; such usage is marked."""


def estimated_usage(*, input_tokens: int, output_characters: int) -> Usage:
    """What a call probably used, where nobody says: an aborted stream, or a provider that reports no usage."""
    return Usage(
        input_tokens=input_tokens,
        output_tokens=-(-output_characters // CHARACTERS_PER_TOKEN),
        estimated=True,
    )


def filled_usage(reported: Usage | None, estimate: Usage) -> Usage:
    """What was reported, with the estimate in place of a count that is missing, or nought though there was something.

    A provider that says nothing of a part of its answer did not give it away.
    """
    if reported is None:
        return estimate
    input_tokens = reported.input_tokens or estimate.input_tokens
    output_tokens = reported.output_tokens or estimate.output_tokens
    if (input_tokens, output_tokens) == (reported.input_tokens, reported.output_tokens):
        return reported
    return replace(reported, input_tokens=input_tokens, output_tokens=output_tokens, estimated=True)


def unfinished_usage(reported: Usage | None, estimate: Usage) -> Usage:
    """The same for an answer whose end nobody saw: what was reported by then may be of its beginning alone, so that it
    counts no less than what came.
    """
    filled = filled_usage(reported, estimate)
    if filled.output_tokens >= estimate.output_tokens:
        return filled
    return replace(filled, output_tokens=estimate.output_tokens, estimated=True)
