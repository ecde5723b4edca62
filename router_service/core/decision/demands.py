"""What the content of a request demands of whoever answers it, and whose words it brings back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router_service.core.catalog import ASSISTANT_PREFILL, FORCED_TOOL_CHOICE, IMAGE_URI
from router_service.core.chat import Message, OpaqueState, Part, Prompt, ResponseKind, Role
from router_service.core.task import TaskType

NOTHING: frozenset[str] = frozenset()


def demanded(prompt: Prompt, task: TaskType | None) -> frozenset[str]:
    """The capabilities without which the content cannot be answered as it asks to be."""
    found: list[str] = []
    if task is TaskType.VISION:
        found.append("vision")
    if prompt.tools:
        found.append("tools")
    if prompt.tool_choice is not None and prompt.tool_choice.is_forced:
        found.append(FORCED_TOOL_CHOICE)
    if prompt.response_format is not None and prompt.response_format.kind is not ResponseKind.TEXT:
        found.append(prompt.response_format.kind.value)
    if prompt.messages and _is_begun_answer(prompt.messages[-1]):
        found.append(ASSISTANT_PREFILL)
    for message in prompt.messages:
        if message.parts:
            found += _of_parts(message.parts)
        if message.tool_calls or message.role is Role.TOOL:
            found.append("tools")  # about calls only those can talk who know what a call is
    return frozenset(found) if found else NOTHING


def origin(prompt: Prompt) -> str:
    """The id of the target that wrote the last opaque state among the messages; empty where there is none."""
    for message in reversed(prompt.messages):
        if message.tool_calls or message.reasoning:
            for state in _states(message):
                return state.origin
    return ""


def _is_begun_answer(last: Message) -> bool:
    return last.role is Role.ASSISTANT and not last.tool_calls


def _of_parts(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if part.image is not None:
            yield "vision"
            if part.image.uri:
                yield IMAGE_URI


def _states(message: Message) -> Iterator[OpaqueState]:
    yield from (call.opaque_state for call in message.tool_calls if call.opaque_state is not None)
    yield from (block.opaque_state for block in message.reasoning if block.opaque_state is not None)
