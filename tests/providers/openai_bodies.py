"""Answers of the OpenAI dialect as vendors write them, good and bad."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from router_service.core.chat import Completion, Delta, StreamEnd
from router_service.core.errors import BadResponse, ContextTooLong, RateLimited, ServerFailed
from router_service.providers.openai import OpenAIDialect
from tests.core.examples import target

CANARY = "CANARY-7f3a"
"""Stands wherever a vendor's body could hold a prompt or a key; no error's text may show it."""

Json = Mapping[str, object]


def answer(**fields: object) -> bytes:
    """A whole answer with some of its fields replaced; None as a value means null."""
    message: Json = {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": []}
    whole: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
        "error": None,
    }
    return json.dumps(whole | fields).encode()


def choice(finish_reason: str | None = "stop", /, **message: object) -> list[Json]:
    return [{"index": 0, "message": message, "finish_reason": finish_reason}]


ASKED = target("openrouter/r1")
"""Who is asked, where that makes no difference."""


def decoded(body: bytes) -> Completion:
    return OpenAIDialect().decode(body, ASKED)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


WRONG = [
    pytest.param(b"", id="empty"),
    pytest.param(b"<html>" + CANARY.encode() + b"</html>", id="html"),
    pytest.param(b'{"choices":[{"message":{"content":"' + CANARY.encode(), id="cut"),
    pytest.param(answer() + b"x", id="more-after-it"),
    pytest.param(b"null", id="null"),
    pytest.param(b"[]", id="a-list"),
    pytest.param(b'"' + CANARY.encode() + b'"', id="a-string"),
    pytest.param(b"{}", id="no-choices"),
    pytest.param(answer(choices=None), id="null-choices"),
    pytest.param(answer(choices=[]), id="empty-choices"),
    pytest.param(answer(choices=[None]), id="null-choice"),
    pytest.param(answer(choices={CANARY: 1}), id="choices-of-another-type"),
    pytest.param(answer(choices=choice(content=7)), id="number-content"),
    pytest.param(answer(choices=choice(content={CANARY: CANARY})), id="object-content"),
    pytest.param(answer(choices=choice(content="Hi", tool_calls=CANARY)), id="string-tool-calls"),
    pytest.param(answer(model={CANARY: 1}), id="object-model"),
    pytest.param(answer(model=CANARY * 10_000), id="endless-model"),
    pytest.param(answer(choices=choice(tool_calls=[{"index": -5}])), id="negative-index"),
    pytest.param(answer(choices=choice(tool_calls=[{"index": 99_999_999_999}])), id="absurd-index"),
    pytest.param(answer(choices=choice(tool_calls=[{"id": CANARY * 10_000}])), id="endless-id"),
    pytest.param(answer(choices=choice(tool_calls=[{"function": {"name": CANARY * 10_000}}])), id="endless-name"),
    pytest.param(answer(usage=CANARY), id="string-usage"),
    pytest.param(answer(usage={"prompt_tokens": CANARY}), id="string-tokens"),
    pytest.param(answer(usage={"prompt_tokens": -1}), id="negative-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 2**31}), id="too-many-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 10**400}), id="absurd-tokens"),
    pytest.param(answer(usage={"prompt_tokens": 1.5}), id="half-a-token"),
    pytest.param(b'{"usage":{"prompt_tokens":NaN}}', id="nan"),
    pytest.param(b'{"usage":{"prompt_tokens":1e400}}', id="1e400"),
    pytest.param(b'{"choices":' + nested(50) + b"}", id="50-deep"),
    pytest.param(b'{"choices":' + nested(100_000) + b"}", id="100000-deep"),
    pytest.param(b'{"unknown":' + nested(100_000) + b"}", id="100000-deep-in-an-unknown-field"),
    pytest.param(b'{"error":' + nested(100_000) + b"}", id="100000-deep-in-the-error"),
    pytest.param(b'{"model":"\xff\xfe"}', id="no-utf-8"),
    pytest.param(b'{"model":"\\ud800"}', id="half-a-surrogate-pair"),
]


ERRORS = [
    pytest.param({"message": CANARY, "type": "server_error", "code": None, "param": None}, ServerFailed, id="openai"),
    pytest.param({"code": "server_error", "message": CANARY}, ServerFailed, id="openrouter-word"),
    pytest.param({"code": 429, "message": CANARY}, RateLimited, id="openrouter-number"),
    pytest.param({"code": 502, "message": CANARY}, ServerFailed, id="openrouter-upstream"),
    pytest.param({"code": "context_length_exceeded", "message": CANARY}, ContextTooLong, id="context"),
    pytest.param(CANARY, ServerFailed, id="text"),
    pytest.param([{"error": {"code": 429}}], RateLimited, id="list"),
    pytest.param({"code": "²³¹", "message": CANARY}, ServerFailed, id="digits-that-are-no-number"),
    pytest.param({"code": 302}, BadResponse, id="a-status-that-is-no-error"),
    pytest.param(True, ServerFailed, id="true"),
]


def streamed(pieces: Sequence[bytes]) -> tuple[list[Delta], StreamEnd | None]:
    """All deltas and the end; raises what the stream failed of."""
    decoder = OpenAIDialect().decoder(ASKED)
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.end()


def lines(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


def chunk(text: str = "", finish_reason: str | None = None, **fields: object) -> str:
    only = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return json.dumps({"choices": [only], **fields})
