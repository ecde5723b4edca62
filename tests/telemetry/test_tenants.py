"""Whose request it was, in the log and in the trace, where callers are told apart by their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from signalbox_client import Client, SignalboxError

from tests.harness import keys, processes, settings
from tests.harness.collector import Collector, collecting
from tests.harness.processes import Process, wait_until


@dataclass(frozen=True, slots=True)
class Stack:
    router: Process
    collector: Collector

    def client(self, tenant: str) -> Client:
        return Client(self.router.ready["router"], api_key=keys.key(tenant), channels=1)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with ExitStack() as running:
        directory = running.enter_context(processes.short_directory())
        collector, endpoint = running.enter_context(collecting())
        simulator = processes.simulator(directory)
        running.enter_context(processes.running(simulator))
        config = settings.write(
            directory,
            settings.simulated(simulator.ready["simulator"], ("alder",)),
            telemetry={"otlp_endpoint": endpoint, "sample_ratio": 1.0},
            tenants=[keys.tenant("web"), keys.tenant("shop")],  # type: ignore[arg-type]
        )
        router = processes.router(directory, config)
        running.enter_context(processes.running(router))
        yield Stack(router, collector)


def _tenants(stack: Stack, span: str, count: int) -> list[str]:
    """Whom the spans of that name tell of, once there are so many."""
    wait_until(lambda: len(stack.collector.named(span)) >= count, within_s=10, what=f"{count} spans named {span}")
    return [
        attribute.value.string_value
        for found in stack.collector.named(span)
        for attribute in found.span.attributes
        if attribute.key == "signalbox.tenant"
    ]


def test_spans_and_log_lines_tell_the_tenant(stack: Stack) -> None:
    with stack.client("web") as web, stack.client("shop") as shop:
        web.complete("hello")
        shop.complete("hello")
        web.route("hello")
        with pytest.raises(SignalboxError):
            shop.complete("hello", max_output_tokens=-1)
    assert _tenants(stack, "signalbox.v1.Router/Complete", 3) == ["web", "shop", "shop"]
    assert _tenants(stack, "chat chat-small", 2) == ["web", "shop"]
    assert _tenants(stack, "signalbox.v1.Router/Route", 1) == ["web"]

    def lines() -> list[str]:
        logged = [json.loads(line) for line in stack.router.stderr().splitlines() if line.startswith("{")]
        return [line["tenant"] for line in logged if line["message"] in ("request finished", "route finished")]

    wait_until(lambda: len(lines()) >= 4, within_s=5, what="a line for each request")
    assert lines() == ["web", "shop", "web", "shop"]
