"""What is left of limits, by whoever said so last."""

from __future__ import annotations

from prober.windows import Windows
from router_service.core.health import QuotaWindow


def window(remaining: int, *, resets_in_s: float | None = 60.0, unit: str = "requests/minute") -> QuotaWindow:
    return QuotaWindow(unit=unit, limit=30, remaining=remaining, resets_in_s=resets_in_s)


def test_a_later_word_takes_the_place_of_an_earlier_one() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(3), window(9, unit="tokens/day")], 0.0)
    windows.tell("router-1", "alder", [window(20)], 1.0)
    assert windows.of("alder", 1.0) == (window(20),)
    assert windows.of("birch", 1.0) == ()


def test_of_two_sources_the_one_counts_that_leaves_less() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(3), window(9, unit="tokens/day")], 0.0)
    windows.tell("router-2", "alder", [window(5)], 0.0)
    assert set(windows.of("alder", 0.0)) == {window(3), window(9, unit="tokens/day")}
    windows.forget(["router-1"])
    assert windows.of("alder", 0.0) == (window(5),)


def test_the_time_to_the_reset_shrinks_and_a_window_that_began_anew_is_not_known() -> None:
    windows = Windows()
    windows.tell("router-1", "alder", [window(0), window(7, resets_in_s=None, unit="usd_nanos")], 100.0)
    assert windows.of("alder", 140.0)[0].resets_in_s == 20.0
    assert windows.of("alder", 160.0) == (window(7, resets_in_s=None, unit="usd_nanos"),)


def test_a_free_window_and_a_limit_of_the_same_unit_are_two() -> None:
    free = QuotaWindow(unit="requests/day", limit=50, remaining=4, is_free=True)
    limit = QuotaWindow(unit="requests/day", limit=200, remaining=154)
    windows = Windows()
    windows.tell("router-1", "alder", [limit, free], 0.0)
    assert windows.of("alder", 0.0) == (limit, free)
