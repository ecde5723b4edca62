"""What a model has to be able to do, from the wire: the tools that it may ask for, and the form of its answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from signalbox.v1 import chat_pb2

from router_service.core.chat import ResponseFormat, ResponseKind, Tool
from router_service.edge.complaints import Complaints

MAX_TOOLS = 128
MAX_TOOL_NAME = 128
MAX_SCHEMA_CHARACTERS = 1_000_000


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
            return ResponseFormat(
                kind=ResponseKind.JSON_SCHEMA,
                name=schema.name,
                schema_json=schema.schema_json,
                strict=schema.strict,
            )
        case None:
            complaints.add("response_format", "must be text, json_object or json_schema, or unset")
    return ResponseFormat()


def _tool(pb: chat_pb2.Tool, path: str, complaints: Complaints) -> Tool:
    if not 1 <= len(pb.name) <= MAX_TOOL_NAME:
        complaints.add(f"{path}.name", f"must have 1 to {MAX_TOOL_NAME} characters")
    if pb.parameters_json and not _is_json_object(pb.parameters_json):
        complaints.add(f"{path}.parameters_json", "must be a JSON object, as text, or empty")
    return Tool(name=pb.name, description=pb.description, parameters_json=pb.parameters_json, strict=pb.strict)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
