"""What limits, free windows and bounds on money come to where many call at once: the simulator's log is the judge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from signalbox.v1 import router_pb2

from tests.harness import settings
from tests.harness.stack import Stack, asking, refused, routing_over

LIMIT, CALLS = 50, 200
UNBLOCKED = {"down_after": 1000, "degraded_failures": 1000, "degraded_ratio": 1.0, "healthy_ratio": 0.0}
"""What fails goes on being called: only its limit stands in the way."""
ALDER_FIRST = {"rules": [{"name": "alder", "when": {}, "prefer": ["alder"]}]}
BUSY = {"*": {"latency_s": 0.05}}


def a_day(most: int) -> dict[str, object]:
    return {"unit": "requests", "per": "day", "max": most}


def asked(stack: Stack, provider: str) -> int:
    """How many requests the provider has seen."""
    return sum(row.provider == provider for row in stack.witness.rows())


def called(stack: Stack, request: router_pb2.CompleteRequest) -> router_pb2.CompleteResponse | str:
    """The answer, or the reason of the refusal."""
    try:
        return stack.stub.Complete(request, timeout=20)
    except grpc.RpcError as error:
        return str(refused(error).info.reason)


def at_once(
    stack: Stack, request: router_pb2.CompleteRequest, calls: int = CALLS
) -> list[router_pb2.CompleteResponse | str]:
    with ThreadPoolExecutor(max_workers=calls) as pool:
        return list(pool.map(lambda _: called(stack, request), range(calls)))


@pytest.mark.parametrize(
    ("fault", "probability"), [("", 1.0), ("status=503", 1.0), ("status=429", 0.5), ("reset", 0.5)]
)
def test_two_hundred_at_once_never_exceed_a_limit_of_requests(fault: str, probability: float) -> None:
    def limited(address: str) -> list[dict[str, object]]:
        alder, birch = settings.simulated(address, ("alder", "birch"))
        return [{**alder, "limits": [a_day(LIMIT)]}, birch]

    with routing_over(limited, behaviours=BUSY, health=UNBLOCKED, routing=ALDER_FIRST) as stack:
        if fault:
            stack.witness.break_provider("alder", fault, probability=probability)
        answers = at_once(stack, asking())
        assert asked(stack, "alder") <= LIMIT
        assert fault or asked(stack, "alder") == LIMIT
        assert all(not isinstance(answer, str) for answer in answers), "birch has room for everybody"


@pytest.mark.parametrize("fault", ["status=503", "status=429", "status=500", "status=404"])
def test_a_request_that_is_answered_with_an_error_counts(fault: str) -> None:
    def limited(address: str) -> list[dict[str, object]]:
        return [{**settings.simulated(address, ("alder",))[0], "limits": [a_day(5)]}]

    with routing_over(limited, health=UNBLOCKED) as stack:
        stack.witness.break_provider("alder", fault)
        for _ in range(10):
            called(stack, asking())
        assert 1 <= asked(stack, "alder") <= 5
