"""Rate limits' windows and the slots of answers under way, with the clock passed in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from router_service.core.simulation import Limit, LimitUnit, WindowLength
from router_service.simulator.slots import Slots
from router_service.simulator.windows import Cost, Window, take_from_all

ONE = Cost(tokens=10, neurons=3)


def window(maximum: int, unit: LimitUnit = LimitUnit.REQUESTS, per: WindowLength = WindowLength.MINUTE) -> Window:
    """Return a window that has counted nothing."""
    return Window(Limit(unit=unit, per=per, max=maximum))


@pytest.mark.parametrize(("unit", "amount"), [("requests", 1), ("tokens", 10), ("neurons", 3)])
def test_window_counts_its_unit(unit: str, amount: int) -> None:
    counted = window(100, LimitUnit(unit))
    assert take_from_all([counted], ONE, 5.0) is None
    assert (counted.used(5.0), counted.remaining(5.0)) == (amount, 100 - amount)


@pytest.mark.parametrize(
    ("per", "length_s"), [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("month", 30 * 86_400)]
)
def test_window_runs_from_its_first_request_and_ends_by_itself(per: str, length_s: float) -> None:
    counted = window(2, per=WindowLength(per))
    assert counted.resets_in_s(900.0) is None
    counted.take(ONE, 1000.0)
    counted.take(ONE, 1000.5)
    assert not counted.has_room(ONE, 1000.9)
    assert counted.resets_in_s(1000.25) == length_s - 0.25
    assert counted.has_room(ONE, 1000.0 + length_s)
    assert (counted.used(1000.0 + length_s), counted.resets_in_s(1000.0 + length_s)) == (0, None)


def test_request_that_fits_one_window_only_counts_in_none() -> None:
    minute, day = window(1), window(5, per=WindowLength.DAY)
    assert take_from_all([minute, day], ONE, 0.0) is None
    assert take_from_all([minute, day], ONE, 1.0) is minute
    assert (minute.used(1.0), day.used(1.0), minute.refused, day.refused) == (1, 1, 1, 0)


def test_longest_wait_is_told() -> None:
    minute, day = window(1), window(1, per=WindowLength.DAY)
    take_from_all([minute, day], ONE, 0.0)
    assert take_from_all([minute, day], ONE, 1.0) is day


def test_request_that_never_fits_is_told_before_any_wait() -> None:
    tokens, day = window(9, LimitUnit.TOKENS), window(0, per=WindowLength.DAY)
    assert take_from_all([day, tokens], ONE, 0.0) is tokens
    assert (tokens.may_ever_fit(ONE), day.may_ever_fit(ONE)) == (False, True)


def test_limit_of_0_lets_nothing_through() -> None:
    shut = window(0)
    assert take_from_all([shut], ONE, 0.0) is shut
    assert (shut.wait_s(0.0), shut.remaining_share(0.0)) == (60.0, 0.0)


def test_restart_forgets_the_counts() -> None:
    counted = window(1)
    take_from_all([counted], ONE, 0.0)
    take_from_all([counted], ONE, 0.0)
    counted.restart()
    assert (counted.used(0.0), counted.refused, counted.resets_in_s(0.0)) == (0, 0, None)


def starts(started: list[int], count: int) -> list[Callable[[], None]]:
    """Return so many starts, each of which notes its number."""
    return [partial(started.append, number) for number in range(count)]


def test_slots_serve_in_the_order_of_arrival() -> None:
    slots, started = Slots(), list[int]()
    slots.bound(2, most_waiting=2)
    first, second, third, fourth = starts(started, 4)
    for start in (first, second, third, fourth):
        assert not slots.is_full
        slots.enter(start)
    assert (started, slots.busy, slots.waiting, slots.is_full) == ([0, 1], 2, 2, True)
    slots.leave(second)
    assert (started, slots.waiting) == ([0, 1, 2], 1)
    slots.leave(fourth)
    slots.leave(first)
    assert (started, slots.busy, slots.waiting) == ([0, 1, 2], 1, 0)


def test_slots_whose_bound_is_lifted_start_all_that_wait() -> None:
    slots, started = Slots(), list[int]()
    slots.bound(1, most_waiting=5)
    for start in starts(started, 4):
        slots.enter(start)
    slots.bound(None, most_waiting=0)
    assert (started, slots.busy, slots.is_full) == ([0, 1, 2, 3], 4, False)


def test_answers_that_end_at_once_do_not_pile_up() -> None:
    slots, ended = Slots(), list[int]()

    def make(number: int) -> Callable[[], None]:
        def start() -> None:
            ended.append(number)
            slots.leave(start)

        return start

    slots.bound(1, most_waiting=10_000)
    holding: list[int] = []
    (hold,) = starts(holding, 1)
    slots.enter(hold)
    for number in range(5000):
        slots.enter(make(number))
    slots.leave(hold)
    assert (ended, slots.busy, slots.waiting) == (list(range(5000)), 0, 0)
