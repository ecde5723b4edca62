"""What a conversation holds besides plain text: tools and their results, forms of an answer, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from signalbox.v1.chat_pb2 import (
    ROLE_ASSISTANT,
    ROLE_TOOL,
    ROLE_USER,
    Image,
    Message,
    Part,
    ResponseFormat,
    Tool,
    ToolCall,
)
from signalbox.v1.router_pb2 import Delta

Schema = Mapping[str, object]
"""A JSON schema."""
Picture = bytes | str
"""The bytes of a picture, or its `https:` address, which the vendor fetches."""


def tool(name: str, description: str = "", parameters: Schema | None = None, *, strict: bool = False) -> Tool:
    """A tool that the model may ask for, with the schema of its arguments; without one it takes none."""
    written = "" if parameters is None else json.dumps(parameters)
    return Tool(name=name, description=description, parameters_json=written, strict=strict)


def arguments(call: ToolCall) -> dict[str, object]:
    """The arguments that the model gave. Raises ValueError where it wrote something else than a JSON object."""
    found = json.loads(call.arguments_json or "{}")
    if not isinstance(found, dict):
        raise ValueError(f"the arguments of {call.name} are no JSON object")  # noqa: TRY004 - it is text that is wrong
    return found


def result(call: ToolCall, content: str) -> Message:
    """The turn that gives the model what its call came to."""
    return Message(role=ROLE_TOOL, tool_call_id=call.id, content=content)


def following(schema: Schema, *, name: str = "", strict: bool = False) -> ResponseFormat:
    """The form of an answer that is a JSON object and follows the schema."""
    form = ResponseFormat.JsonSchema(name=name, schema_json=json.dumps(schema), strict=strict)
    return ResponseFormat(json_schema=form)


def showing(text: str, *pictures: Picture) -> Message:
    """A turn of the person or program that asks, with pictures to look at."""
    parts = [Part(text=text)] if text else []
    for picture in pictures:
        image = Image(data=picture) if isinstance(picture, bytes) else Image(uri=picture)
        parts.append(Part(image=image))
    return Message(role=ROLE_USER, parts=parts)


def put_together(deltas: Iterable[Delta]) -> Message:
    """The model's turn out of the pieces of a stream, as a unary answer has it, to be sent back as it is."""
    message, thought = Message(role=ROLE_ASSISTANT), ""
    for delta in deltas:
        message.content += delta.content
        thought += delta.reasoning
        if delta.HasField("reasoning_end"):
            message.reasoning.add().CopyFrom(delta.reasoning_end)
            message.reasoning[-1].text, thought = thought, ""
        for piece in delta.tool_call_deltas:
            while len(message.tool_calls) <= piece.index:
                message.tool_calls.add()
            call = message.tool_calls[piece.index]
            call.id += piece.id
            call.name += piece.name
            call.arguments_json += piece.arguments_json_fragment
            call.opaque_state += piece.opaque_state
    if thought:
        message.reasoning.add(text=thought)
    return message
