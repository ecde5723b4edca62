"""The conversation in the OpenAI chat dialect: text, pictures, calls of tools, their results, and what is echoed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

import msgspec

from router_service.core.catalog import Target
from router_service.core.chat import Image, Message, Part, Reasoning, Role, ToolCall
from router_service.core.deviations import ToolCallIds
from router_service.providers.openai_shapes import NAME
from router_service.providers.openai_state import read_details, read_extra

SHORT_ID = 9
NO_THOUGHT = " "
"""The least that is taken as a turn's reasoning where each has to have one."""


def written(message: Message, target: Target) -> dict[str, object]:
    """One turn as the target is sent it."""
    turn: dict[str, object] = {"role": message.role.value, "content": _content(message)}
    if message.name:
        turn["name"] = message.name
    if message.role is Role.TOOL:
        turn["tool_call_id"] = _call_id(message.tool_call_id, target)
    elif message.role is Role.ASSISTANT:
        _add_what_it_did(turn, message, target)
    return turn


def _content(message: Message) -> str | list[object] | None:
    if any(part.image is not None for part in message.parts):
        return [_part(part) for part in message.parts]
    text = message.content or "".join(part.text for part in message.parts)
    return None if message.tool_calls and not text else text


def _part(part: Part) -> dict[str, object]:
    if part.image is None:
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": _address(part.image)}}


def _address(image: Image) -> str | msgspec.Raw:
    """Bytes go out as JSON without being made text before: a large picture would hold up everybody else for longer."""
    if image.uri:
        return image.uri
    beginning = msgspec.json.encode(f"data:{image.media_type};base64,").removesuffix(b'"')
    return msgspec.Raw(b'%b%b"' % (beginning, b64encode(image.data)))


def _add_what_it_did(turn: dict[str, object], message: Message, target: Target) -> None:
    if message.tool_calls:
        turn["tool_calls"] = [_call(call, target) for call in message.tool_calls]
    if target.provider.deviations.wants_reasoning_back:
        turn["reasoning_content"] = _thought(message.reasoning)
    if details := _details(message.reasoning, target):
        turn["reasoning_details"] = details


def _call(call: ToolCall, target: Target) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments_json or "{}"}
    written: dict[str, object] = {"id": _call_id(call.id, target), "type": "function", "function": function}
    state = call.opaque_state
    if state is not None and state.origin == target.id and (extra := read_extra(state.data)):
        written["extra_content"] = extra
    return written


def _call_id(id: str, target: Target) -> str:
    """As it is, or made into one that the provider takes, the same for a call and its result."""
    if target.provider.deviations.tool_call_ids is ToolCallIds.ANY:
        return id
    is_short = len(id) == SHORT_ID and id.isascii() and id.isalnum()
    return id if is_short else sha256(id.encode()).hexdigest()[:SHORT_ID]


def _thought(blocks: Iterable[Reasoning]) -> str:
    return "".join([block.text for block in blocks if block.dialect == NAME]) or NO_THOUGHT


def _details(blocks: Iterable[Reasoning], target: Target) -> list[object]:
    states = [b.opaque_state for b in blocks if b.opaque_state is not None and b.opaque_state.origin == target.id]
    return [detail for state in states for detail in read_details(state.data)]
