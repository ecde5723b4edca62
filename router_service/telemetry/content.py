"""What was asked and answered, as span attributes by the GenAI conventions: only where an operator asked for it.

Texts are cut, so that what waits for a slow collector has a bound. Pictures are told of and not copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from router_service.core.chat import Delta, Message, Prompt

MAX_CHARACTERS = 32_768
"""Of all the texts in one attribute together."""
CUT = " … (cut)"


def question(prompt: Prompt) -> Mapping[str, str]:
    """The attributes of what was asked."""
    budget = _Budget()
    # The latest say most of what is asked, so they are the last to be cut.
    told = [_message(message, budget) for message in reversed(prompt.messages)]
    attributes = {"gen_ai.input.messages": _json(told[::-1])}
    if prompt.tools:
        budget = _Budget()
        tools = [{"type": "function", "name": t.name, "description": budget.cut(t.description)} for t in prompt.tools]
        attributes["gen_ai.tool.definitions"] = _json(tools)
    return attributes


class Heard:
    """A stream's parts as they come, no more of them than would be shown."""

    __slots__ = ("_left", "deltas")

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self._left = MAX_CHARACTERS

    def add(self, delta: Delta) -> None:
        if self._left >= 0:
            self.deltas.append(delta)
            self._left -= len(delta.content) + len(delta.reasoning)
            self._left -= sum([len(call.arguments_json_fragment) for call in delta.tool_calls])


def answer(message: Message | None, heard: Heard | None, finish_reason: str) -> Mapping[str, str]:
    """The attributes of what was answered, whole or in parts; nothing where nothing was."""
    if message is not None:
        parts = list(_parts(message, _Budget()))
    else:
        parts = list(_heard_parts(heard.deltas, _Budget())) if heard is not None else []
    if not parts:
        return {}
    return {"gen_ai.output.messages": _json([{"role": "assistant", "parts": parts, "finish_reason": finish_reason}])}


class _Budget:
    """How many characters one attribute has left."""

    def __init__(self) -> None:
        self._left = MAX_CHARACTERS

    def cut(self, text: str) -> str:
        if len(text) <= self._left:
            self._left -= len(text)
            return text
        kept, self._left = text[: self._left], 0
        return kept + CUT


def _message(message: Message, budget: _Budget) -> dict[str, object]:
    return {"role": message.role.value, "parts": list(_parts(message, budget))}


def _parts(message: Message, budget: _Budget) -> Iterator[Mapping[str, str]]:
    if message.tool_call_id:
        yield {"type": "tool_call_response", "id": message.tool_call_id, "response": budget.cut(message.content)}
        return
    for thought in message.reasoning:
        yield {"type": "reasoning", "content": budget.cut(thought.text)}
    if message.content:
        yield {"type": "text", "content": budget.cut(message.content)}
    for part in message.parts:
        if part.image is None:
            yield {"type": "text", "content": budget.cut(part.text)}
        else:
            yield {"type": "blob", "modality": "image", "mime_type": part.image.media_type}
    for call in message.tool_calls:
        yield {"type": "tool_call", "id": call.id, "name": call.name, "arguments": budget.cut(call.arguments_json)}


def _heard_parts(heard: Sequence[Delta], budget: _Budget) -> Iterator[Mapping[str, str]]:
    """A stream's parts put together again."""
    if reasoning := "".join([delta.reasoning for delta in heard]):
        yield {"type": "reasoning", "content": budget.cut(reasoning)}
    if text := "".join([delta.content for delta in heard]):
        yield {"type": "text", "content": budget.cut(text)}
    pieces = [piece for delta in heard for piece in delta.tool_calls]
    for index in sorted({piece.index for piece in pieces}):
        own = [piece for piece in pieces if piece.index == index]
        arguments = budget.cut("".join([piece.arguments_json_fragment for piece in own]))
        yield {"type": "tool_call", "id": _first(p.id for p in own), "name": _first(p.name for p in own)} | {
            "arguments": arguments
        }


def _first(texts: Iterable[str]) -> str:
    return next(filter(None, texts), "")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
