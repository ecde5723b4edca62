"""What is read of an OpenAI-style answer, whole or streamed; all that is not named here is passed over unread."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Place = Annotated[int, msgspec.Meta(ge=0, le=9_999)]
Label = Annotated[str, msgspec.Meta(max_length=65_536)]
"""An id or a name. Some vendors put a signature of many kilobytes into the id of a tool's call."""


class ToolFunction(msgspec.Struct):
    """`arguments` are JSON as text, or at some vendors the JSON itself."""

    name: Label | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct):
    """`extra_content` is Gemini's: a signature that has to come back with the call."""

    index: Place | None = None
    id: Label | None = None
    function: ToolFunction | None = None
    extra_content: Any = None


class Piece(msgspec.Struct):
    """A piece of a content that is written as a list: Mistral's way to tell reasoning from text."""

    text: str | None = None
    thinking: str | list[Piece] | None = None


class Text(msgspec.Struct):
    """What a whole message and a delta have in common. Vendors name the reasoning's text in two ways;
    `reasoning_details` are OpenRouter's, and have to come back as they were. `function_call` is the form that calls had
    before there could be several.
    """

    content: str | list[Piece] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None
    tool_calls: list[ToolCall] | None = None
    function_call: ToolFunction | None = None


class Choice(msgspec.Struct):
    """`index` tells alternatives apart, of which only the first was asked for; clones leave it out."""

    index: int | str | None = None
    message: Text | None = None
    delta: Text | None = None
    finish_reason: str | None = None


MAX_TOKENS = 2**31 - 1
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]


class InputDetails(msgspec.Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class OutputDetails(msgspec.Struct):
    reasoning_tokens: Tokens | None = None


class Usage(msgspec.Struct):
    """Cached tokens stand in the details, and at DeepSeek beside the others. `total_tokens` mostly says no more than
    the others, and counts only where it is a number.
    """

    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0
    total_tokens: Any = None
    prompt_cache_hit_tokens: Tokens | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None


class Groq(msgspec.Struct):
    """What Groq adds to a chunk: the usage of a whole stream, or the error that ended it."""

    usage: Usage | None = None
    error: Any = None


class Answer(msgspec.Struct):
    """A unary answer and a stream's chunk alike. `error` may stand in either, with status 200, and be of any type; or
    the whole of it is an error, and says so as its `kind`.
    """

    id: Label | None = None
    kind: Any = msgspec.field(name="object", default=None)
    choices: list[Choice] | None = None
    usage: Usage | None = None
    model: Label | None = None
    error: Any = None
    x_groq: Groq | None = None


NAME = "openai"
ERROR = "error"
FIRST = (None, 0, "0")
ANSWERS = msgspec.json.Decoder(Answer)
