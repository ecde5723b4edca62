"""What the OpenAI dialect sends: the address, the headers, and only the fields that a caller set."""

from __future__ import annotations

import json

import pytest

from router_service.core.chat import Generation, Message, Part, Prompt, Role
from router_service.core.deviations import Deviations, OutputLimitField, SeedField
from router_service.providers.dialect import HttpCall
from router_service.providers.openai import OpenAIDialect
from tests.core.examples import KEY, prompt, target


def encoded(asked: Prompt, *, is_stream: bool = False, key: str = "") -> HttpCall:
    groq = target("groq/openai/gpt-oss-120b", key=key, base_url="https://api.example/openai/v1")
    return OpenAIDialect().encode(asked, groq, attempt_id="req-1.2", is_stream=is_stream)


def body(asked: Prompt, *, is_stream: bool = False) -> dict[str, object]:
    decoded = json.loads(encoded(asked, is_stream=is_stream).body)
    assert isinstance(decoded, dict)
    return decoded


def test_call() -> None:
    call = encoded(prompt(), key=KEY)
    assert (call.method, call.url) == ("POST", "https://api.example/openai/v1/chat/completions")
    assert call.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "x-request-id": "req-1.2",
        "authorization": f"Bearer {KEY}",
    }


def test_stream_asks_for_events_and_for_usage() -> None:
    call = encoded(prompt(), is_stream=True)
    assert call.headers["accept"] == "text/event-stream"
    assert json.loads(call.body)["stream"] is True
    assert json.loads(call.body)["stream_options"] == {"include_usage": True}


def test_without_a_key_there_is_no_credential() -> None:
    assert "authorization" not in encoded(prompt()).headers


def test_least_request_has_a_model_and_messages_and_nothing_else() -> None:
    assert body(prompt("Hello")) == {
        "model": "openai/gpt-oss-120b",
        "messages": [{"role": "user", "content": "Hello"}],
    }


@pytest.mark.parametrize(
    ("generation", "fields"),
    [
        (Generation(), {}),
        (Generation(max_output_tokens=1), {"max_completion_tokens": 1}),
        (Generation(temperature=0.0), {"temperature": 0.0}),
        (Generation(top_p=0.0), {"top_p": 0.0}),
        (Generation(seed=0), {"seed": 0}),
        (Generation(seed=-(2**63)), {"seed": -(2**63)}),
        (Generation(stop=("END", "\n")), {"stop": ["END", "\n"]}),
        (
            Generation(frequency_penalty=0.0, presence_penalty=-2.0),
            {"frequency_penalty": 0.0, "presence_penalty": -2.0},
        ),
        (Generation(reasoning_effort="low"), {"reasoning_effort": "low"}),
    ],
)
def test_generation_sends_what_is_set_zero_included(generation: Generation, fields: dict[str, object]) -> None:
    sent = body(prompt(generation=generation))
    assert {k: v for k, v in sent.items() if k not in ("model", "messages")} == fields


ASKED = prompt(generation=Generation(max_output_tokens=7, seed=3))


@pytest.mark.parametrize(
    ("deviations", "fields"),
    [
        (Deviations(), {"max_completion_tokens": 7, "seed": 3, "stream_options": {"include_usage": True}}),
        (
            Deviations(output_limit_field=OutputLimitField.MAX_TOKENS, seed_field=SeedField.NONE),
            {"max_tokens": 7, "stream_options": {"include_usage": True}},
        ),
        (
            Deviations(output_limit_field=OutputLimitField.BOTH, asks_for_stream_usage=False),
            {"max_completion_tokens": 7, "max_tokens": 7, "seed": 3},
        ),
        (
            Deviations(
                output_limit_field=OutputLimitField.MAX_TOKENS,
                seed_field=SeedField.RANDOM_SEED,
                asks_for_stream_usage=False,
            ),
            {"max_tokens": 7, "random_seed": 3},
        ),
    ],
)
def test_each_provider_is_written_to_in_its_own_spelling(deviations: Deviations, fields: dict[str, object]) -> None:
    asked = target("mistral/small", deviations=deviations)
    call = OpenAIDialect().encode(ASKED, asked, attempt_id="req-1.2", is_stream=True)
    sent = json.loads(call.body)
    assert {k: v for k, v in sent.items() if k not in ("model", "messages", "stream")} == fields
    assert sent["stream"] is True
    whole = json.loads(OpenAIDialect().encode(ASKED, asked, attempt_id="req-1.2", is_stream=False).body)
    assert whole.keys() & {"stream", "stream_options"} == set()


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (Message(role=Role.SYSTEM, content="Brief."), {"role": "system", "content": "Brief."}),
        (Message(role=Role.ASSISTANT, content="Hi"), {"role": "assistant", "content": "Hi"}),
        (Message(role=Role.USER, content="a", name="ann"), {"role": "user", "content": "a", "name": "ann"}),
        (Message(role=Role.USER, parts=(Part(text="a"), Part(text="b"))), {"role": "user", "content": "ab"}),
        (
            Message(role=Role.TOOL, content="12:00", tool_call_id="call_1"),
            {"role": "tool", "content": "12:00", "tool_call_id": "call_1"},
        ),
    ],
)
def test_messages(message: Message, written: dict[str, str]) -> None:
    assert body(Prompt(messages=(message,)))["messages"] == [written]


def test_text_survives_as_it_is() -> None:
    text = 'quotes " and \\, control \x00 \n, lines \u2028 \u0085, beyond 🦊'
    sent = body(prompt(text))["messages"]
    assert sent == [{"role": "user", "content": text}]
