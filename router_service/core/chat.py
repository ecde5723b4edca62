"""The vocabulary of a chat completion: what a caller asks and what a model answers, in nobody's wire format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Role(Enum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(Enum):
    """Why a model stopped: its own end, the token limit, a tool to call, a filter, or a fault of its own."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Exactly one of `data` (the bytes, with their media type) and `uri` is set. The router never fetches a uri."""

    data: bytes = b""
    uri: str = ""
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of a multimodal message: text, or an image."""

    text: str = ""
    image: Image | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaqueState:
    """What a vendor wants echoed, in its dialect's own form, and the id of the target that wrote it: no other is ever
    sent it.
    """

    origin: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a model thought before it answered, with the dialect and the model, in its vendor's spelling, of who did."""

    text: str
    dialect: str
    model: str = ""
    opaque_state: OpaqueState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    id: str
    name: str
    arguments_json: str
    opaque_state: OpaqueState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. `content` is plain text; `parts` is the multimodal form; never both."""

    role: Role
    content: str = ""
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    reasoning: tuple[Reasoning, ...] = ()

    def characters(self) -> int:
        """The length of all text that a model wrote in it, in characters."""
        written = len(self.content) + sum([len(r.text) for r in self.reasoning])
        return written + sum([len(call.arguments_json) for call in self.tool_calls])

    def size_bytes(self) -> int:
        """What its texts and opaque states come to in UTF-8, with the little that a call or a block takes besides."""
        texts = [self.content, *[text for block in self.reasoning for text in (block.text, block.model)]]
        texts += [text for call in self.tool_calls for text in (call.id, call.name, call.arguments_json)]
        told = [block.opaque_state for block in self.reasoning] + [call.opaque_state for call in self.tool_calls]
        states = sum([len(state.origin) + len(state.data) for state in told if state is not None])
        return sum(map(_utf8_bytes, texts)) + states + FRAME_BYTES * len(told)


FRAME_BYTES = 32
"""What a tool's call or a block of reasoning takes besides its texts, on the safe side."""


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    description: str = ""
    parameters_json: str = ""
    strict: bool = False


class ToolChoiceMode(Enum):
    """How free a model is in calling tools; NAMED demands one of them."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChoice:
    """`name` belongs to NAMED alone."""

    mode: ToolChoiceMode = ToolChoiceMode.AUTO
    name: str = ""

    @property
    def is_forced(self) -> bool:
        """Whether an answer without a call is none."""
        return self.mode in (ToolChoiceMode.REQUIRED, ToolChoiceMode.NAMED)


class ResponseKind(Enum):
    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFormat:
    """The form an answer must have; name, schema and strict belong to JSON_SCHEMA alone."""

    kind: ResponseKind = ResponseKind.TEXT
    name: str = ""
    schema_json: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Sampling and length. None leaves the provider's default in force."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call. Input includes cached, output includes reasoning, whatever the provider's convention."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is sent to a model: everything of a request that a dialect has to write."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None
    generation: Generation = field(default_factory=Generation)

    def characters(self) -> int:
        """The length of all text in it, in characters: the basis of a token estimate."""
        return sum(len(m.content) + sum(len(p.text) for p in m.parts) for m in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer as a dialect decoded it. `usage` is None where the provider reported none; of its counts, what the
    provider left out is nought.
    """

    message: Message
    finish_reason: FinishReason
    usage: Usage | None
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of a tool call: id, name and opaque state come once, argument fragments are concatenated by index."""

    index: int
    id: str = ""
    name: str = ""
    arguments_json_fragment: str = ""
    opaque_state: OpaqueState | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """What one stretch of a stream added to the answer. May be empty: a valid event that says nothing new.

    `reasoning_end` says whose the reasoning was that came until then, this delta's included; its own text is empty.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    reasoning_end: Reasoning | None = None

    def __bool__(self) -> bool:
        return bool(self.content or self.reasoning or self.tool_calls or self.reasoning_end is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnd:
    """What a stream said of itself by the time of its terminal event."""

    finish_reason: FinishReason
    usage: Usage | None
    model: str = ""
