"""What the content of a request demands of whoever answers it, and whose words it brings back."""

from __future__ import annotations

from collections.abc import Iterator

from router_service.core.catalog import FORCED_TOOL_CHOICE, IMAGE_URI
from router_service.core.chat import Image, Message, OpaqueState, Prompt, ResponseKind, Role
from router_service.core.task import TaskType

NOTHING: frozenset[str] = frozenset()


def demanded(prompt: Prompt, task: TaskType | None) -> frozenset[str]:
    """The capabilities without which the content cannot be answered as it asks to be."""
    found = set(_of_tools(prompt))
    if task is TaskType.VISION:
        found.add("vision")
    for image in _images(prompt):
        found.update(("vision", IMAGE_URI) if image.uri else ("vision",))
    if prompt.response_format is not None and prompt.response_format.kind is not ResponseKind.TEXT:
        found.add(prompt.response_format.kind.value)
    return frozenset(found) if found else NOTHING


def origin(prompt: Prompt) -> str:
    """The id of the target that wrote the last opaque state among the messages; empty where there is none."""
    for message in reversed(prompt.messages):
        for state in _states(message):
            return state.origin
    return ""


def _of_tools(prompt: Prompt) -> Iterator[str]:
    """A conversation about calls that were made needs somebody who knows what a call is."""
    if prompt.tools or any(m.tool_calls or m.role is Role.TOOL for m in prompt.messages):
        yield "tools"
    if prompt.tool_choice is not None and prompt.tool_choice.is_forced:
        yield FORCED_TOOL_CHOICE


def _images(prompt: Prompt) -> Iterator[Image]:
    return (part.image for message in prompt.messages for part in message.parts if part.image is not None)


def _states(message: Message) -> Iterator[OpaqueState]:
    yield from (call.opaque_state for call in message.tool_calls if call.opaque_state is not None)
    yield from (block.opaque_state for block in message.reasoning if block.opaque_state is not None)
