"""What an attempt is thought to cost at worst, and what its answer is held to where a bound has to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router_service.core.catalog import Target
from router_service.core.decision.expectation import LONGEST_TOKENS, Expectation
from tests.core.decision.making import asked, decided, made, viewed

USUAL_TOKENS, INPUT_TOKENS, MARGIN_TOKENS = 300, 1_000, 1_250
NANOS = 1_000
"""A token at 1 USD per million, which is what they all cost here."""


def target(*, most_output: int | None = None, context: int = 0, price: float = 1.0) -> Target:
    made_target = made("a/x", price=price, context=context)
    return replace(made_target, model=replace(made_target.model, max_output_tokens=most_output))


def expected(at: Target, *, output: int | None = None, most: int | None = None) -> Expectation:
    return decided(asked(tokens=INPUT_TOKENS, output=output), viewed(at)).expectation(0, most)


@pytest.mark.parametrize(
    ("at", "output", "longest"),
    [
        pytest.param(target(most_output=4_000, context=100_000), 700, 700, id="the-callers-limit"),
        pytest.param(target(most_output=4_000, context=100_000), 9_000, 4_000, id="no-longer-than-the-model-writes"),
        pytest.param(target(most_output=4_000, context=100_000), None, 4_000, id="else-the-models"),
        pytest.param(target(context=100_000), None, 99_000, id="else-what-the-window-leaves"),
    ],
)
def test_the_worst_case_is_the_longest_answer_that_may_come(at: Target, output: int | None, longest: int) -> None:
    found = expected(at, output=output, most=10**12)
    assert (found.worst_usd_nanos, found.output_limit) == ((MARGIN_TOKENS + longest) * NANOS, None)
    tokens = INPUT_TOKENS + min(longest if output else USUAL_TOKENS, longest)
    assert found.amounts.usd_nanos == tokens * NANOS, "the estimate is by the caller's limit or the usual length"


@pytest.mark.parametrize("at", [target(most_output=4_000), target(context=100_000), target()])
def test_an_answer_that_could_cost_too_much_is_held_to_what_is_left(at: Target) -> None:
    most = (MARGIN_TOKENS + 2_000) * NANOS
    found = expected(at, most=most)
    assert found.output_limit in (1_999, 2_000)
    assert most - NANOS <= found.worst_usd_nanos <= most


def test_an_answer_of_unknown_length_is_held_to_one_that_models_have() -> None:
    found = expected(target(), most=10**12)
    assert found.output_limit == LONGEST_TOKENS, "else it might cost more than is reserved"
    assert found.worst_usd_nanos == (MARGIN_TOKENS + LONGEST_TOKENS) * NANOS


def test_without_a_bound_no_answer_is_held_to_anything() -> None:
    assert expected(target()).output_limit is None
    assert expected(target(most_output=4_000)).output_limit is None


def test_no_answer_is_held_to_less_than_is_usual() -> None:
    found = expected(target(), most=(INPUT_TOKENS + USUAL_TOKENS) * NANOS)
    assert (found.output_limit, found.worst_usd_nanos) == (USUAL_TOKENS, found.amounts.usd_nanos)
    too_dear = expected(target(), most=10 * NANOS)
    assert (too_dear.output_limit, too_dear.worst_usd_nanos) == (USUAL_TOKENS, too_dear.amounts.usd_nanos)


def test_the_callers_own_limit_is_never_moved() -> None:
    most = (INPUT_TOKENS + 700) * NANOS
    found = expected(target(), output=700, most=most)
    assert (found.output_limit, found.worst_usd_nanos) == (None, most)


def test_an_answer_that_was_begun_elsewhere_is_more_to_read_and_less_to_write() -> None:
    plan = decided(asked(tokens=INPUT_TOKENS, output=700), viewed(target(context=10_000)))
    found = plan.going_on(496).expectation(0)
    assert (found.input_tokens, found.amounts.usd_nanos) == (1_500, (1_500 + 204) * NANOS)
    assert plan.going_on(5_000).expectation(0).amounts.usd_nanos == (6_004 + 1) * NANOS, "one token at least"
    assert plan.going_on(8_900).refusal_if_too_long(0) is None
    refused = plan.going_on(9_000).refusal_if_too_long(0)
    assert refused is not None
    assert refused.detail == "10 004 tokens of input and 1 tokens of output do not fit into a window of 10 000 tokens"


def test_answers_that_cost_nothing_are_not_held_to_anything() -> None:
    assert expected(target(price=0.0), most=0).output_limit is None


def test_the_worst_case_writes_all_of_the_input_to_a_cache_that_costs_more() -> None:
    plain = target(most_output=4_000)
    prices = replace(plain.model.prices, cache_write=1.5)
    found = expected(replace(plain, model=replace(plain.model, prices=prices)), most=10**12)
    assert found.worst_usd_nanos == (MARGIN_TOKENS * 3 // 2 + 4_000) * NANOS
    assert found.amounts.usd_nanos == (INPUT_TOKENS + USUAL_TOKENS) * NANOS, "usually nothing is written"
