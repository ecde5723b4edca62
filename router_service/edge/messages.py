"""A conversation from the wire: its messages, their pieces, and the pictures and tool calls in them."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.v1 import chat_pb2

from router_service.core.chat import Message, Part, Reasoning, Role, ToolCall
from router_service.edge.complaints import Complaints
from router_service.edge.images import image
from router_service.edge.opaque import unmarked
from router_service.edge.tools import MAX_TOOL_NAME

MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
"""Of all messages together, blocks of reasoning and tool calls included."""
MAX_NAME = 64
MAX_CALL_ID = 65_536
"""Some vendors put a signature of many kilobytes into the id of a call."""
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
    _check_answers(pbs, complaints)
    if (size := sum([_size(pb) for pb in pbs])) > max_bytes:
        complaints.add("messages", f"hold {size} bytes of text; at most {max_bytes}: shorten the prompt")
    return found


def _size(pb: chat_pb2.Message) -> int:
    """The bytes of all its text and opaque state, whether they are sent on or not."""
    size = len(pb.content.encode()) + len(pb.name.encode()) + len(pb.tool_call_id.encode())
    size += sum([len(part.text.encode()) for part in pb.parts])
    size += sum([len(block.text.encode()) + len(block.opaque_state) for block in pb.reasoning])
    for call in pb.tool_calls:
        size += len(f"{call.id}{call.name}{call.arguments_json}".encode()) + len(call.opaque_state)
    return size


def _are_few(pbs: Sequence[chat_pb2.Message], complaints: Complaints) -> bool:
    """Whether there are so many only that each may be looked at."""
    if len(pbs) > MAX_MESSAGES:
        complaints.add("messages", f"holds {len(pbs)} messages; at most {MAX_MESSAGES}")
        return False
    parts = sum([len(pb.parts) + len(pb.reasoning) + len(pb.tool_calls) for pb in pbs])
    if parts > MAX_PARTS:
        complaints.add("messages", f"hold {parts} parts; at most {MAX_PARTS} of all messages together")
        return False
    return True


def _message(pb: chat_pb2.Message, path: str, complaints: Complaints) -> Message:
    complaints.check_known(pb, f"{path}.")
    _check_role(pb, path, complaints)
    if pb.content and pb.parts:
        complaints.add(f"{path}.parts", "cannot be given together with content: use one of them")
    elif not (pb.content or pb.parts or pb.tool_calls or pb.reasoning or pb.role == chat_pb2.ROLE_TOOL):
        complaints.add(f"{path}.content", "must not be empty")
    if len(pb.name) > MAX_NAME:
        complaints.add(f"{path}.name", f"is {len(pb.name)} characters long; at most {MAX_NAME}")
    return Message(
        role=ROLES.get(pb.role) or Role.USER,
        content=pb.content,
        parts=_parts(pb, path, complaints) if pb.parts else (),
        tool_calls=_tool_calls(pb, path, complaints) if pb.tool_calls else (),
        tool_call_id=pb.tool_call_id,
        name=pb.name,
        reasoning=_reasoning(pb, path, complaints) if pb.reasoning else (),
    )


def _check_role(pb: chat_pb2.Message, path: str, complaints: Complaints) -> None:
    role = ROLES.get(pb.role)
    if role is None:
        what = "must be set" if pb.role == chat_pb2.ROLE_UNSPECIFIED else f"{pb.role} is no value of Role"
        complaints.add(f"{path}.role", f"{what}: ROLE_SYSTEM, ROLE_USER, ROLE_ASSISTANT or ROLE_TOOL")
    elif role is Role.TOOL and not pb.tool_call_id:
        complaints.add(f"{path}.tool_call_id", "must be set: the id of the call that ROLE_TOOL answers")
    elif role is not Role.TOOL and pb.tool_call_id:
        complaints.add(f"{path}.tool_call_id", "belongs to ROLE_TOOL alone")
    if pb.tool_calls and role is not Role.ASSISTANT:
        complaints.add(f"{path}.tool_calls", "belong to ROLE_ASSISTANT alone")
    if pb.reasoning and role is not Role.ASSISTANT:
        complaints.add(f"{path}.reasoning", "belongs to ROLE_ASSISTANT alone")


def _check_answers(pbs: Sequence[chat_pb2.Message], complaints: Complaints) -> None:
    """Every result of a tool comes after the call that it answers."""
    if all(pb.role != chat_pb2.ROLE_TOOL for pb in pbs):
        return
    called: set[str] = set()
    for i, pb in enumerate(pbs):
        called.update([call.id for call in pb.tool_calls])
        if pb.role == chat_pb2.ROLE_TOOL and pb.tool_call_id and pb.tool_call_id not in called:
            complaints.add(f"messages[{i}].tool_call_id", "answers no tool call of a message before it")


def _parts(pb: chat_pb2.Message, path: str, complaints: Complaints) -> tuple[Part, ...]:
    is_users = pb.role == chat_pb2.ROLE_USER
    return tuple([_part(part, f"{path}.parts[{i}]", complaints, is_users=is_users) for i, part in enumerate(pb.parts)])


def _part(pb: chat_pb2.Part, path: str, complaints: Complaints, *, is_users: bool) -> Part:
    complaints.check_known(pb, f"{path}.")
    match pb.WhichOneof("part"):
        case "image" if not is_users:
            complaints.add(f"{path}.image", "belongs to ROLE_USER alone")
        case "image":
            return Part(image=image(pb.image, f"{path}.image", complaints))
        case None:
            complaints.add(path, "must be a text or an image")
    return Part(text=pb.text)


def _tool_calls(pb: chat_pb2.Message, path: str, complaints: Complaints) -> tuple[ToolCall, ...]:
    return tuple([_tool_call(call, f"{path}.tool_calls[{i}]", complaints) for i, call in enumerate(pb.tool_calls)])


def _tool_call(pb: chat_pb2.ToolCall, path: str, complaints: Complaints) -> ToolCall:
    """Its arguments are as some model wrote them: a caller who tells it that they are no JSON has to show them."""
    complaints.check_known(pb, f"{path}.")
    if not 1 <= len(pb.id) <= MAX_CALL_ID:
        complaints.add(f"{path}.id", f"must have 1 to {MAX_CALL_ID} characters")
    if not 1 <= len(pb.name) <= MAX_TOOL_NAME:
        complaints.add(f"{path}.name", f"must have 1 to {MAX_TOOL_NAME} characters")
    state = unmarked(pb.opaque_state, f"{path}.opaque_state", complaints)
    return ToolCall(id=pb.id, name=pb.name, arguments_json=pb.arguments_json, opaque_state=state)


def _reasoning(pb: chat_pb2.Message, path: str, complaints: Complaints) -> tuple[Reasoning, ...]:
    """A caller who goes on with a conversation sends it back as it came; the dialect knows who wants it again."""
    return tuple([_block(block, f"{path}.reasoning[{i}]", complaints) for i, block in enumerate(pb.reasoning)])


def _block(pb: chat_pb2.Reasoning, path: str, complaints: Complaints) -> Reasoning:
    complaints.check_known(pb, f"{path}.")
    state = unmarked(pb.opaque_state, f"{path}.opaque_state", complaints)
    return Reasoning(text=pb.text, dialect=pb.dialect, model=pb.model, opaque_state=state)
