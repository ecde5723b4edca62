"""What a provider's headers do to our count of it."""

from __future__ import annotations

import pytest

from router_service.core.budget import BudgetRules
from router_service.core.quota import Amounts, Limit, QuotaRules, Unit
from router_service.core.windows import Per
from router_service.store.quota import QuotaBook
from tests.store.making import ONE, HandClock, admitted, book, limit, refused, reserved, used

RULES = QuotaRules(
    provider="groq", limits=(limit(30, Per.MINUTE), limit(100_000, Per.MINUTE, Unit.TOKENS)), free=limit(14_400)
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def requests(most: int, remaining: int, reset: str = "", per: str = "") -> dict[str, str]:
    suffix = f"requests-{per}" if per else "requests"
    headers = {f"x-ratelimit-limit-{suffix}": str(most), f"x-ratelimit-remaining-{suffix}": str(remaining)}
    return {**headers, f"x-ratelimit-reset-{suffix}": reset} if reset else headers


def tokens(most: int, remaining: int, reset: str = "30s") -> dict[str, str]:
    return {
        "x-ratelimit-limit-tokens": str(most),
        "x-ratelimit-remaining-tokens": str(remaining),
        "x-ratelimit-reset-tokens": reset,
    }


def test_requests_that_others_made_on_our_key_are_counted(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(14_400, 14_000, "11h59m30s"))
    assert used(quotas) == 400


def test_the_number_tells_which_window_is_meant(clock: HandClock) -> None:
    """OpenAI's names carry no window, and Groq uses them for its day."""
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(14_400, 14_000))
    assert (used(quotas, per=Per.MINUTE), used(quotas, per=Per.DAY)) == (0, 400)


def test_a_window_in_the_name_goes_before_the_number(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(20, 5, per="minute"))
    assert admitted(quotas, 30) == 5


def test_requests_that_we_counted_are_never_forgotten(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    assert admitted(quotas, 25) == 25
    quotas.observe_headers("groq", requests(30, 30, "30s"))
    assert admitted(quotas, 30) == 5


def test_tokens_are_corrected_both_ways(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    held = reserved(quotas.reserve("groq", "small", Amounts(requests=1, tokens=500)))
    quotas.settle(reserved(quotas.reserve("groq", "small", ONE)), Amounts(requests=1, tokens=60_000))
    quotas.observe_headers("groq", tokens(100_000, 80_000))
    assert used(quotas, unit=Unit.TOKENS, per=Per.MINUTE) == 20_500
    quotas.observe_headers("groq", tokens(100_000, 10_000))
    assert used(quotas, unit=Unit.TOKENS, per=Per.MINUTE) == 90_500
    quotas.settle(held, Amounts(requests=1, tokens=700))
    assert used(quotas, unit=Unit.TOKENS, per=Per.MINUTE) == 90_700


def test_a_lower_limit_than_ours_is_believed_and_a_higher_one_is_not(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="llm7", limits=(limit(8, Per.MINUTE),)), clock=clock)
    quotas.observe_headers("llm7", requests(40, 40, per="minute"))
    assert admitted(quotas, 9, provider="llm7") == 8
    clock.pass_s(60)
    quotas.observe_headers("llm7", requests(3, 3, per="minute"))
    assert admitted(quotas, 9, provider="llm7") == 3


def test_nothing_left_stops_until_the_provider_resets_not_until_our_window_turns(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(30, 0, "45s", per="minute"))
    assert refused(quotas.reserve("groq", "small", ONE)).retry_in_s == 45.0
    clock.pass_s(44)
    assert not quotas.standings()["groq"].has_room
    clock.pass_s(2)
    assert quotas.standings()["groq"].has_room
    assert admitted(quotas, 40) == 30


def test_without_a_reset_the_word_holds_as_long_as_our_window(clock: HandClock) -> None:
    """Mistral says how many are left of the minute, and not of which."""
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", {"x-ratelimit-limit-req-minute": "30", "x-ratelimit-remaining-req-minute": "2"})
    assert admitted(quotas, 9) == 2
    clock.pass_s(31.1)
    assert admitted(quotas, 40) == 30


def test_what_is_left_by_the_providers_word_is_used_and_no_more(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(30, 4, "50s", per="minute"))
    assert quotas.standings()["groq"].remaining_share == pytest.approx(4 / 30)
    assert admitted(quotas, 9) == 4


def test_a_provider_whose_day_ends_elsewhere_does_not_fill_ours(clock: HandClock) -> None:
    """Its day ends in two hours, ours in twelve: our count stays, and its word holds for those two hours."""
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(14_400, 0, "2h0m0s"))
    assert not quotas.standings()["groq"].has_room
    clock.pass_s(7_201)
    assert quotas.standings()["groq"].has_room


@pytest.mark.parametrize("reset", ["100ms", ""])
def test_just_after_an_edge_a_late_word_fills_the_old_window(reset: str, clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="groq", limits=(limit(30, Per.MINUTE),)), clock=clock)
    clock.pass_s(30.2)
    quotas.observe_headers("groq", requests(30, 0, reset, per="minute"))
    clock.pass_s(0.9)
    assert admitted(quotas, 40) == 30


def test_a_limit_that_nobody_configured_is_announced(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="openai"), clock=clock)
    quotas.observe_headers("openai", requests(5_000, 2, "6s"), model="large")
    (reading,) = quotas.readings("openai")
    assert (reading.is_announced, reading.limit, reading.remaining, reading.models) == (
        True,
        5_000,
        2,
        frozenset({"large"}),
    )
    assert admitted(quotas, 5, provider="openai", model="large") == 2
    assert admitted(quotas, 5, provider="openai", model="small") == 5
    standings = quotas.standings()
    assert (standings["openai"].has_room, standings["openai/large"].has_room) == (True, False)
    clock.pass_s(7)
    assert set(quotas.standings()) == {"openai"}
    assert admitted(quotas, 5, provider="openai", model="large") == 5


def test_a_probe_without_a_model_speaks_for_all(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="openai"), clock=clock)
    quotas.observe_headers("openai", requests(500, 0, "6s"))
    assert (
        refused(quotas.reserve("openai", "small", ONE)).what
        == "nothing is left of its requests by the provider's own word"
    )
    assert not quotas.standings()["openai"].has_room


def test_headers_that_say_nothing_change_nothing(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    before = quotas.standings()
    quotas.observe_headers("groq", {"content-type": "application/json", "retry-after": "2"})
    assert quotas.standings() is before


@pytest.mark.parametrize("limits", [(), (limit(1_000, Per.MINUTE), limit(10_000, Per.MINUTE, Unit.TOKENS))])
def test_calls_give_back_what_they_did_not_take_of_the_providers_word(limits: tuple[Limit, ...]) -> None:
    """Two requests and 500 tokens are left for six hours: for our own limits of a minute, or for nothing we know of."""
    clock = HandClock()
    quotas = book(QuotaRules(provider="openai", limits=limits), clock=clock)
    quotas.observe_headers("openai", requests(1_000, 2, "6h") | tokens(10_000, 500, "6h"), model="large")
    call = Amounts(requests=1, tokens=300)
    for _ in range(5):
        quotas.settle(reserved(quotas.reserve("openai", "large", call)), Amounts())
    quotas.settle(reserved(quotas.reserve("openai", "large", call)), Amounts(requests=1, tokens=100))
    quotas.settle(reserved(quotas.reserve("openai", "large", call)), Amounts(requests=1, tokens=300))
    assert "requests" in refused(quotas.reserve("openai", "large", ONE)).what
    assert least_left(quotas, "openai", Unit.TOKENS) == 100


@pytest.mark.parametrize("limits", [(), (limit(1_000, Per.MINUTE),)])
def test_a_newer_word_is_not_moved_by_calls_that_began_before_it(limits: tuple[Limit, ...]) -> None:
    quotas = book(QuotaRules(provider="openai", limits=limits), clock=HandClock())
    quotas.observe_headers("openai", requests(1_000, 3, "6h"), model="large")
    held = reserved(quotas.reserve("openai", "large", ONE))
    quotas.observe_headers("openai", requests(1_000, 2, "6h"), model="large")
    quotas.settle(held, Amounts())
    assert admitted(quotas, 9, provider="openai", model="large") == 2


def test_a_call_that_took_more_than_it_had_room_for_leaves_less() -> None:
    quotas = book(QuotaRules(provider="openai"), clock=HandClock())
    quotas.observe_headers("openai", tokens(10_000, 500, "6h"), model="large")
    call = Amounts(requests=1, tokens=100)
    quotas.settle(reserved(quotas.reserve("openai", "large", call)), Amounts(requests=1, tokens=450))
    assert least_left(quotas, "openai", Unit.TOKENS) == 50
    assert refused(quotas.reserve("openai", "large", call)).retry_in_s == 6 * 3600


def least_left(quotas: QuotaBook, provider: str, unit: Unit) -> int:
    return min(reading.remaining for reading in quotas.readings(provider) if reading.unit is unit)


def test_a_reload_keeps_what_the_headers_said(clock: HandClock) -> None:
    quotas = book(RULES, clock=clock)
    quotas.observe_headers("groq", requests(20, 2, "45s", per="minute"))
    assert admitted(quotas, 1) == 1
    quotas.adopt([RULES], BudgetRules())
    found = quotas.standings()["groq"]
    assert found.remaining_share == pytest.approx(1 / 20), "the lower limit is still believed"
    assert admitted(quotas, 9) == 1, "and so is what it says is left"
    assert refused(quotas.reserve("groq", "small", ONE)).retry_in_s == 45.0


def test_a_reload_keeps_a_limit_that_only_the_headers_know(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="openai"), clock=clock)
    quotas.observe_headers("openai", requests(5_000, 0, "6s"), model="large")
    quotas.adopt([QuotaRules(provider="openai")], BudgetRules())
    assert refused(quotas.reserve("openai", "large", ONE)).retry_in_s == 6.0
    assert not quotas.standings()["openai/large"].has_room


def test_a_lower_limit_that_was_learnt_holds_whatever_a_reload_configures(clock: HandClock) -> None:
    quotas = book(QuotaRules(provider="llm7", limits=(limit(8, Per.MINUTE),)), clock=clock)
    quotas.observe_headers("llm7", requests(3, 3, per="minute"))
    quotas.adopt([QuotaRules(provider="llm7", limits=(limit(40, Per.MINUTE),))], BudgetRules())
    assert admitted(quotas, 9, provider="llm7") == 3
