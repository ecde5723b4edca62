"""A provider that hangs, with the rules and timers that are shipped: callers are led past it before a timer is over."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import pytest
from signalbox.v1 import router_pb2_grpc

from tests.harness import processes, settings
from tests.harness.processes import SLOWER_IN_CI, Process, running, short_directory
from tests.harness.stack import asking, streaming

LEFT_WITHIN_S = 2.0
PACE_S = 0.1
WATCHED_S = 2.5
LONG_STREAMS = {"*": {"latency_s": 0.05, "tokens_per_s": 10, "output_tokens": 30}}
"""Whole streams take longer than a provider that hangs may keep its traffic."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A router on two providers of one simulator each, the first of which is the cheaper."""

    stub: router_pb2_grpc.RouterStub
    first: Process

    def complete(self) -> str:
        """Who answered a unary call."""
        return self.stub.Complete(asking(), timeout=60).target

    def stream(self) -> str:
        """Who answered a stream, which is read to its end."""
        return list(self.stub.StreamComplete(streaming(), timeout=60))[-1].done.response.target

    def begin(self) -> str:
        """Who began to answer a stream, which is left then."""
        call = self.stub.StreamComplete(streaming(), timeout=60)
        target = next(call).started.target
        call.cancel()
        return target


@contextmanager
def pair(behaviours: object = None) -> Iterator[Pair]:
    with short_directory() as directory:
        first, second = (processes.simulator(directory, name=n, behaviours=behaviours) for n in ("first", "second"))
        with running(first, second):
            shipped = {"timeouts_s": {"connect": 2, "first_byte": 15, "gap": 20, "answer": 120}}
            providers = settings.simulated(first.ready["simulator"], ("alder",), **shipped)
            providers += settings.simulated(second.ready["simulator"], ("birch",), **shipped)
            router = processes.router(directory, settings.write(directory, providers, prober={}, health={}))
            with running(router), grpc.insecure_channel(router.ready["router"]) as channel:
                yield Pair(router_pb2_grpc.RouterStub(channel), first)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("usual", "late", "behaviours"),
    [
        pytest.param(Pair.complete, Pair.complete, None, id="unary"),
        pytest.param(Pair.stream, Pair.begin, LONG_STREAMS, id="streams"),
    ],
)
def test_callers_are_led_past_a_provider_that_hangs_before_any_timer_is_over(
    usual: Callable[[Pair], str], late: Callable[[Pair], str], behaviours: object
) -> None:
    with pair(behaviours) as made, ThreadPoolExecutor(60) as callers:
        assert set(callers.map(usual, [made] * 20)) == {"alder/chat-small"}
        made.first.signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        asked: list[Future[str]] = []
        while (after_s := time.monotonic() - stopped_at) < LEFT_WITHIN_S * SLOWER_IN_CI + WATCHED_S:
            call = callers.submit(late, made)
            if after_s > LEFT_WITHIN_S * SLOWER_IN_CI:
                asked.append(call)
            time.sleep(PACE_S)
        waiting = sum(not call.done() for call in asked)
        made.first.signal(signal.SIGCONT)
        targets = [call.result() for call in asked]
        assert len(targets) >= 15
        assert waiting <= 0.4 * len(asked), "calls still go to the provider that hangs"  # a tenth may
        assert targets.count("birch/chat-small") >= 0.6 * len(asked)
