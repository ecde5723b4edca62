"""What a model has to be able to do, from the wire: the tools that it may ask for, and the form of its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from signalbox.v1 import chat_pb2

from router_service.core.chat import ResponseFormat, ResponseKind, Tool, ToolChoice, ToolChoiceMode
from router_service.edge.complaints import Complaints

MAX_TOOLS = 128
MAX_TOOL_NAME = 128
MAX_SCHEMA_CHARACTERS = 1_000_000
SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{0,64}")
MODES = {
    chat_pb2.TOOL_CHOICE_MODE_UNSPECIFIED: ToolChoiceMode.AUTO,
    chat_pb2.TOOL_CHOICE_MODE_AUTO: ToolChoiceMode.AUTO,
    chat_pb2.TOOL_CHOICE_MODE_NONE: ToolChoiceMode.NONE,
    chat_pb2.TOOL_CHOICE_MODE_REQUIRED: ToolChoiceMode.REQUIRED,
}


def tools(pbs: Sequence[chat_pb2.Tool], complaints: Complaints, *, max_bytes: int) -> tuple[Tool, ...]:
    """The tools, which hold at most `max_bytes` of text together; none after a complaint about their number or size."""
    if len(pbs) > MAX_TOOLS:
        complaints.add("tools", f"holds {len(pbs)} tools; at most {MAX_TOOLS}")
        return ()
    if (size := sum([pb.ByteSize() for pb in pbs])) > max_bytes:
        complaints.add("tools", f"hold {size} bytes; at most {max_bytes}")
        return ()
    found = tuple([_tool(pb, f"tools[{i}]", complaints) for i, pb in enumerate(pbs)])
    if len({tool.name for tool in found}) < len(found):
        complaints.add("tools", "must each have a name of its own")
    return found


def tool_choice(pb: chat_pb2.ToolChoice, among: Sequence[chat_pb2.Tool], complaints: Complaints) -> ToolChoice | None:
    """Whether and which of the tools has to be called; None where that is left to the model anyway."""
    match pb.WhichOneof("choice"):
        case "name":
            if pb.name not in [tool.name for tool in among[: MAX_TOOLS + 1]]:
                complaints.add("tool_choice.name", "must be the name of one of the tools")
            return ToolChoice(mode=ToolChoiceMode.NAMED, name=pb.name)
        case "mode":
            mode = MODES.get(pb.mode)
            if mode is None:
                complaints.add("tool_choice.mode", f"{pb.mode} is no value of ToolChoiceMode")
            elif mode is ToolChoiceMode.REQUIRED and not among:
                complaints.add("tool_choice.mode", "demands a tool call, and there are no tools")
            return ToolChoice(mode=mode or ToolChoiceMode.AUTO)
        case _:
            complaints.add("tool_choice", "must be a mode or the name of a tool, or unset")
    return None


def response_format(pb: chat_pb2.ResponseFormat, complaints: Complaints) -> ResponseFormat:
    match pb.WhichOneof("format"):
        case "json_object":
            return ResponseFormat(kind=ResponseKind.JSON_OBJECT)
        case "json_schema":
            schema = pb.json_schema
            if len(schema.schema_json) > MAX_SCHEMA_CHARACTERS:
                complaints.add("response_format.json_schema.schema_json", f"is over {MAX_SCHEMA_CHARACTERS} characters")
            elif not _is_json_object(schema.schema_json):
                complaints.add("response_format.json_schema.schema_json", "must be a JSON object, as text")
            if not SCHEMA_NAME.fullmatch(schema.name):
                what = "must have at most 64 letters, digits or any of - _"
                complaints.add("response_format.json_schema.name", what)
            return ResponseFormat(
                kind=ResponseKind.JSON_SCHEMA,
                name=schema.name,
                schema_json=schema.schema_json,
                strict=schema.strict,
            )
        case None:
            complaints.add("response_format", "must be text, json_object or json_schema, or unset")
    return ResponseFormat()


def _is_json_object(text: str) -> bool:
    """By the letter: what other readers let pass, such as NaN, would spoil the request that it goes into."""
    try:
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _tool(pb: chat_pb2.Tool, path: str, complaints: Complaints) -> Tool:
    if not 1 <= len(pb.name) <= MAX_TOOL_NAME:
        complaints.add(f"{path}.name", f"must have 1 to {MAX_TOOL_NAME} characters")
    if pb.parameters_json and not _is_json_object(pb.parameters_json):
        complaints.add(f"{path}.parameters_json", "must be a JSON object, as text, or empty")
    return Tool(name=pb.name, description=pb.description, parameters_json=pb.parameters_json, strict=pb.strict)
