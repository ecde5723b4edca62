"""The vocabulary of a chat, as far as it does something."""

from __future__ import annotations

import dataclasses

import pytest

from router_service.core import chat
from router_service.core.chat import (
    FRAME_BYTES,
    Delta,
    Image,
    Message,
    OpaqueState,
    Part,
    Prompt,
    Reasoning,
    Role,
    ToolCall,
    ToolCallDelta,
)


def test_prompt_counts_the_characters_of_content_and_parts() -> None:
    parts = (Part(text="één"), Part(image=Image(data=b"12345")), Part(text="!"))
    prompt = Prompt(messages=(Message(role=Role.SYSTEM, content="Brief."), Message(role=Role.USER, parts=parts)))
    assert prompt.characters() == 6 + 3 + 1


def test_a_message_is_as_large_as_its_texts_and_states() -> None:
    state = OpaqueState(origin="a/m", data=b"12345")
    calls = (ToolCall(id="1", name="f", arguments_json="{}", opaque_state=state),)
    thoughts = (Reasoning(text="\u00e9", dialect="openai", model="m"),)
    message = Message(role=Role.ASSISTANT, content="\U0001f98a", tool_calls=calls, reasoning=thoughts)
    assert message.size_bytes() == 4 + (1 + 1 + 2) + (3 + 5) + (2 + 1) + 2 * FRAME_BYTES


@pytest.mark.parametrize(
    ("delta", "says_something"),
    [
        (Delta(), False),
        (Delta("a"), True),
        (Delta("", "because"), True),
        (Delta(tool_calls=(ToolCallDelta(index=0),)), True),
    ],
)
def test_delta_is_true_when_it_says_something(delta: Delta, *, says_something: bool) -> None:
    assert bool(delta) is says_something


VALUES = [v for v in vars(chat).values() if dataclasses.is_dataclass(v) and isinstance(v, type)]


@pytest.mark.parametrize("value", VALUES)
def test_values_are_frozen_and_slotted(value: type) -> None:
    assert hasattr(value, "__slots__")
    assert value.__dataclass_params__.frozen  # type: ignore[attr-defined]
