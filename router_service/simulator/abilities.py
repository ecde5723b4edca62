"""What a model does besides writing: it calls tools, follows a form, looks at pictures, and thinks beforehand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from zlib import crc32

from .answers import Answer, Call, write_answer, write_document
from .documents import document
from .openai_request import ChatRequest, Tool

THOUGHTS = tuple(b"Let me see which signal is clear before anything moves, and only then write it down.".split(b" "))
_THOUGHTS_BY_EFFORT = {"low": 4, "medium": 8, "high": 16, "xhigh": 16, "max": 16}
_ANY_DOCUMENT = {"type": "object", "properties": {"reply": {"type": "string"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long an answer may be: the caller's limit in tokens, and the usual length."""

    limit: int | None
    length: int


def answer_to(chat: ChatRequest, *, provider: str, seed: int, length: int) -> Answer:
    """The answer that `provider` gives. Thoughts count towards the caller's limit, as they do at vendors."""
    thoughts = _thoughts(chat)
    limit = chat.limit()
    if limit is not None:
        thoughts = thoughts[:limit]
        limit -= len(thoughts)
    return replace(
        _said(chat, provider, seed, Bounds(limit=limit, length=length)),
        thoughts=thoughts,
        signature=signature(provider) if thoughts else "",
    )


def signature(provider: str) -> str:
    """What a provider signs its thoughts with; it takes no other's back."""
    return f"sim-{provider}-{crc32(provider.encode()):08x}"


def _said(chat: ChatRequest, provider: str, seed: int, bounds: Bounds) -> Answer:
    if calls := _calls(chat):
        return Answer(texts=(), quoted=(), finish_reason="tool_calls", calls=calls)
    if (schema := chat.form()) is not None:
        return write_document(_json(document(schema or _ANY_DOCUMENT)), limit=bounds.limit)
    remarks = _remarks(chat, provider)
    return write_answer(chat.prompt(), seed=seed, limit=bounds.limit, length=bounds.length, remarks=remarks)


def _thoughts(chat: ChatRequest) -> tuple[bytes, ...]:
    count = _THOUGHTS_BY_EFFORT.get(chat.reasoning_effort or "", 0)
    return tuple((b" " if number else b"") + word for number, word in enumerate(THOUGHTS[:count]))


def _calls(chat: ChatRequest) -> tuple[Call, ...]:
    """The tool that has to be called, or those that the user's last words name; none right after a tool's result."""
    named = chat.forced_tool()
    if named is not None:
        return tuple(_call(tool) for tool in chat.tools or () if named in ("", tool.function.name))[:1]
    if chat.tool_choice == "none" or chat.messages[-1].role != "user":
        return ()
    words = set(re.findall(r"[A-Za-z0-9_.-]+", chat.messages[-1].text()))
    return tuple(_call(tool) for tool in chat.tools or () if tool.function.name in words)


def _call(tool: Tool) -> Call:
    return Call(name=tool.function.name, arguments=_json(document(tool.function.parameters or {})))


def _remarks(chat: ChatRequest, provider: str) -> tuple[bytes, ...]:
    """What shows a test that pictures, and its own signature, have come."""
    remarks: tuple[bytes, ...] = ()
    if pictures := chat.pictures():
        remarks += (b" I", b" see", b" %d" % pictures, b" pictures." if pictures > 1 else b" picture.")
    if signature(provider) in chat.signatures():
        remarks += (b" I", b" know", b" my", b" words", b" again.")
    return remarks


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
