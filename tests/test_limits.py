"""What limits, free windows and bounds on money come to where many call at once: the simulator's log is the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import pytest
from signalbox.v1 import chat_pb2
from signalbox.v1.router_pb2 import CompleteRequest, CompleteResponse, RouteRequest, StreamCompleteRequest

from tests.harness import settings
from tests.harness.stack import Stack, asking, refused, routing_over

LIMIT, CALLS, MILLION = 50, 200, 1_000_000
UNBLOCKED = {"down_after": 1000, "degraded_failures": 1000, "degraded_ratio": 1.0, "healthy_ratio": 0.0}
"""What fails goes on being called: only its limit stands in the way."""
FREE, DEAR = (0.0, 0.0), (30.0, 60.0)
FREE_ALONE = [("free", "FREE", ""), ("low", "LOW", ""), ("medium", "MEDIUM", ""), ("rule", "UNSPECIFIED", "free")]
"""Who may only be served for nothing at those prices: a provider's kind, a tier, and a label that a rule asks for."""
ORDER = ["breaks", *(f"late-{kind}" for kind, _, _ in FREE_ALONE), "spare"]
RULES = [
    {"name": "free", "when": {"labels": {"keep": "free"}}, "only": ["free"], "prefer": ORDER},
    {"name": "order", "when": {"labels": {"keep": "order"}}, "prefer": ORDER},
]
BUDGETS = {
    "hard": True,
    "providers": {
        "long-hard": {"daily_usd": 0.01},
        "long-request": {"request_usd": 0.001},
        "small-budget": {"daily_usd": 0.0005},
    },
}
"""Nobody else has a bound, so that a hard one is theirs alone."""
FAULTS = {"sound": "", "down": "status=503", "limits": "status=429", "resets": "reset"}


def a_day(most: int) -> dict[str, object]:
    return {"unit": "requests", "per": "day", "max": most}


def providers(address: str) -> list[dict[str, object]]:
    """One for each test, so that all of them may share the processes."""

    def entry(name: str, prices: tuple[float, float] = FREE, **more: object) -> dict[str, object]:
        return settings.provider(name, f"http://{address}/{name}/v1", prices=prices, **more)

    windows = {"free": a_day(20), "overflow": "paid"}
    return [
        *(entry(name, limits=[a_day(LIMIT)]) for name in FAULTS),
        *(entry(f"fails-{status}", limits=[a_day(5)]) for status in (404, 429, 500, 503)),
        *(entry(f"window-{kind}", DEAR, **windows) for kind in ("open", *(kind for kind, _, _ in FREE_ALONE))),
        *(entry(f"late-{kind}", DEAR, free=a_day(5), overflow="paid") for kind, _, _ in FREE_ALONE),
        *(entry(f"long-{kind}", (1.0, 2.0)) for kind in ("bound", "hard", "request")),
        entry("small-budget", (1.0, 2.0)),
        entry("small-tokens", limits=[{"unit": "tokens", "per": "minute", "max": 100}]),
        entry("breaks"),
        entry("spare"),
    ]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    behaviours = {"*": {"latency_s": 0.05}}
    behaviours |= {f"long-{kind}": {"latency_s": 0.05, "output_tokens": 2000} for kind in ("bound", "hard", "request")}
    routing = {"rules": RULES}
    with routing_over(providers, behaviours=behaviours, health=UNBLOCKED, routing=routing, budgets=BUDGETS) as stage:
        faults = {**FAULTS, "breaks": "status=503;slow=0.5"}
        faults |= {f"fails-{status}": f"status={status}" for status in (404, 429, 500, 503)}
        rules = [{"provider": name, "fault": fault} for name, fault in faults.items() if fault]
        stage.witness.show([{**rule, "probability": 0.5 if rule["provider"] == "resets" else 1.0} for rule in rules])
        yield stage


def asked(stack: Stack, provider: str) -> int:
    """How many requests the provider has seen."""
    return sum(row.provider == provider for row in stack.witness.rows())


def wanting(*names: str, keep: str = "", tier: str = "UNSPECIFIED") -> CompleteRequest:
    request = asking()
    request.routing.allowed_providers.extend(names)
    request.routing.budget_tier = chat_pb2.BudgetTier.Value(f"BUDGET_TIER_{tier}")
    if keep:
        request.labels["keep"] = keep
    return request


@dataclass(frozen=True, slots=True)
class Ended:
    """What calls came to: the answers, and the reasons of the refusals."""

    served: list[CompleteResponse]
    refused: Counter[str]

    @property
    def cost_usd_nanos(self) -> int:
        return sum(answer.cost_usd_nanos for answer in self.served)


def at_once(stack: Stack, request: CompleteRequest, calls: int = CALLS) -> Ended:
    def call(_number: int) -> CompleteResponse | str:
        try:
            answer: CompleteResponse = stack.stub.Complete(request, timeout=20)
        except grpc.RpcError as error:
            reason: str = refused(error).info.reason
            return reason
        return answer

    with ThreadPoolExecutor(max_workers=calls) as pool:
        ended = list(pool.map(call, range(calls)))
    reasons = Counter(each for each in ended if isinstance(each, str))
    return Ended([each for each in ended if isinstance(each, CompleteResponse)], reasons)


@pytest.mark.parametrize("name", FAULTS)
def test_two_hundred_at_once_never_exceed_a_limit_of_requests(stack: Stack, name: str) -> None:
    ended = at_once(stack, wanting(name, "spare"))
    assert len(ended.served) == CALLS, "the spare one has room for everybody"
    assert asked(stack, name) <= LIMIT
    at_once(stack, wanting(name), LIMIT)
    at_once(stack, wanting(name), LIMIT)
    assert 1 <= asked(stack, name) <= LIMIT
    assert name != "sound" or asked(stack, name) == LIMIT


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_request_that_is_answered_with_an_error_counts(stack: Stack, status: int) -> None:
    for _ in range(10):
        at_once(stack, wanting(f"fails-{status}"), 1)
    assert 1 <= asked(stack, f"fails-{status}") <= 5


def test_beyond_a_free_window_that_overflows_each_call_has_its_price(stack: Stack) -> None:
    ended = at_once(stack, wanting("window-open"))
    assert (len(ended.served), asked(stack, "window-open")) == (CALLS, CALLS)
    assert sum(answer.cost_usd_nanos == 0 for answer in ended.served) == 20


@pytest.mark.parametrize(("kind", "tier", "keep"), FREE_ALONE)
def test_what_may_only_be_free_is_refused_when_the_window_ends(stack: Stack, kind: str, tier: str, keep: str) -> None:
    ended = at_once(stack, wanting(f"window-{kind}", tier=tier, keep=keep), 60)
    assert (len(ended.served), ended.cost_usd_nanos) == (20, 0)
    assert ended.refused == {"NO_ELIGIBLE_TARGET": 40}
    assert asked(stack, f"window-{kind}") == 20


@pytest.mark.parametrize(("kind", "tier", "keep"), FREE_ALONE)
def test_an_attempt_that_would_have_to_be_paid_goes_on_to_the_next_that_is_free(
    stack: Stack, kind: str, tier: str, keep: str
) -> None:
    """Every plan names the window while it is open; it is full by the time that the first provider has failed."""
    request = wanting("breaks", f"late-{kind}", "spare", tier=tier, keep=keep or "order")
    ended = at_once(stack, request, 20)
    assert (len(ended.served), ended.cost_usd_nanos) == (20, 0)
    assert asked(stack, f"late-{kind}") == 5


@pytest.mark.parametrize("output_tokens", [None, 5_000, 400])
def test_a_bound_on_the_cost_of_a_request_holds_for_its_bill(stack: Stack, output_tokens: int | None) -> None:
    request = wanting("long-bound")
    request.routing.max_cost_usd_nanos = MILLION
    if output_tokens is not None:
        request.generation.max_output_tokens = output_tokens
    ended = at_once(stack, request, 3)
    assert all(0 < answer.cost_usd_nanos <= MILLION for answer in ended.served)
    assert len(ended.served) == (0 if output_tokens == 5_000 else 3), "who asks for more than he pays for is refused"
    if output_tokens is None:
        assert {answer.finish_reason for answer in ended.served} == {chat_pb2.FINISH_REASON_LENGTH}
        assert min(answer.cost_usd_nanos for answer in ended.served) > 0.95 * MILLION, "as long as it may be"


def test_the_bound_of_a_provider_on_each_request_holds_for_its_bill(stack: Stack) -> None:
    ended = at_once(stack, wanting("long-request"), 5)
    assert len(ended.served) == 5
    assert all(0 < answer.cost_usd_nanos <= MILLION for answer in ended.served)


def test_a_stream_is_held_to_its_bound_as_well(stack: Stack) -> None:
    request = wanting("long-bound")
    request.routing.max_cost_usd_nanos = MILLION
    *_, last = stack.stub.StreamComplete(StreamCompleteRequest(request=request), timeout=20)
    assert 0 < last.done.response.cost_usd_nanos <= MILLION


def test_a_hard_budget_is_never_crossed_by_calls_at_once_of_unknown_length(stack: Stack) -> None:
    spent = 0
    for _ in range(4):
        spent += at_once(stack, wanting("long-hard"), 40).cost_usd_nanos
    tokens = [(row.input_tokens, row.output_tokens) for row in stack.witness.rows() if row.provider == "long-hard"]
    assert spent == sum(1_000 * used + 2_000 * written for used, written in tokens)
    assert 8 * MILLION < spent <= 10 * MILLION


@pytest.mark.parametrize(
    ("provider", "reason", "words"),
    [
        ("small-budget", "CALLER_QUOTA", "the budget of the provider small-budget for a day is 0.0005 USD in all"),
        ("small-tokens", "PROVIDERS_RATE_LIMITED", "small-tokens has no room in its limits"),
    ],
)
def test_who_fits_into_no_window_is_refused_before_the_plan_and_not_told_to_wait(
    stack: Stack, provider: str, reason: str, words: str
) -> None:
    request = wanting(provider)
    request.generation.max_output_tokens = 500
    told = RouteRequest(messages=request.messages, generation=request.generation, routing=request.routing)
    for ask in (lambda: stack.stub.Route(told, timeout=10), lambda: stack.stub.Complete(request, timeout=10)):
        with pytest.raises(grpc.RpcError) as caught:
            ask()
        error = refused(caught.value)
        assert (error.code.name, error.info.reason) == ("RESOURCE_EXHAUSTED", reason)
        assert words in error.message
        assert error.retry_s is None
    assert asked(stack, provider) == 0
