"""The fault schedule, with the clock passed in."""

from __future__ import annotations

from random import Random

import pytest

from router_service.simulator.schedule import Rule, Schedule, ScheduleError, parse_schedule


def fire(
    schedule: Schedule, now_s: float, *, provider: str = "fast", model: str = "m", path: str = "chat"
) -> str | None:
    """Return the fault's text, if one is met."""
    found = schedule.find(provider=provider, model=model, path=path, now_s=now_s, random=Random(1))
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("rule", "provider", "model", "path", "is_met"),
    [
        (Rule(fault="reset"), "fast", "m", "chat", True),
        (Rule(fault="reset", provider="fast"), "fast", "m", "chat", True),
        (Rule(fault="reset", provider="fast"), "other", "m", "chat", False),
        (Rule(fault="reset", model="m"), "fast", "n", "chat", False),
        (Rule(fault="reset", path="models"), "fast", "", "models", True),
        (Rule(fault="reset", path="chat"), "fast", "", "models", False),
    ],
)
def test_rule_names_what_it_meets(rule: Rule, provider: str, model: str, path: str, is_met: bool) -> None:
    schedule = Schedule([rule], set_at_s=0.0)
    assert (fire(schedule, 1.0, provider=provider, model=model, path=path) == "reset") is is_met


@pytest.mark.parametrize(("age_s", "is_met"), [(0.0, False), (4.9, False), (5.0, True), (14.9, True), (15.0, False)])
def test_rule_holds_in_its_window(age_s: float, is_met: bool) -> None:
    schedule = Schedule([Rule(fault="reset", from_s=5.0, for_s=10.0)], set_at_s=100.0)
    assert (fire(schedule, 100.0 + age_s) is not None) is is_met


@pytest.mark.parametrize(
    ("rule", "fired"),
    [
        (Rule(fault="reset", first=2), [True, True, False, False, False, False]),
        (Rule(fault="reset", every=3), [False, False, True, False, False, True]),
        (Rule(fault="reset", first=4, every=2), [False, True, False, True, False, False]),
        (Rule(fault="reset", probability=0.0), [False] * 6),
        (Rule(fault="reset"), [True] * 6),
    ],
)
def test_rule_counts_requests(rule: Rule, fired: list[bool]) -> None:
    schedule = Schedule([rule], set_at_s=0.0)
    assert [fire(schedule, 1.0) is not None for _ in range(6)] == fired


def test_probability_follows_the_given_randomness() -> None:
    schedule = Schedule([Rule(fault="reset", probability=0.2)], set_at_s=0.0)
    random = Random(7)
    met = [schedule.find(provider="p", model="m", path="chat", now_s=1.0, random=random) for _ in range(5000)]
    assert 900 < sum(found is not None for found in met) < 1100


def test_first_rule_that_fires_decides() -> None:
    schedule = Schedule([Rule(fault="reset", first=1), Rule(fault="stall")], set_at_s=0.0)
    assert [fire(schedule, 1.0), fire(schedule, 1.0)] == ["reset", "stall"]


def test_schedule_shows_time_left_and_counts() -> None:
    rules = [Rule(fault="reset", from_s=5.0, for_s=10.0), Rule(fault="stall", provider="other")]
    schedule = Schedule(rules, set_at_s=100.0)
    fire(schedule, 106.0)
    waiting, active, over = schedule.show(101.0)[0], schedule.show(107.0)[0], schedule.show(200.0)[0]
    assert (waiting.state, waiting.remaining_s) == ("waiting", 10.0)
    assert (active.state, active.remaining_s, active.matched, active.fired) == ("active", 8.0, 1, 1)
    assert (over.state, over.remaining_s) == ("over", 0.0)
    assert schedule.show(107.0)[1].remaining_s is None


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "truncated"),
        (b"{}", "rules"),
        (b'{"rules":[{"fault":"reset"},{"fault":"explode"}]}', "rules[1].fault: explode"),
        (b'{"rules":[{"provider":"x"}]}', "fault"),
        (b'{"rules":[{"fault":"reset","probability":2}]}', "probability"),
        (b'{"rules":[{"fault":"reset","every":0}]}', "every"),
        (b'{"rules":[{"fault":"reset","who":"x"}]}', "who"),
    ],
)
def test_schedule_that_is_none_names_the_part(body: bytes, part: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(body, set_at_s=0.0)
    assert part in str(caught.value)
