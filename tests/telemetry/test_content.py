"""What was asked and answered: on the spans where an operator asked for it, cut to a bound, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from signalbox_client import Client, SignalboxError

from router_service.core.chat import Delta, Image, Message, Part, Prompt, Reasoning, Role, Tool, ToolCall, ToolCallDelta
from router_service.telemetry.content import CUT, MAX_CHARACTERS, Heard, answer, question
from tests.harness import processes, settings
from tests.harness.collector import Collector, Received, collecting
from tests.harness.processes import Process, wait_until
from tests.harness.witness import Witness

CANARY = "canary-prompt-9914"
Parts = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Stack:
    client: Client
    witness: Witness
    collector: Collector
    router: Process

    def attempts(self, request_id: str, count: int) -> list[Received]:
        """The spans of a request's attempts, once there are so many."""

        def found() -> list[Received]:
            traces = {
                s.span.trace_id for s in self.collector.spans if s.attributes.get("signalbox.request_id") == request_id
            }
            return [s for s in self.collector.named("chat chat-small") if s.span.trace_id in traces]

        wait_until(lambda: len(found()) >= count, within_s=10, what="the attempts' spans arrive")
        return sorted(found(), key=lambda s: int(str(s.attributes["signalbox.attempt"])))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with processes.short_directory() as directory, collecting() as (collector, endpoint):
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            providers = settings.simulated(simulator.ready["simulator"], ("alder", "birch"))
            telemetry = {"otlp_endpoint": endpoint, "sample_ratio": 1.0, "content": True}
            config = settings.write(directory, providers, telemetry=telemetry)
            router = processes.router(directory, config)
            with (
                processes.running(router),
                Witness(simulator.ready["simulator"]) as witness,
                Client(router.ready["router"]) as client,
            ):
                yield Stack(client, witness, collector, router)


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").witness.mend()


def told(span: Received, attribute: str) -> Parts:
    """The parts of the one message in an attribute."""
    [message] = json.loads(str(span.attributes[attribute]))
    parts: Parts = message["parts"]
    return parts


def text(parts: Parts) -> str:
    return "".join(part["content"] for part in parts if part["type"] == "text")


def test_a_whole_answer_is_on_the_span_of_the_attempt_that_gave_it(stack: Stack) -> None:
    stack.witness.break_provider("alder", "status=503")
    given = stack.client.complete(CANARY)
    failed, good = stack.attempts(given.request_id, 2)
    assert text(told(failed, "gen_ai.input.messages")) == text(told(good, "gen_ai.input.messages")) == CANARY
    assert text(told(good, "gen_ai.output.messages")) == given.message.content
    assert "gen_ai.output.messages" not in failed.attributes


def test_a_stream_is_put_together_again(stack: Stack) -> None:
    stream = stack.client.stream(CANARY)
    heard = "".join(stream.text())
    assert stream.done is not None
    [attempt] = stack.attempts(stream.done.response.request_id, 1)
    assert text(told(attempt, "gen_ai.output.messages")) == heard


def test_a_stream_that_broke_shows_what_came_of_it(stack: Stack) -> None:
    stack.witness.break_provider("alder", "reset-after=4")
    stream = stack.client.stream(CANARY, model="alder/chat-small")
    heard = ""
    with pytest.raises(SignalboxError) as broken:
        for piece in stream.text():
            heard += piece
    [attempt] = stack.attempts(broken.value.request_id, 1)
    assert heard
    assert text(told(attempt, "gen_ai.output.messages")).startswith(heard)


def test_neither_the_log_nor_a_metric_has_it(stack: Stack) -> None:
    request_id = stack.client.complete(CANARY).request_id
    wait_until(lambda: request_id in stack.router.stderr(), within_s=5, what="the request's line is written")
    page = httpx.get(f"http://{stack.router.ready['metrics']}/metrics", timeout=5, trust_env=False).text
    assert CANARY not in stack.router.stderr()
    assert CANARY not in page


def test_every_kind_of_part_is_told() -> None:
    thought = Reasoning(text="hm", dialect="openai")
    call = ToolCall(id="c1", name="now", arguments_json='{"tz":1}')
    prompt = Prompt(
        messages=(
            Message(role=Role.SYSTEM, content="be kind"),
            Message(
                role=Role.USER, parts=(Part(text="see"), Part(image=Image(data=b"secret", media_type="image/png")))
            ),
            Message(role=Role.ASSISTANT, reasoning=(thought,), tool_calls=(call,)),
            Message(role=Role.TOOL, content="noon", tool_call_id="c1"),
        ),
        tools=(Tool(name="now", description="tells the time"),),
    )
    attributes = question(prompt)
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "see"},
                {"type": "blob", "modality": "image", "mime_type": "image/png"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "now", "arguments": '{"tz":1}'},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "noon"}]},
    ]
    assert json.loads(attributes["gen_ai.tool.definitions"]) == [
        {"type": "function", "name": "now", "description": "tells the time"}
    ]


def test_a_streams_tool_calls_are_put_together_by_index() -> None:
    heard = Heard()
    heard.add(Delta(tool_calls=(ToolCallDelta(index=0, id="c1", name="now", arguments_json_fragment='{"a"'),)))
    heard.add(Delta(tool_calls=(ToolCallDelta(index=1, id="c2", name="then"),)))
    heard.add(Delta(tool_calls=(ToolCallDelta(index=0, arguments_json_fragment=":1}"),)))
    [message] = json.loads(answer(None, heard, "tool_calls")["gen_ai.output.messages"])
    assert message == {
        "role": "assistant",
        "parts": [
            {"type": "tool_call", "id": "c1", "name": "now", "arguments": '{"a":1}'},
            {"type": "tool_call", "id": "c2", "name": "then", "arguments": ""},
        ],
        "finish_reason": "tool_calls",
    }


def test_long_texts_are_cut_the_oldest_first() -> None:
    old, new = (Message(role=Role.USER, content=letter * MAX_CHARACTERS) for letter in "on")
    messages = json.loads(question(Prompt(messages=(old, new)))["gen_ai.input.messages"])
    assert [message["parts"][0]["content"] for message in messages] == [CUT, "n" * MAX_CHARACTERS]


def test_a_long_stream_is_not_kept_beyond_what_is_shown() -> None:
    heard = Heard()
    for _ in range(1000):
        heard.add(Delta("x" * 1000))
    assert sum(len(delta.content) for delta in heard.deltas) <= MAX_CHARACTERS + 1000
    [message] = json.loads(answer(None, heard, "stop")["gen_ai.output.messages"])
    assert message["parts"] == [{"type": "text", "content": "x" * MAX_CHARACTERS + CUT}]


def test_nothing_said_is_no_attribute() -> None:
    assert answer(None, None, "error") == {}
    assert answer(None, Heard(), "error") == {}
