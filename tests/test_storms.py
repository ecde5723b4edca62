"""Many failures at once: what fails at random is cured, and what fails always is not asked over and over."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc

from router_service.service.retries import MOST, SHARE
from tests.harness.stack import Stack, asking, refused, routing

NAMES = ("alder", "birch", "cedar")
FLAKY_NAMES = ("alder", "birch", "cedar", "dogwood")
IS_FULL = os.environ.get("FAULTS") == "full"
FLAKY_CALLS, SHARE_OF_FAILURES = (10_000, 0.001) if IS_FULL else (500, 0.006)
"""Of ten thousand calls one in a thousand may fail; of a few hundred it takes more to tell chance from a fault."""
CALLERS = 8
UNDER_WAY = CALLERS * len(NAMES)
"""Attempts that may be out before their target is known to be failing."""


def outcomes(stack: Stack, calls: int) -> Counter[str]:
    """How so many calls end, by reason; OK where they succeed."""

    def call(_: int) -> str:
        try:
            stack.stub.Complete(asking(), timeout=20)
        except grpc.RpcError as error:
            return str(refused(error).info.reason)
        return "OK"

    with ThreadPoolExecutor(CALLERS) as pool:
        return Counter(pool.map(call, range(calls)))


def test_where_everything_fails_providers_are_asked_little_more_than_callers_ask() -> None:
    with routing(names=NAMES) as stack:
        stack.witness.break_provider("*", "status=503")
        found = outcomes(stack, 300)
        asked = Counter(row.provider for row in stack.witness.rows())
        assert found.keys() <= {"UPSTREAM_5XX"}
        assert 300 <= asked.total() <= 300 * (1 + SHARE) + MOST * len(NAMES) + UNDER_WAY, asked
        stack.witness.mend()


def test_where_one_of_several_fails_its_share_of_the_calls_succeeds_elsewhere() -> None:
    with routing(names=NAMES) as stack:
        stack.witness.break_provider("alder", "status=503")
        assert outcomes(stack, 100) == {"OK": 100}


def test_targets_that_each_fail_one_call_in_ten_serve_nearly_every_call_together() -> None:
    with routing(names=FLAKY_NAMES) as stack:
        stack.witness.break_provider("*", "status=503", probability=0.1)
        found = outcomes(stack, FLAKY_CALLS)
        asked = len(stack.witness.rows())
        stack.witness.mend()
    failed = FLAKY_CALLS - found["OK"]
    assert failed <= FLAKY_CALLS * SHARE_OF_FAILURES, found
    assert asked > FLAKY_CALLS * 1.05, "about one call in ten has failed somewhere"
