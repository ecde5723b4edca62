"""Answers of the OpenAI dialect: the bytes of a completion, of a stream's events, of a model list and of an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle

import msgspec

from .answers import Answer
from .faults import Fault, Shape
from .openai_request import Refusal
from .script import Piece

DONE = b"[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer together with what the dialect's envelope says about it."""

    id: bytes
    created: int
    model: str
    answer: Answer
    input_tokens: int
    has_usage: bool
    """Whether a stream ends with a usage chunk; an unary answer always has one."""


def completion(reply: Reply, fault: Fault) -> Piece:
    """Return the whole body of an answer that is not streamed."""
    before, after = _around_content(reply, fault)
    answer = reply.answer
    content = b"".join((before, *answer.quoted, after))
    if fault.garbage:
        return Piece(broken(content))
    return Piece(content, b"".join(answer.texts), answer.tokens, 0)


def bulky_completion(reply: Reply, fault: Fault) -> Iterator[Piece]:
    """Yield the same body token by token, for answers that do not fit into memory; with `endless` it has no end."""
    before, after = _around_content(reply, fault)
    yield Piece(before)
    for quoted, text in _tokens(reply.answer, fault):
        yield Piece(quoted, text, 1, 0)
    yield Piece(after)


def bulky_length(reply: Reply, fault: Fault) -> int:
    """Return the bytes that `bulky_completion` yields in all, for an answer that has an end."""
    before, after = _around_content(reply, fault)
    return len(before) + sum(map(len, reply.answer.quoted)) + len(after)


def broken(body: bytes) -> bytes:
    """Return a body that is no JSON."""
    return body[: len(body) // 2] + b"}{"


def events(reply: Reply, fault: Fault) -> Iterator[Piece]:
    """Yield the payload of each event of a stream: role, tokens, finish, usage, `[DONE]`."""
    opening = _chunk_opening(reply)
    usage = _usage(reply, reply.answer.tokens)
    # A vendor that was asked for usage says null in every chunk but the last.
    closing = b"]" + (b',"usage":null}' if reply.has_usage else b"}")
    yield Piece(_choice(opening, b'{"role":"assistant","content":"","refusal":null}', b"null", closing), b"", 0, 1)
    yield from _thought_events(reply.answer, opening, closing)
    yield from _token_events(reply, fault, opening, closing)
    yield from _call_events(reply, opening, closing)
    if not fault.no_finish:
        yield Piece(_choice(opening, b"{}", b'"%b"' % reply.answer.finish_reason.encode(), closing), b"", 0, 1)
    if (reply.has_usage or fault.shape is Shape.STRING_USAGE) and fault.shape is not Shape.NO_USAGE:
        yield Piece(b'%b],"usage":%b}' % (opening, _shaped_usage(usage, fault)), b"", 0, 1)
    if not fault.no_done:
        yield Piece(DONE, b"", 0, 1)


def models(names: Iterable[str]) -> bytes:
    """Return the body of the model list."""
    return msgspec.json.encode({"object": "list", "data": [_model(name) for name in names]})


def error(refusal: Refusal) -> bytes:
    """Return the body of an error answer, which is also the payload of an error event."""
    fields = {"message": refusal.message, "type": refusal.type, "param": refusal.param, "code": refusal.code}
    return msgspec.json.encode({"error": fields})


def _model(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": 1_750_000_000, "owned_by": "signalbox-simulator"}


def _token_events(reply: Reply, fault: Fault, opening: bytes, closing: bytes) -> Iterator[Piece]:
    before = opening + b'{"index":0,"delta":{"content":"'
    after = b'"},"logprobs":null,"finish_reason":null}' + closing
    oddity = _odd_event(opening, closing, fault)
    for number, (quoted, text) in enumerate(_tokens(reply.answer, fault), 1):
        if fault.usage_in_every_chunk:
            running = b'],"usage":%b}' % _usage(reply, number)
            after = b'"},"logprobs":null,"finish_reason":null}' + running
        yield Piece(before + quoted + after, text, 1, 1)
        if number == 1 and oddity:
            yield Piece(oddity, b"", 0, 1)


def _thought_events(answer: Answer, opening: bytes, closing: bytes) -> Iterator[Piece]:
    for thought in answer.thoughts:
        yield Piece(_choice(opening, b'{"reasoning_content":"%b"}' % thought, b"null", closing), b"", 1, 1)
    if answer.signature:
        details = b'{"reasoning_details":%b}' % msgspec.json.encode(_details(answer))
        yield Piece(_choice(opening, details, b"null", closing), b"", 0, 1)


def _call_events(reply: Reply, opening: bytes, closing: bytes) -> Iterator[Piece]:
    for number, call in enumerate(reply.answer.calls):
        begun = {"index": number, **_call(reply, number), "function": {"name": call.name, "arguments": ""}}
        yield Piece(_choice(opening, msgspec.json.encode({"tool_calls": [begun]}), b"null", closing), b"", 0, 1)
        for fragment in call.fragments():
            delta = {"tool_calls": [{"index": number, "function": {"arguments": fragment}}]}
            yield Piece(_choice(opening, msgspec.json.encode(delta), b"null", closing), b"", 1, 1)


def _details(answer: Answer) -> list[dict[str, str]]:
    return [{"type": "reasoning.encrypted", "data": answer.signature}]


def _call(reply: Reply, number: int) -> dict[str, object]:
    signature = reply.answer.signature
    signed = {"extra_content": {"signature": signature}} if signature else {}
    return {"id": f"call_{reply.id.decode()}{number}", "type": "function", **signed}


def _besides_content(reply: Reply) -> bytes:
    # What a message has after its content, where the model did more than write.
    answer, fields = reply.answer, b""
    if answer.thoughts:
        fields += b',"reasoning_content":"%b"' % b"".join(answer.thoughts)
    if answer.signature:
        fields += b',"reasoning_details":%b' % msgspec.json.encode(_details(answer))
    if answer.calls:
        calls = [
            {**_call(reply, number), "function": {"name": call.name, "arguments": call.arguments}}
            for number, call in enumerate(answer.calls)
        ]
        fields += b',"tool_calls":%b' % msgspec.json.encode(calls)
    return fields


def _tokens(answer: Answer, fault: Fault) -> Iterable[tuple[bytes, bytes]]:
    pairs = zip(answer.quoted, answer.texts, strict=True)
    return cycle(pairs) if fault.endless else pairs


def _chunk_opening(reply: Reply) -> bytes:
    return (
        b'{"id":"chatcmpl-%b","object":"chat.completion.chunk","created":%d,"model":%b,"service_tier":"default",'
        b'"system_fingerprint":"fp_simulator","choices":[' % (reply.id, reply.created, msgspec.json.encode(reply.model))
    )


def _choice(opening: bytes, delta: bytes, finish: bytes, closing: bytes) -> bytes:
    return b'%b{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}%b' % (opening, delta, finish, closing)


def _odd_event(opening: bytes, closing: bytes, fault: Fault) -> bytes:
    # The event that `garbage` or `shape` puts after the first token; empty where the stream stays regular.
    if fault.garbage:
        return opening + b'{"index":0,"delta":{"content":"'
    match fault.shape:
        case Shape.NULL_CHOICES:
            return opening[:-1] + b"null" + closing[1:]
        case Shape.EMPTY_CHOICES:
            return opening + closing
        case Shape.DEEP:
            return opening + _DEEP + closing
        case Shape.NAN | Shape.HUGE_NUMBER:
            return b'%b{"index":%b,"delta":{}}%b' % (opening, _ODD_NUMBERS[fault.shape], closing)
        case Shape.DUPLICATE_KEYS:
            return opening[:-1] + b'null,"choices":[' + closing
        case Shape.STRING_USAGE | Shape.NO_USAGE | None:
            return b""


def _around_content(reply: Reply, fault: Fault) -> tuple[bytes, bytes]:
    # The body of a completion up to its content, and from there to its end.
    opening = b'{"id":"chatcmpl-%b","object":"chat.completion","created":%d,"model":%b,"choices":' % (
        reply.id,
        reply.created,
        msgspec.json.encode(reply.model),
    )
    usage = _shaped_usage(_usage(reply, reply.answer.tokens), fault)
    usage_field = b"" if fault.shape is Shape.NO_USAGE else b'"usage":%b,' % usage
    ending = b'%b"system_fingerprint":"fp_simulator","service_tier":"default"}' % usage_field
    choice = b'{"index":0,"message":{"role":"assistant","content":"'
    finish = b'","refusal":null%b},"logprobs":null,"finish_reason":"%b"}],' % (
        _besides_content(reply),
        reply.answer.finish_reason.encode(),
    )
    # An odd choice list goes before a field that nobody reads, so that the text still has a place to go.
    oddity = _ODD_CHOICES.get(fault.shape) if fault.shape else None
    if oddity is not None:
        return opening + oddity + b',"ignored":[' + choice, finish + ending
    return opening + b"[" + choice, finish + ending


def _usage(reply: Reply, output_tokens: int) -> bytes:
    total = reply.input_tokens + output_tokens
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0,'
        b'"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":%d}}'
        % (reply.input_tokens, output_tokens, total, len(reply.answer.thoughts))
    )


def _shaped_usage(usage: bytes, fault: Fault) -> bytes:
    match fault.shape:
        case Shape.STRING_USAGE:
            return b'"plenty"'
        case Shape.NAN | Shape.HUGE_NUMBER:
            return b'{"prompt_tokens":%b,"completion_tokens":1,"total_tokens":1}' % _ODD_NUMBERS[fault.shape]
        case _:
            return usage


_DEEP = b"[" * 2000 + b"]" * 2000
_ODD_NUMBERS = {Shape.NAN: b"NaN", Shape.HUGE_NUMBER: b"1e400"}
_ODD_CHOICES = {
    Shape.NULL_CHOICES: b"null",
    Shape.EMPTY_CHOICES: b"[]",
    Shape.DEEP: b"[" + _DEEP + b"]",
    Shape.DUPLICATE_KEYS: b'null,"choices":[]',
}
