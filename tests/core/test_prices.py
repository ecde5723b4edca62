"""What calls cost, to the billionth of a dollar."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.catalog import Prices
from router_service.core.chat import Usage
from router_service.core.prices import NANOS_PER_USD, cost_usd_nanos, estimated_usage, filled_usage, unfinished_usage


@pytest.mark.parametrize(
    ("usage", "prices", "nanos"),
    [
        pytest.param(Usage(input_tokens=1), Prices(input=1.0, output=2.0), 1_000, id="one-token"),
        pytest.param(Usage(output_tokens=1), Prices(input=1.0, output=2.0), 2_000, id="one-output-token"),
        pytest.param(
            Usage(input_tokens=10**6), Prices(input=0.15, output=0.6), NANOS_PER_USD * 15 // 100, id="million"
        ),
        pytest.param(
            Usage(input_tokens=10, cached_input_tokens=4, output_tokens=2),
            Prices(input=1.0, output=3.0, cached_input=0.5),
            6 * 1_000 + 4 * 500 + 2 * 3_000,
            id="cached-is-part-of-input",
        ),
        pytest.param(
            Usage(input_tokens=10, cached_input_tokens=4), Prices(input=1.0, output=1.0), 10_000, id="no-cached-price"
        ),
        pytest.param(
            Usage(input_tokens=10, cached_input_tokens=10),
            Prices(input=1.0, output=1.0, cached_input=0.0),
            0,
            id="cached-for-nothing",
        ),
        pytest.param(
            Usage(output_tokens=9, reasoning_tokens=8),
            Prices(input=1.0, output=1.0),
            9_000,
            id="reasoning-is-in-output",
        ),
        pytest.param(Usage(input_tokens=5, output_tokens=5), Prices(), 0, id="unknown"),
        pytest.param(Usage(input_tokens=5, output_tokens=5), Prices(output=1.0), 5_000, id="input-unknown"),
        pytest.param(
            Usage(input_tokens=1, cached_input_tokens=5),
            Prices(input=1.0, output=1.0, cached_input=0.1),
            100,
            id="more-cached-than-input",
        ),
        pytest.param(
            Usage(input_tokens=10, cached_input_tokens=4, cache_write_tokens=3),
            Prices(input=1.0, output=1.0, cached_input=0.5, cache_write=1.25),
            3 * 1_000 + 4 * 500 + 3 * 1_250,
            id="writes-to-the-cache",
        ),
        pytest.param(
            Usage(input_tokens=10, cache_write_tokens=3), Prices(input=1.0, output=1.0), 10_000, id="no-write-price"
        ),
        pytest.param(
            Usage(input_tokens=5, cached_input_tokens=4, cache_write_tokens=4),
            Prices(input=1.0, output=1.0, cached_input=0.0, cache_write=2.0),
            2_000,
            id="more-cached-and-written-than-input",
        ),
        pytest.param(Usage(), Prices(input=1.0, output=1.0), 0, id="nothing"),
    ],
)
def test_cost(usage: Usage, prices: Prices, nanos: int) -> None:
    assert cost_usd_nanos(usage, prices) == nanos


TOKENS = st.integers(0, 2**31 - 1)
PRICE = st.none() | st.floats(0, 1000)


@given(TOKENS, TOKENS, TOKENS, PRICE, PRICE, PRICE)
def test_no_bill_is_negative(
    into: int, cached: int, out: int, price: float | None, cached_price: float | None, output_price: float | None
) -> None:
    usage = Usage(input_tokens=into, cached_input_tokens=cached, output_tokens=out)
    assert cost_usd_nanos(usage, Prices(input=price, cached_input=cached_price, output=output_price)) >= 0


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_estimate_rounds_up_and_says_that_it_is_one(characters: int, tokens: int) -> None:
    usage = estimated_usage(input_tokens=7, output_characters=characters)
    assert usage == Usage(input_tokens=7, output_tokens=tokens, estimated=True)


@pytest.mark.parametrize(
    ("reported", "used"),
    [
        pytest.param(None, Usage(input_tokens=7, output_tokens=3, estimated=True), id="nothing-said"),
        pytest.param(Usage(), Usage(input_tokens=7, output_tokens=3, estimated=True), id="nought"),
        pytest.param(Usage(input_tokens=9), Usage(input_tokens=9, output_tokens=3, estimated=True), id="no-output"),
        pytest.param(Usage(output_tokens=5), Usage(input_tokens=7, output_tokens=5, estimated=True), id="no-input"),
        pytest.param(Usage(input_tokens=9, output_tokens=5), Usage(input_tokens=9, output_tokens=5), id="both"),
    ],
)
def test_what_a_report_leaves_out_is_estimated(reported: Usage | None, used: Usage) -> None:
    assert filled_usage(reported, estimated_usage(input_tokens=7, output_characters=12)) == used


def test_an_answer_without_text_has_no_output_to_estimate() -> None:
    reported = Usage(input_tokens=9)
    assert filled_usage(reported, estimated_usage(input_tokens=7, output_characters=0)) == reported


@pytest.mark.parametrize(
    ("reported", "used"),
    [
        pytest.param(None, Usage(input_tokens=7, output_tokens=3, estimated=True), id="nothing-said"),
        pytest.param(
            Usage(input_tokens=9, output_tokens=1),
            Usage(input_tokens=9, output_tokens=3, estimated=True),
            id="said-too-early",
        ),
        pytest.param(Usage(input_tokens=9, output_tokens=5), Usage(input_tokens=9, output_tokens=5), id="said-more"),
    ],
)
def test_an_answer_that_was_cut_short_counts_no_less_than_what_came_of_it(reported: Usage | None, used: Usage) -> None:
    assert unfinished_usage(reported, estimated_usage(input_tokens=7, output_characters=12)) == used
