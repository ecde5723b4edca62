"""Limits under concurrent requests: what counts is how many the provider saw, by the simulator's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import grpc
import pytest
from signalbox.v1 import router_pb2

from tests.harness import settings
from tests.harness.stack import Stack, asking, routing_over

AT_ONCE, MOST, FREE = 200, 50, 20
A_DAY = {"unit": "requests", "per": "day", "max": MOST}
LIMITED: Mapping[str, Mapping[str, object]] = {
    "limited": {"limits": [A_DAY]},
    "alone": {"limits": [A_DAY]},
    "refusing": {"limits": [A_DAY]},
    "garbling": {"limits": [A_DAY]},
    "unsteady": {"limits": [A_DAY]},
    "stopping": {"free": A_DAY, "overflow": "stop"},
    "overflowing": {"free": A_DAY, "overflow": "paid"},
    "both": {"free": {**A_DAY, "max": FREE}, "overflow": "paid", "limits": [A_DAY]},
}
"""A provider for each case, so that one router serves them all; whoever may, falls back to `spare`."""
FAULTS = (
    {"provider": "refusing", "fault": "status=503"},
    {"provider": "garbling", "fault": "garbage"},
    {"provider": "unsteady", "fault": "status=503", "every": 2},
)
NEVER_ILL = {"down_after": 1000, "degraded_ratio": 1.0, "healthy_ratio": 0.0}
"""However often a provider fails, it is asked again, so that nothing but its limit keeps requests away."""
LIMITED_FIRST = {"rules": [{"name": "limited first", "when": {}, "prefer": list(LIMITED)}]}
PATIENT = {"connect": 5, "first_byte": 20, "answer": 30}


@pytest.fixture(scope="module")
def serving() -> Iterator[Stack]:
    with routing_over(providers, health=NEVER_ILL, routing=LIMITED_FIRST) as stack:
        stack.witness.show(FAULTS)
        yield stack


@pytest.fixture
def stack(serving: Stack) -> Stack:
    serving.witness.forget()
    return serving


def providers(address: str) -> list[dict[str, object]]:
    def entry(name: str, **more: object) -> dict[str, object]:
        return settings.provider(name, f"http://{address}/{name}/v1", prices=(1.0, 1.0), timeouts_s=PATIENT, **more)

    return [*(entry(name, **more) for name, more in LIMITED.items()), entry("spare")]


def ask_at_once(stack: Stack, *names: str) -> Sequence[router_pb2.CompleteResponse | grpc.StatusCode]:
    """What each caller was told: the answer, or the status of a refusal."""
    request = asking()
    request.routing.allowed_providers.extend(names)
    calls = [stack.stub.Complete.future(request, timeout=30) for _ in range(AT_ONCE)]
    return [call.result() if call.code() is grpc.StatusCode.OK else call.code() for call in calls]


def seen(stack: Stack) -> Counter[str]:
    return Counter(row.provider for row in stack.witness.rows())


def _answered(
    told: Sequence[router_pb2.CompleteResponse | grpc.StatusCode],
) -> Sequence[router_pb2.CompleteResponse]:
    answers = [each for each in told if isinstance(each, router_pb2.CompleteResponse)]
    assert len(answers) == len(told), "nobody was refused"
    return answers


def test_a_limit_holds_to_the_request_and_the_rest_goes_elsewhere(stack: Stack) -> None:
    _answered(ask_at_once(stack, "limited", "spare"))
    assert seen(stack) == {"limited": MOST, "spare": AT_ONCE - MOST}


def test_who_finds_no_room_anywhere_is_refused_and_reaches_nobody(stack: Stack) -> None:
    told = ask_at_once(stack, "alone")
    assert seen(stack) == {"alone": MOST}
    refusals = Counter(each for each in told if isinstance(each, grpc.StatusCode))
    assert refusals == {grpc.StatusCode.RESOURCE_EXHAUSTED: AT_ONCE - MOST}


@pytest.mark.parametrize("provider", ["refusing", "garbling", "unsteady"])
def test_a_limit_holds_where_the_provider_fails(stack: Stack, provider: str) -> None:
    """What was sent counts, whatever came back."""
    answers = _answered(ask_at_once(stack, provider, "spare"))
    assert seen(stack)[provider] == MOST
    assert sum(answer.target.startswith("spare/") for answer in answers) == seen(stack)["spare"]


def test_a_free_window_that_stops_holds_to_the_request(stack: Stack) -> None:
    answers = _answered(ask_at_once(stack, "stopping", "spare"))
    assert seen(stack) == {"stopping": MOST, "spare": AT_ONCE - MOST}
    assert {a.target.startswith("stopping/") for a in answers if a.cost_usd_nanos == 0} == {True}


def test_a_free_window_that_overflows_gives_away_no_more_than_it_has(stack: Stack) -> None:
    answers = _answered(ask_at_once(stack, "overflowing"))
    assert seen(stack) == {"overflowing": AT_ONCE}
    assert sum(answer.cost_usd_nanos == 0 for answer in answers) == MOST


def test_a_limit_and_a_free_window_that_overflows_hold_together(stack: Stack) -> None:
    answers = _answered(ask_at_once(stack, "both", "spare"))
    assert seen(stack) == {"both": MOST, "spare": AT_ONCE - MOST}
    assert sum(answer.cost_usd_nanos == 0 for answer in answers) == FREE
