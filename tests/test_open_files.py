"""A router that may open no more connections: that is its own trouble, and no provider is left for it."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor

import grpc
from signalbox.v1 import chat_pb2

from router_service.rpc.process import MOST_OPEN_FILES
from tests.harness import processes, settings
from tests.harness.processes import Process, running, short_directory, wait_until
from tests.harness.shortage import short_of_files
from tests.harness.stack import Refused, Stack, asking, refused, routing

CALLS = 8
LOW = 256


def test_want_of_open_files_is_not_the_providers_fault() -> None:
    with routing() as stack:
        grpc.channel_ready_future(stack.channel).result(10)
        with short_of_files(stack.router.pid), ThreadPoolExecutor(CALLS) as pool:
            refusals = list(pool.map(lambda _: complete(stack), range(CALLS)))
        for refusal in refusals:
            assert refusal is not None
            assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.UNAVAILABLE, "UPSTREAM_CONNECT")
            assert "as many files and connections open as it may" in refusal.message
            assert (refusal.facts["maybe_billed"], refusal.facts["stage"]) == ("false", "connect")
        assert not stack.witness.rows()
        response = stack.stub.Complete(asking(), timeout=10)
        assert response.target == "alder/chat-small"
        assert [a.outcome for a in response.attempts] == [chat_pb2.OUTCOME_OK]


def test_limit_of_open_files_is_raised_as_far_as_the_system_allows() -> None:
    with short_directory() as directory:
        simulator = started_low(processes.simulator(directory))
        with running(simulator):
            config = settings.write(directory, settings.simulated(simulator.ready["simulator"]))
            router = started_low(processes.router(directory, config))
            with running(router):
                for process in (simulator, router):
                    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
                    assert soft == min(hard, MOST_OPEN_FILES) > LOW
                wait_until(
                    lambda: f"up to {soft} files" in router.stderr(), within_s=5, what="the router does not say so"
                )


def started_low(process: Process) -> Process:
    """The same process under the limit that a shell gives as a rule, or a lower one."""
    process.command = ["/bin/sh", "-c", f'ulimit -S -n {LOW}; exec "$@"', "sh", *process.command]
    return process


def complete(stack: Stack) -> Refused | None:
    """One call; how it was refused, None where it was answered."""
    try:
        stack.stub.Complete(asking(), timeout=10)
    except grpc.RpcError as error:
        return refused(error)
    return None
