"""A provider that hangs, with the rules and timers that are shipped: callers are led past it before a timer is over."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from signalbox.v1 import router_pb2, router_pb2_grpc

from tests.harness import processes, settings
from tests.harness.processes import SLOWER_IN_CI, Process, running, short_directory
from tests.harness.stack import asking

LEFT_WITHIN_S = 2.0
PACE_S = 0.1
WATCHED_S = 2.5


@dataclass(frozen=True, slots=True)
class Pair:
    """A router on two providers of one simulator each, the first of which is the cheaper."""

    stub: router_pb2_grpc.RouterStub
    first: Process


@contextmanager
def pair() -> Iterator[Pair]:
    with short_directory() as directory:
        first, second = (processes.simulator(directory, name=name) for name in ("first", "second"))
        with running(first, second):
            shipped = {"timeouts_s": {"connect": 2, "first_byte": 15, "gap": 20, "answer": 120}}
            providers = settings.simulated(first.ready["simulator"], ("alder",), **shipped)
            providers += settings.simulated(second.ready["simulator"], ("birch",), **shipped)
            router = processes.router(directory, settings.write(directory, providers, prober={}, health={}))
            with running(router), grpc.insecure_channel(router.ready["router"]) as channel:
                yield Pair(router_pb2_grpc.RouterStub(channel), first)


def test_callers_are_led_past_a_provider_that_hangs_before_any_timer_is_over() -> None:
    with pair() as made, ThreadPoolExecutor(60) as callers:
        for _ in range(20):
            assert made.stub.Complete(asking(), timeout=60).target == "alder/chat-small"
        made.first.signal(signal.SIGSTOP)
        stopped_at = time.monotonic()
        late: list[Future[router_pb2.CompleteResponse]] = []
        while (after_s := time.monotonic() - stopped_at) < LEFT_WITHIN_S * SLOWER_IN_CI + WATCHED_S:
            call = callers.submit(made.stub.Complete, asking(), timeout=60)
            if after_s > LEFT_WITHIN_S * SLOWER_IN_CI:
                late.append(call)
            time.sleep(PACE_S)
        waiting = sum(not call.done() for call in late)
        made.first.signal(signal.SIGCONT)
        targets = [call.result().target for call in late]
        assert len(targets) >= 15
        assert waiting <= 0.4 * len(late), "calls still go to the provider that hangs"  # a tenth may
        assert targets.count("birch/chat-small") >= 0.6 * len(late)
