"""From the wire to core values: every field checked, the complaints all at once, nothing asked for silently ignored.

It runs between two turns of the event loop, so its work is bounded: a list is counted before it is walked, and whoever
made a hundred mistakes hears of those.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import TypeVar

from google.protobuf.message import Message as PbMessage
from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.chat import Generation, Message, Part, Prompt, Role
from router_service.core.errors import InvalidRequest, NotBuilt, Violation
from router_service.core.request import Request, Routing

MAX_MESSAGES = 10_000
MAX_PARTS = 10_000
"""Of all messages together, blocks of reasoning included."""
MAX_VIOLATIONS = 100
MAX_MODEL_CHARACTERS = 256
MAX_PROVIDERS = 64
MAX_STOPS = 16
MAX_LABELS, MAX_LABEL_KEY, MAX_LABEL_VALUE = 16, 63, 256
REQUEST_ID = re.compile(r"[A-Za-z0-9\-_.:]{1,128}")

BUILT = {
    "CompleteRequest": frozenset({"request_id", "messages", "generation", "routing", "labels"}),
    "Message": frozenset({"role", "content", "parts", "name", "reasoning"}),
    "Part": frozenset({"text"}),
    "Reasoning": frozenset({"text", "dialect", "model"}),
    "Routing": frozenset({"model", "allowed_providers", "denied_providers", "max_attempts", "disable_fallback"}),
    "Generation": frozenset(
        {"max_output_tokens", "temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty"}
    ),
}
"""The fields of each message that do something today. One that is set beyond them is refused, never ignored."""

ROLES = {
    chat_pb2.ROLE_SYSTEM: Role.SYSTEM,
    chat_pb2.ROLE_USER: Role.USER,
    chat_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    chat_pb2.ROLE_TOOL: Role.TOOL,
}
_Number = TypeVar("_Number", int, float)


def request_id(pb: router_pb2.CompleteRequest) -> str:
    """The caller's own where it is one, else a new one: random, so that nobody can guess another's."""
    return pb.request_id if REQUEST_ID.fullmatch(pb.request_id) else f"req-{token_hex(12)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the server lets one request ask for."""

    max_prompt_bytes: int
    max_attempts: int


def request(pb: router_pb2.CompleteRequest, *, request_id: str, deadline: float, limits: Limits) -> Request:
    """A checked request. Raises InvalidRequest with every field that cannot stand, or MAX_VIOLATIONS of them, else
    NotBuilt for the first that asks for what does not exist yet.
    """
    complaints = _Complaints()
    complaints.check_known(pb, "")
    prompt = Prompt(
        messages=_messages(pb.messages, complaints, limits.max_prompt_bytes),
        generation=_generation(pb.generation, complaints) if pb.HasField("generation") else Generation(),
    )
    routing = _routing(pb.routing, complaints, limits.max_attempts) if pb.HasField("routing") else Routing()
    labels = _labels(pb.labels, complaints)
    if pb.request_id and not REQUEST_ID.fullmatch(pb.request_id):
        complaints.add("request_id", "must be 1 to 128 letters, digits or any of - _ . :")
    complaints.settle()
    return Request(request_id=request_id, prompt=prompt, routing=routing, labels=labels, deadline=deadline)


class _Complaints:
    """Collects what is wrong, and the first that is right but not built."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._unbuilt = ""

    def add(self, field: str, description: str) -> None:
        self._violations.append(Violation(field, description))
        if len(self._violations) >= MAX_VIOLATIONS:
            self.settle()

    def check_known(self, pb: PbMessage, path: str) -> None:
        """Every field that is set is one that does something."""
        built = BUILT[pb.DESCRIPTOR.name]
        for field, value in pb.ListFields():
            if field.name not in built:
                if field.enum_type is not None and value not in field.enum_type.values_by_number:
                    self.add(f"{path}{field.name}", f"{value} is no value of {field.enum_type.name}")
                self._unbuilt = self._unbuilt or f"{path}{field.name}"
            elif field.name in ("generation", "routing"):
                self.check_known(value, f"{path}{field.name}.")

    def settle(self) -> None:
        if self._violations:
            raise InvalidRequest(self._violations)
        if self._unbuilt:
            raise NotBuilt(f"what the field {self._unbuilt} asks for")


def _messages(pbs: Sequence[chat_pb2.Message], complaints: _Complaints, max_bytes: int) -> tuple[Message, ...]:
    if not _are_few(pbs, complaints):
        return ()
    messages = tuple(_message(pb, f"messages[{i}]", complaints) for i, pb in enumerate(pbs))
    size = sum(len(m.content.encode()) + sum(len(p.text.encode()) for p in m.parts) for m in messages)
    if size > max_bytes:
        complaints.add("messages", f"hold {size} bytes of text; at most {max_bytes}: shorten the prompt")
    return messages


def _are_few(pbs: Sequence[chat_pb2.Message], complaints: _Complaints) -> bool:
    """Whether there are messages, and so many only that each may be looked at."""
    if not pbs:
        example = '{"messages": [{"role": "ROLE_USER", "content": "Hello"}]}'
        complaints.add("messages", f"must hold at least one message, for example {example}")
        return False
    if len(pbs) > MAX_MESSAGES:
        complaints.add("messages", f"holds {len(pbs)} messages; at most {MAX_MESSAGES}")
        return False
    if (parts := sum(len(pb.parts) + len(pb.reasoning) for pb in pbs)) > MAX_PARTS:
        complaints.add("messages", f"hold {parts} parts; at most {MAX_PARTS} of all messages together")
        return False
    return True


def _message(pb: chat_pb2.Message, path: str, complaints: _Complaints) -> Message:
    complaints.check_known(pb, f"{path}.")
    role = ROLES.get(pb.role)
    if role is None:
        what = "must be set" if pb.role == chat_pb2.ROLE_UNSPECIFIED else f"{pb.role} is no value of Role"
        complaints.add(f"{path}.role", f"{what}: ROLE_SYSTEM, ROLE_USER or ROLE_ASSISTANT")
    elif role is Role.TOOL:
        complaints.add(f"{path}.role", "ROLE_TOOL answers a tool call, and tools are not built yet")
    if pb.content and pb.parts:
        complaints.add(f"{path}.parts", "cannot be given together with content: use one of them")
    elif not (pb.content or pb.parts or pb.tool_calls or pb.reasoning):
        complaints.add(f"{path}.content", "must not be empty")
    for i, part in enumerate(pb.parts):
        complaints.check_known(part, f"{path}.parts[{i}].")
        if part.WhichOneof("part") is None:
            complaints.add(f"{path}.parts[{i}]", "must be a text")
    _check_reasoning(pb, path, complaints)
    parts = tuple(Part(text=p.text) for p in pb.parts)
    return Message(role=role or Role.USER, content=pb.content, parts=parts, name=pb.name)


def _check_reasoning(pb: chat_pb2.Message, path: str, complaints: _Complaints) -> None:
    """A caller who goes on with a conversation sends it back as it came. No dialect that is built wants it again: it
    is taken, and goes no further.
    """
    for i, block in enumerate(pb.reasoning):
        complaints.check_known(block, f"{path}.reasoning[{i}].")
    if pb.reasoning and pb.role != chat_pb2.ROLE_ASSISTANT:
        complaints.add(f"{path}.reasoning", "belongs to ROLE_ASSISTANT alone")


def _generation(pb: chat_pb2.Generation, complaints: _Complaints) -> Generation:
    def number(name: str, low: _Number, high: _Number) -> _Number | None:
        if not pb.HasField(name):  # type: ignore[arg-type]
            return None
        value: _Number = getattr(pb, name)
        if not math.isfinite(value) or not low <= value <= high:
            complaints.add(f"generation.{name}", f"is {value}; must be {low} to {high}, or unset")
        return value

    stop = tuple(pb.stop[: MAX_STOPS + 1])
    if len(stop) > MAX_STOPS or not all(stop):
        complaints.add("generation.stop", f"must hold at most {MAX_STOPS} texts, none of them empty")
    return Generation(
        max_output_tokens=number("max_output_tokens", 1, 2**31 - 1),
        temperature=number("temperature", 0.0, 2.0),
        top_p=number("top_p", 0.0, 1.0),
        seed=pb.seed if pb.HasField("seed") else None,
        stop=stop,
        frequency_penalty=number("frequency_penalty", -2.0, 2.0),
        presence_penalty=number("presence_penalty", -2.0, 2.0),
    )


def _routing(pb: router_pb2.Routing, complaints: _Complaints, max_attempts: int) -> Routing:
    if len(pb.model) > MAX_MODEL_CHARACTERS:
        complaints.add("routing.model", f"is {len(pb.model)} characters long; at most {MAX_MODEL_CHARACTERS}")
    if pb.HasField("max_attempts") and not 1 <= pb.max_attempts <= max_attempts:
        complaints.add("routing.max_attempts", f"is {pb.max_attempts}; must be 1 to {max_attempts}, or unset")
    return Routing(
        model=pb.model,
        allowed_providers=_providers("allowed_providers", pb.allowed_providers, complaints),
        denied_providers=_providers("denied_providers", pb.denied_providers, complaints),
        max_attempts=pb.max_attempts if pb.HasField("max_attempts") else None,
        disable_fallback=pb.disable_fallback,
    )


def _providers(field: str, pb: Sequence[str], complaints: _Complaints) -> frozenset[str]:
    names = frozenset(pb[: MAX_PROVIDERS + 1])
    if len(pb) > MAX_PROVIDERS or "" in names:
        complaints.add(f"routing.{field}", f"must hold at most {MAX_PROVIDERS} names, none of them empty")
    return names


def _labels(pb: Mapping[str, str], complaints: _Complaints) -> Mapping[str, str]:
    if not pb:
        return {}
    if len(pb) > MAX_LABELS:
        complaints.add("labels", f"holds {len(pb)} labels; at most {MAX_LABELS}")
        return {}
    for key, value in pb.items():
        if not key or len(key) > MAX_LABEL_KEY or len(value) > MAX_LABEL_VALUE:
            limits = f"a key of 1 to {MAX_LABEL_KEY} and a value of at most {MAX_LABEL_VALUE} characters"
            complaints.add(f"labels[{key[:MAX_LABEL_KEY]!r}]", f"must have {limits}")
    return dict(pb)
