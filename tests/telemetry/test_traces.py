"""One trace over caller, router and attempts, and a link to the probe, as a real OTLP receiver gets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import TracerProvider
from signalbox_client import Client, SignalboxError

from tests.harness import processes, settings
from tests.harness.collector import Collector, Received, collecting
from tests.harness.processes import wait_until
from tests.harness.witness import Witness

CANARY = "canary-prompt-7316"


@dataclass(frozen=True, slots=True)
class Stack:
    client: Client
    witness: Witness
    collector: Collector


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with processes.short_directory() as directory, collecting() as (collector, endpoint):
        yield from _stack(directory, collector, endpoint)


def _stack(directory: Path, collector: Collector, endpoint: str) -> Iterator[Stack]:
    simulator = processes.simulator(directory).start()
    try:
        providers = settings.simulated(simulator.ready["simulator"])
        config = settings.write(directory, providers, telemetry={"otlp_endpoint": endpoint, "sample_ratio": 1.0})
        router = processes.router(directory, config)
        with processes.running(processes.prober(directory, config), router):
            wait_until(lambda: bool(collector.named("probe alder")), within_s=10, what="a probe is traced")
            with Witness(simulator.ready["simulator"]) as witness, Client(router.ready["router"]) as client:
                yield Stack(client, witness, collector)
    finally:
        simulator.end()


@contextmanager
def calling() -> Iterator[trace.Span]:
    """The caller's own span, as its application would have one."""
    with TracerProvider().get_tracer("caller").start_as_current_span("caller") as span:
        yield span


def arrived(collector: Collector, name: str, caller: trace.Span, count: int = 1) -> list[Received]:
    """The spans of that name in the caller's trace, once there are so many."""
    trace_id = caller.get_span_context().trace_id.to_bytes(16)

    def found() -> list[Received]:
        return [s for s in collector.named(name) if s.span.trace_id == trace_id]

    wait_until(lambda: len(found()) >= count, within_s=10, what=f"{count} spans named {name}")
    return found()


def test_one_trace_over_caller_router_and_attempts(stack: Stack) -> None:
    stack.witness.break_provider("alder", "status=503")
    try:
        with calling() as caller:
            answer = stack.client.complete(CANARY, max_output_tokens=7)
    finally:
        stack.witness.mend()
    [served] = arrived(stack.collector, "signalbox.v1.Router/Complete", caller)
    attempts = arrived(stack.collector, "chat chat-small", caller, count=2)

    assert served.service == "signalbox-router"
    assert served.span.parent_span_id == caller.get_span_context().span_id.to_bytes(8)
    assert served.span.kind == trace_pb2.Span.SPAN_KIND_SERVER
    assert served.attributes["rpc.response.status_code"] == "OK"
    assert served.attributes["signalbox.request_id"] == answer.request_id
    assert {a.span.parent_span_id for a in attempts} == {served.span.span_id}
    failed, succeeded = sorted(attempts, key=lambda a: int(str(a.attributes["signalbox.attempt"])))
    assert (failed.attributes["gen_ai.provider.name"], failed.attributes["error.type"]) == ("alder", "UPSTREAM_5XX")
    assert failed.span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "birch",
        "gen_ai.request.model": "chat-small",
        "gen_ai.request.max_tokens": 7,
        "gen_ai.usage.input_tokens": answer.usage.input_tokens,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.response.finish_reasons": ("length",),
        "signalbox.cost_usd_nanos": answer.cost_usd_nanos,
    }
    assert {name: succeeded.attributes[name] for name in expected} == expected
    assert served.span.start_time_unix_nano <= failed.span.start_time_unix_nano
    assert succeeded.span.end_time_unix_nano <= served.span.end_time_unix_nano + 5_000_000


def test_the_request_links_to_the_probe_that_its_snapshot_rests_on(stack: Stack) -> None:
    def linked() -> list[tuple[bytes, bytes]]:
        with calling() as caller:
            stack.client.complete("hello")
        [served] = arrived(stack.collector, "signalbox.v1.Router/Complete", caller)
        return [(link.trace_id, link.span_id) for link in served.span.links]

    wait_until(lambda: bool(linked()), within_s=10, what="a link to a probe")
    [(trace_id, span_id)] = linked()
    probes = [s for s in stack.collector.spans if s.span.name.startswith("probe ")]
    wait_until(
        lambda: any(
            (p.span.trace_id, p.span.span_id) == (trace_id, span_id)
            for p in stack.collector.spans
            if p.span.name.startswith("probe ")
        ),
        within_s=5,
        what="the linked probe itself",
    )
    assert {p.service for p in probes} == {"signalbox-prober"}
    assert all(not p.span.parent_span_id for p in probes), "a probe is a trace of its own"


def test_a_stream_is_one_span_that_ends_with_it(stack: Stack) -> None:
    with calling() as caller:
        text = "".join(stack.client.stream("hello", max_output_tokens=5).text())
    [served] = arrived(stack.collector, "signalbox.v1.Router/StreamComplete", caller)
    [attempt] = arrived(stack.collector, "chat chat-small", caller)
    assert text
    assert served.attributes["rpc.response.status_code"] == "OK"
    assert [e.name for e in attempt.span.events] == ["first_token"]
    assert attempt.span.parent_span_id == served.span.span_id


def test_span_status_agrees_with_what_the_caller_saw(stack: Stack) -> None:
    with calling() as caller, pytest.raises(SignalboxError) as refused:
        stack.client.complete("hello", model="no-such-model")
    [served] = arrived(stack.collector, "signalbox.v1.Router/Complete", caller)
    assert served.attributes["rpc.response.status_code"] == refused.value.code.name == "NOT_FOUND"
    assert served.attributes["signalbox.outcome"] == refused.value.reason == "UNKNOWN_TARGET"


def test_request_that_is_refused_before_anything_is_decided_names_itself(stack: Stack) -> None:
    with calling() as caller, pytest.raises(SignalboxError) as refused:
        stack.client.complete("hello", max_output_tokens=-1)
    [served] = arrived(stack.collector, "signalbox.v1.Router/Complete", caller)
    assert served.attributes["signalbox.outcome"] == refused.value.reason == "INVALID_REQUEST"
    assert served.attributes["signalbox.request_id"] == refused.value.request_id
    assert served.attributes["signalbox.attempts"] == 0


def test_no_prompt_in_any_span(stack: Stack) -> None:
    assert stack.collector.spans
    assert not [s.span.name for s in stack.collector.spans if CANARY in str(s.span)]
