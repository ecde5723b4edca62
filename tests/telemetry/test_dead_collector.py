"""A collector that is dead, slow or hangs: callers notice nothing, memory stays bounded, the end is in time."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from signalbox.v1 import router_pb2, router_pb2_grpc

from router_service.telemetry.tracing import MOST_WAITING_WITH_CONTENT, SHUTDOWN_S
from tests.harness import processes, settings
from tests.harness.metrics import scraped
from tests.harness.processes import SLOWER_IN_CI, Process, wait_until
from tests.harness.stack import asking

OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "100"}
PROMPT = "x" * 4_000
CALLS = 5 * MOST_WAITING_WITH_CONTENT // 4
"""Each makes two spans: more than may wait besides those that are being sent."""
SLOWEST_S = 1.0 * SLOWER_IN_CI
MOST_GROWTH_BYTES = 48 * 1024 * 1024


class Unwilling(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """Answers an export after a while, or with an error."""

    def __init__(self, code: grpc.StatusCode | None) -> None:
        self.is_over = threading.Event()
        self._code = code

    def Export(self, _request: object, context: grpc.ServicerContext) -> trace_service_pb2.ExportTraceServiceResponse:
        if self._code is None:
            self.is_over.wait(60)
        else:
            context.abort(self._code, "not today")
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def serving(code: grpc.StatusCode | None) -> Iterator[str]:
    unwilling = Unwilling(code)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(unwilling, server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(unwilling, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        unwilling.is_over.set()
        server.stop(None).wait()


@contextmanager
def closing() -> Iterator[str]:
    """Takes connections and closes each at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextmanager
def deaf(*, listens: bool) -> Iterator[str]:
    """Takes connections and says nothing, or does not even listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        if listens:
            bound.listen()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


COLLECTORS: Mapping[str, Callable[[], AbstractContextManager[str]]] = {
    "dead": lambda: deaf(listens=False),
    "silent": lambda: deaf(listens=True),
    "closing": closing,
    "slow": lambda: serving(None),
    "refusing": lambda: serving(grpc.StatusCode.UNIMPLEMENTED),
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Process]:
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            yield simulator


@pytest.fixture
def directory() -> Iterator[Path]:
    with processes.short_directory() as directory:
        yield directory


def resident_bytes(process: Process) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096


def longest_s(stub: router_pb2_grpc.RouterStub, calls: int) -> float:
    """The slowest of so many calls, eight at a time; each of them has to be answered."""

    def ask(_number: int) -> float:
        began = time.monotonic()
        answer: router_pb2.CompleteResponse = stub.Complete(asking(PROMPT, max_output_tokens=8), timeout=20)
        assert answer.usage.output_tokens == 8
        return time.monotonic() - began

    with futures.ThreadPoolExecutor(8) as callers:
        return max(callers.map(ask, range(calls)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", COLLECTORS)
def test_nobody_but_the_figures_notices(kind: str, simulator: Process, directory: Path) -> None:
    with COLLECTORS[kind]() as endpoint:
        telemetry = {"otlp_endpoint": endpoint, "sample_ratio": 1, "content": True}
        providers = settings.simulated(simulator.ready["simulator"], ("alder",))
        config = settings.write(directory, providers, telemetry=telemetry, server={"drain_s": 1, "lame_duck_s": 0})
        router = processes.router(directory, config, environment=OFTEN)
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            stub = router_pb2_grpc.RouterStub(channel)
            longest_s(stub, 50)
            before = resident_bytes(router)
            slowest_s = longest_s(stub, CALLS)
            growth = resident_bytes(router) - before
            metrics = router.ready["metrics"]
            wait_until(
                lambda: scraped(metrics).value("signalbox_telemetry_spans_lost_total") > 0,
                within_s=20,
                what="lost spans are counted",
            )
            began = time.monotonic()
            router.signal(signal.SIGTERM)
            assert router.wait(within_s=20) == 0
            ended_s = time.monotonic() - began
        said = router.stderr()
    assert slowest_s < SLOWEST_S
    assert growth < MOST_GROWTH_BYTES
    assert ended_s < SHUTDOWN_S + 2 * SLOWER_IN_CI
    assert said.count("spans to the collector: lost") <= 1
    assert said.count("metrics to the collector: lost") <= 1
    assert "Traceback" not in said
    assert "opentelemetry" not in said
