"""Providers that this project did not write: aimock (npm) and llmock (PyPI), with their answers and their faults."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import chat_pb2, router_pb2, router_pb2_grpc
from signalbox_client import put_together

from tests.harness import processes, settings
from tests.harness.processes import SLOWER_IN_CI, free_port, wait_until
from tests.harness.stack import asking, refused, streaming
from tests.harness.tools import tool

GREETING = "Hello from a fixture: naïve café, 東京, and a line\nbreak."
FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "greet"}, "response": {"content": GREETING}},
        {
            "match": {"userMessage": "both tools"},
            "response": {
                "toolCalls": [
                    {"name": "weather", "arguments": '{"city":"東京"}', "id": "call_w"},
                    {"name": "news", "arguments": "{}"},
                ]
            },
        },
        {"match": {"userMessage": "ponder"}, "response": {"content": GREETING, "reasoning": "First the café."}},
        {"match": {"userMessage": "truncate"}, "response": {"content": GREETING * 5}, "truncateAfterChunks": 3},
        {
            "match": {"userMessage": "limit"},
            "response": {"error": {"message": "Rate limited", "type": "rate_limit_error"}, "status": 429},
        },
        {
            "match": {"userMessage": "too long"},
            "response": {
                "error": {"message": "no", "type": "invalid_request_error", "code": "context_length_exceeded"},
                "status": 400,
            },
        },
    ]
}
PATIENT = {"down_after": 1000, "degraded_failures": 1000, "healthy_ratio": 0.0}


@contextmanager
def serving(command: Sequence[str], health_url: str) -> Iterator[None]:
    """A foreign server for as long as the block lasts."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, f"{command[0]} ended"
        try:
            with urllib.request.urlopen(health_url, timeout=1):
                return True
        except OSError:
            return False

    try:
        wait_until(answers, within_s=15 * SLOWER_IN_CI, what=f"{command[0]} serves")
        yield
    finally:
        process.kill()
        process.wait(5)


@contextmanager
def router_on(directory: Path, base_url: str, model: str) -> Iterator[router_pb2_grpc.RouterStub]:
    """A router whose first provider is the foreign one and whose second is our simulator."""
    simulator = processes.simulator(directory)
    with processes.running(simulator):
        foreign = settings.provider("foreign", base_url, prices=(0.01, 0.02))
        foreign["models"] = [{**settings.small((0.01, 0.02), settings.ABLE), "id": model}]
        providers = [foreign, *settings.simulated(simulator.ready["simulator"], ("alder",))]
        config = settings.write(directory, providers, health=PATIENT)
        router = processes.router(directory, config)
        with processes.running(router), grpc.insecure_channel(router.ready["router"]) as channel:
            yield router_pb2_grpc.RouterStub(channel)


@pytest.fixture(scope="module")
def aimock() -> Iterator[tuple[router_pb2_grpc.RouterStub, str]]:
    program = tool("aimock")
    port = free_port()
    with processes.short_directory() as directory:
        fixtures = directory / "fixtures.json"
        fixtures.write_text(json.dumps(FIXTURES))
        # The package's binaries differ: the flags are those of dist/cli.js, which it installs under the name llmock.
        cli = str(Path(program).resolve().parent / "cli.js")
        command = ["node", cli, "-p", str(port), "-f", str(fixtures), "--latency", "10"]
        url = f"http://127.0.0.1:{port}"
        with serving(command, f"{url}/v1/models"), router_on(directory, f"{url}/v1", "gpt-4o") as stub:
            yield stub, url


@contextmanager
def chaos(url: str, **rates: float) -> Iterator[None]:
    """aimock's own faults, at the rates given, for as long as the block lasts."""

    def send(method: str, body: bytes | None = None) -> None:
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{url}/__aimock/chaos", method=method, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=5):
            pass

    send("POST", json.dumps(rates).encode())
    try:
        yield
    finally:
        send("DELETE")


def test_aimock_unary(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    answer = aimock[0].Complete(asking("greet"), timeout=10)
    assert answer.target == "foreign/gpt-4o"
    assert answer.message.content == GREETING
    assert answer.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert answer.usage.output_tokens > 0
    assert not answer.usage.estimated


def test_aimock_streamed(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    events = list(aimock[0].StreamComplete(streaming("greet"), timeout=10))
    assert "".join(e.delta.content for e in events) == GREETING
    assert events[-1].done.response.finish_reason == chat_pb2.FINISH_REASON_STOP
    assert events[-1].done.response.usage.output_tokens > 0


def with_tools(content: str) -> router_pb2.CompleteRequest:
    request = asking(content)
    for name in ("weather", "news"):
        request.tools.add(name=name, parameters_json='{"type":"object"}')
    return request


def test_aimock_calls_tools_in_both_forms(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    request = with_tools("ask both tools")
    whole = aimock[0].Complete(request, timeout=10)
    assert whole.target == "foreign/gpt-4o"
    assert [(c.name, c.arguments_json) for c in whole.message.tool_calls] == [
        ("weather", '{"city":"東京"}'),
        ("news", "{}"),
    ]
    assert whole.message.tool_calls[0].id == "call_w"
    assert whole.finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS
    events = list(aimock[0].StreamComplete(router_pb2.StreamCompleteRequest(request=request), timeout=10))
    streamed = put_together(e.delta for e in events)
    assert [(c.name, c.arguments_json) for c in streamed.tool_calls] == [
        (c.name, c.arguments_json) for c in whole.message.tool_calls
    ]
    assert events[-1].done.response.finish_reason == chat_pb2.FINISH_REASON_TOOL_CALLS


def test_aimock_reasons_in_both_forms(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    whole = aimock[0].Complete(asking("ponder"), timeout=10).message
    events = aimock[0].StreamComplete(streaming("ponder"), timeout=10)
    assert put_together(e.delta for e in events) == whole
    assert (whole.content, whole.reasoning[0].text) == (GREETING, "First the café.")


def test_aimock_cuts_a_stream(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    received = ""
    with pytest.raises(grpc.RpcError) as error:
        for event in aimock[0].StreamComplete(streaming("truncate"), timeout=10):
            received += event.delta.content
    assert refused(error.value).info.reason == "STREAM_INTERRUPTED"
    assert received
    assert (GREETING * 5).startswith(received)


@pytest.mark.parametrize(
    ("rates", "reasons"),
    [
        ({"dropRate": 1}, {"UPSTREAM_5XX"}),
        ({"malformedRate": 1}, {"UPSTREAM_BAD_RESPONSE"}),
        ({"disconnectRate": 1}, {"UPSTREAM_CONNECT"}),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_aimocks_chaos_is_failed_over(
    aimock: tuple[router_pb2_grpc.RouterStub, str], rates: dict[str, float], reasons: set[str], is_stream: bool
) -> None:
    stub, url = aimock
    with chaos(url, **rates):
        if is_stream:
            answer = list(stub.StreamComplete(streaming("greet"), timeout=10))[-1].done.response
        else:
            answer = stub.Complete(asking("greet"), timeout=10)
    assert answer.target == "alder/chat-small"
    assert {a.error_reason for a in answer.attempts[:-1]} == reasons


def test_aimocks_context_error_is_the_callers(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    with pytest.raises(grpc.RpcError) as error:
        aimock[0].Complete(asking("too long"), timeout=10)
    assert refused(error.value).info.reason == "CONTEXT_TOO_LONG"


def is_first_choice(stub: router_pb2_grpc.RouterStub) -> bool:
    answer: router_pb2.CompleteResponse = stub.Complete(asking("greet"), timeout=10)
    return answer.target != "alder/chat-small"


def test_aimocks_rate_limit_is_failed_over_and_left_alone(aimock: tuple[router_pb2_grpc.RouterStub, str]) -> None:
    """Last of its kind: it blocks the provider for a while. What it suffered before has to be forgotten first."""
    wait_until(lambda: is_first_choice(aimock[0]), within_s=15 * SLOWER_IN_CI, what="aimock is asked first again")
    answer = aimock[0].Complete(asking("limit"), timeout=10)
    assert [a.error_reason for a in answer.attempts] == ["PROVIDERS_RATE_LIMITED", ""]
    assert [a.target for a in aimock[0].Complete(asking("greet"), timeout=10).attempts] == ["alder/chat-small"]


LLMOCK = str(Path(sys.executable).with_name("llmock"))


@contextmanager
def llmock(*flags: str) -> Iterator[router_pb2_grpc.RouterStub]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [LLMOCK, "serve", "--port", str(port), "--host", "127.0.0.1", "--log-level", "error", *flags]
    with (
        processes.short_directory() as directory,
        serving(command, f"{url}/health"),
        router_on(directory, f"{url}/v1", "gpt-4o") as stub,
    ):
        yield stub


def test_llmock_unary_and_streamed() -> None:
    with llmock("--response-style", "echo") as stub:
        answer = stub.Complete(asking("say this back"), timeout=10)
        events = list(stub.StreamComplete(streaming("say this back"), timeout=10))
    assert answer.target == events[0].started.target == "foreign/gpt-4o"
    assert "say this back" in answer.message.content
    assert "".join(e.delta.content for e in events).strip() == answer.message.content.strip()
    assert events[-1].done.response.usage.output_tokens == answer.usage.output_tokens > 0


@pytest.mark.parametrize(
    ("fault", "reason"), [("503", "UPSTREAM_5XX"), ("500", "UPSTREAM_5XX"), ("401", "UPSTREAM_CREDENTIALS")]
)
def test_llmocks_errors_are_failed_over(fault: str, reason: str) -> None:
    with llmock("--error-rate", f"{fault}=1.0") as stub:
        answer = stub.Complete(asking(), timeout=10)
    assert [(a.target, a.error_reason) for a in answer.attempts] == [
        ("foreign/gpt-4o", reason),
        ("alder/chat-small", ""),
    ]


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "malformed"])
def test_llmocks_broken_streams_never_look_whole(fault: str) -> None:
    with llmock("--stream-fault", f"{fault}=1.0") as stub:
        for _ in range(3):
            events = []
            try:
                for event in stub.StreamComplete(streaming("tell me something"), timeout=10):
                    events.append(event)
            except grpc.RpcError as error:
                assert refused(error).info.reason == "STREAM_INTERRUPTED"
                assert events[-1].WhichOneof("event") == "delta"
            else:
                assert events[-1].done.response.target == "alder/chat-small", "nothing was delivered before the cut"
