"""A conversation from the wire: its messages, their pieces, and the pictures and tool calls in them."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.v1 import chat_pb2

from router_service.core.chat import Image, Message, Part, Role, ToolCall
from router_service.edge.complaints import Complaints

MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
"""Of all messages together, blocks of reasoning and tool calls included."""
MAX_NAME = 64
EXAMPLE = '{"messages": [{"role": "ROLE_USER", "content": "Hello"}]}'

ROLES = {
    chat_pb2.ROLE_SYSTEM: Role.SYSTEM,
    chat_pb2.ROLE_USER: Role.USER,
    chat_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    chat_pb2.ROLE_TOOL: Role.TOOL,
}


def messages(pbs: Sequence[chat_pb2.Message], complaints: Complaints, *, max_bytes: int) -> tuple[Message, ...]:
    """The messages, which hold at most `max_bytes` of text together; none after a complaint about their number."""
    if not _are_few(pbs, complaints):
        return ()
    found = tuple([_message(pb, f"messages[{i}]", complaints) for i, pb in enumerate(pbs)])
    if (size := sum([_size(pb) for pb in pbs])) > max_bytes:
        complaints.add("messages", f"hold {size} bytes of text; at most {max_bytes}: shorten the prompt")
    return found


def _size(pb: chat_pb2.Message) -> int:
    """The bytes of all its text, whether it is sent on or not."""
    size = len(pb.content.encode()) + len(pb.name.encode()) + len(pb.tool_call_id.encode())
    size += sum([len(part.text.encode()) for part in pb.parts])
    size += sum([len(block.text.encode()) for block in pb.reasoning])
    return size + sum([len(f"{call.id}{call.name}{call.arguments_json}".encode()) for call in pb.tool_calls])


def _are_few(pbs: Sequence[chat_pb2.Message], complaints: Complaints) -> bool:
    """Whether there are so many only that each may be looked at."""
    if len(pbs) > MAX_MESSAGES:
        complaints.add("messages", f"holds {len(pbs)} messages; at most {MAX_MESSAGES}")
        return False
    parts = sum([len(pb.parts) + len(pb.reasoning) for pb in pbs])
    if complaints.is_built("Message", "tool_calls"):
        parts += sum([len(pb.tool_calls) for pb in pbs])
    if parts > MAX_PARTS:
        complaints.add("messages", f"hold {parts} parts; at most {MAX_PARTS} of all messages together")
        return False
    return True


def _message(pb: chat_pb2.Message, path: str, complaints: Complaints) -> Message:
    complaints.check_known(pb, f"{path}.")
    _check_role(pb, path, complaints)
    if pb.content and pb.parts:
        complaints.add(f"{path}.parts", "cannot be given together with content: use one of them")
    elif not (pb.content or pb.parts or pb.tool_calls or pb.reasoning):
        complaints.add(f"{path}.content", "must not be empty")
    if len(pb.name) > MAX_NAME:
        complaints.add(f"{path}.name", f"is {len(pb.name)} characters long; at most {MAX_NAME}")
    _check_reasoning(pb, path, complaints)
    return Message(
        role=ROLES.get(pb.role) or Role.USER,
        content=pb.content,
        parts=_parts(pb, path, complaints) if pb.parts else (),
        tool_calls=_tool_calls(pb, path, complaints) if pb.tool_calls else (),
        tool_call_id=pb.tool_call_id,
        name=pb.name,
    )


def _check_role(pb: chat_pb2.Message, path: str, complaints: Complaints) -> None:
    role = ROLES.get(pb.role)
    has_tools = complaints.is_built("Message", "tool_calls")
    if role is None:
        what = "must be set" if pb.role == chat_pb2.ROLE_UNSPECIFIED else f"{pb.role} is no value of Role"
        known = (
            "ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT or ROLE_TOOL"
            if has_tools
            else "ROLE_SYSTEM, ROLE_USER or ROLE_ASSISTANT"
        )
        complaints.add(f"{path}.role", f"{what}: {known}")
    elif role is Role.TOOL and not has_tools:
        complaints.add(f"{path}.role", "ROLE_TOOL answers a tool call, and tools are not built yet")
    elif role is Role.TOOL and not pb.tool_call_id:
        complaints.add(f"{path}.tool_call_id", "must be set: the id of the call that ROLE_TOOL answers")
    elif has_tools and role is not Role.TOOL and pb.tool_call_id:
        complaints.add(f"{path}.tool_call_id", "belongs to ROLE_TOOL alone")
    if has_tools and pb.tool_calls and role is not Role.ASSISTANT:
        complaints.add(f"{path}.tool_calls", "belong to ROLE_ASSISTANT alone")


def _parts(pb: chat_pb2.Message, path: str, complaints: Complaints) -> tuple[Part, ...]:
    return tuple([_part(part, f"{path}.parts[{i}]", complaints) for i, part in enumerate(pb.parts)])


def _tool_calls(pb: chat_pb2.Message, path: str, complaints: Complaints) -> tuple[ToolCall, ...]:
    return tuple([_tool_call(call, f"{path}.tool_calls[{i}]", complaints) for i, call in enumerate(pb.tool_calls)])


def _part(pb: chat_pb2.Part, path: str, complaints: Complaints) -> Part:
    complaints.check_known(pb, f"{path}.")
    match pb.WhichOneof("part"):
        case "image" if complaints.is_built("Part", "image"):
            return Part(image=_image(pb.image, f"{path}.image", complaints))
        case None:
            kinds = "a text or an image" if complaints.is_built("Part", "image") else "a text"
            complaints.add(path, f"must be {kinds}")
    return Part(text=pb.text)


def _image(pb: chat_pb2.Image, path: str, complaints: Complaints) -> Image:
    match pb.WhichOneof("source"):
        case "data" if not pb.media_type:
            complaints.add(f"{path}.media_type", "must be set beside data, for example image/png")
        case "uri" if not pb.uri.startswith("https://"):
            complaints.add(f"{path}.uri", "must begin with https://; send other pictures as data")
        case None:
            complaints.add(path, "must have data or a uri")
    return Image(data=pb.data, uri=pb.uri, media_type=pb.media_type)


def _tool_call(pb: chat_pb2.ToolCall, path: str, complaints: Complaints) -> ToolCall:
    if complaints.is_built("Message", "tool_calls"):
        complaints.check_known(pb, f"{path}.")
    return ToolCall(id=pb.id, name=pb.name, arguments_json=pb.arguments_json)


def _check_reasoning(pb: chat_pb2.Message, path: str, complaints: Complaints) -> None:
    """A caller who goes on with a conversation sends it back as it came. No dialect that is built wants it again: it
    is taken, and goes no further.
    """
    for i, block in enumerate(pb.reasoning):
        complaints.check_known(block, f"{path}.reasoning[{i}].")
    if pb.reasoning and pb.role != chat_pb2.ROLE_ASSISTANT:
        complaints.add(f"{path}.reasoning", "belongs to ROLE_ASSISTANT alone")
