"""What the router owes its callers when things go wrong, and what it does about those who do not keep up."""

from __future__ import annotations

import grpc
import pytest

from tests.harness.stack import asking, routing, streaming


def test_a_call_that_failed_tells_what_its_attempts_cost() -> None:
    slow = {"*": {"tokens_per_s": 50, "output_tokens": 100}}
    with routing(behaviours=slow) as stack:
        stack.witness.break_provider("*", "reset-after=3")
        with pytest.raises(grpc.RpcError) as caught:
            list(stack.stub.StreamComplete(streaming(), timeout=10))
        trailers = trailing(caught.value)
        assert trailers["x-signalbox-target"] == "alder/chat-small"
        assert trailers["x-signalbox-attempts"] == "1"
        assert int(trailers["x-signalbox-cost-usd-nanos"]) > 0
        stack.witness.break_provider("*", "status=503")
        with pytest.raises(grpc.RpcError) as caught:
            stack.stub.Complete(asking(), timeout=10)
        trailers = trailing(caught.value)
        assert trailers["x-signalbox-attempts"] == str(len(stack.witness.rows()) - 1)
        assert trailers["x-signalbox-cost-usd-nanos"] == "0", "a provider that refused did no work"


def trailing(error: grpc.RpcError) -> dict[str, str]:
    assert isinstance(error, grpc.Call)
    return {key: str(value) for key, value in error.trailing_metadata() or ()}
