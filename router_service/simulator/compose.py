"""Composition: from a reply and a fault to the script that is played; nothing here touches a socket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from router_service.core.simulation import Behaviour

from . import distort, openai_answer, wire
from .faults import Fault
from .openai_answer import Reply
from .openai_request import Refusal
from .script import Ending, Piece, Script

_PING_GAP_S = 0.1
_BOM = b"\xef\xbb\xbf"
_HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"


def compose_chat(
    reply: Reply, behaviour: Behaviour, fault: Fault, *, is_stream: bool, latency_s: float, fields: bytes
) -> Script:
    """Return the script of a chat completion; `fields` are header lines that every answer carries."""
    delay_s = latency_s + fault.slow
    if is_stream and not fault.ignore_stream:
        return _compose_stream(reply, behaviour, fault, delay_s, fields)
    if behaviour.tokens_per_s:
        delay_s += max(0, reply.answer.tokens - 1) / behaviour.tokens_per_s
    if fault.endless or fault.body_mib:
        pieces = openai_answer.bulky_completion(reply, fault)
        size = None if fault.endless else openai_answer.bulky_length(reply, fault)
        return _compose_body(pieces, size, fault, delay_s, fields, reply.input_tokens)
    piece = openai_answer.completion(reply, fault)
    return _compose_body((piece,), len(piece.data), fault, delay_s, fields, reply.input_tokens)


def compose_models(names: Iterable[str], fault: Fault, *, latency_s: float, fields: bytes) -> Script:
    """Return the script of a model list."""
    body = openai_answer.models(names)
    body = openai_answer.broken(body) if fault.garbage else body
    return _compose_body((Piece(body),), len(body), fault, latency_s + fault.slow, fields, 0)


def compose_refusal(refusal: Refusal, *, fields: bytes, delay_s: float = 0.0) -> Script:
    """Return the script of an error answer."""
    return compose_error(refusal.status, openai_answer.error(refusal), fields=fields, delay_s=delay_s)


def compose_error(status: int, body: bytes, *, fields: bytes, delay_s: float = 0.0) -> Script:
    """Return the script of an error answer in whichever vendor's form."""
    return Script(
        status=status,
        head=wire.head(status, wire.JSON, body=len(body), fields=fields),
        pieces=(Piece(body),),
        delay_s=delay_s,
        is_whole=True,
    )


def compose_fault(fault: Fault, fields: bytes, *, input_tokens: int) -> Script | None:
    """Return the script of a fault that leaves nothing of the answer, or None if there is an answer to give.

    A vendor that goes silent or resets has read the prompt, so it may bill `input_tokens`; one that refuses has not.
    """
    if fault.reset or fault.close_after_request or fault.silence:
        ending = Ending.RESET if fault.reset else Ending.HANG if fault.silence else Ending.FIN
        return Script(status=0, delay_s=fault.slow, ending=ending, input_tokens=input_tokens)
    if fault.redirect is not None:
        head = wire.head(
            fault.status or 307, wire.HTML, body=0, fields=fields + wire.header(b"location", fault.redirect)
        )
        return Script(status=fault.status or 307, head=head, delay_s=fault.slow, is_whole=True)
    if fault.status is not None:
        return compose_refusal(_refusal(fault, fault.status), fields=_retry_fields(fault, fields), delay_s=fault.slow)
    if fault.html:
        head = wire.head(200, wire.HTML, body=len(_HTML), fields=fields)
        return Script(status=200, head=head, pieces=(Piece(_HTML),), delay_s=fault.slow)
    return None


def _compose_stream(reply: Reply, behaviour: Behaviour, fault: Fault, delay_s: float, fields: bytes) -> Script:
    payloads: Iterable[Piece] = openai_answer.events(reply, fault)
    is_broken_off = False
    if fault.error_event_after is not None:
        payloads, is_broken_off = distort.cut_events(payloads, fault.error_event_after)
        payloads = [*payloads, _error_event()] if is_broken_off else payloads
    pieces: Iterable[Piece] = (
        distort.endless_pings(fault) if fault.pings_only else distort.framed_events(payloads, fault)
    )
    pieces, is_cut = _cut(pieces, fault, is_stream=True)
    framing = wire.Framing.UNTIL_FIN if fault.truncate_bytes is not None else wire.Framing.CHUNKED
    pieces, gap_s = _pace(pieces, behaviour, fault)
    is_chunked = framing is wire.Framing.CHUNKED
    return Script(
        status=200,
        head=wire.head(200, _content_type(wire.EVENTS, fault), body=framing, fields=fields),
        delay_s=delay_s,
        pieces=distort.chunked(pieces) if is_chunked else pieces,
        gap_s=gap_s,
        is_one_by_one=fault.one_byte,
        tail=wire.LAST_CHUNK if is_chunked and not is_cut else b"",
        ending=_ending(fault, is_cut=is_cut or is_broken_off or not is_chunked),
        is_whole=not (is_cut or is_broken_off or fault.no_done),
        input_tokens=reply.input_tokens,
    )


def _compose_body(
    pieces: Iterable[Piece], size: int | None, fault: Fault, delay_s: float, fields: bytes, input_tokens: int
) -> Script:
    if fault.bom:
        pieces, size = chain((Piece(_BOM),), pieces), None if size is None else size + len(_BOM)
    body: int | wire.Framing = wire.Framing.CHUNKED if size is None else size
    if fault.truncate_bytes is not None:
        body = wire.Framing.UNTIL_FIN
    pieces, is_cut = _cut(pieces, fault, is_stream=False)
    if fault.one_byte or fault.trickle:
        pieces = distort.single_bytes(pieces)
    return Script(
        status=200,
        head=wire.head(200, _content_type(wire.JSON, fault), body=body, fields=fields),
        delay_s=delay_s,
        pieces=distort.chunked(pieces) if body is wire.Framing.CHUNKED else pieces,
        gap_s=fault.trickle,
        is_one_by_one=fault.one_byte,
        ending=_ending(fault, is_cut=is_cut or body is wire.Framing.UNTIL_FIN),
        is_whole=not (is_cut or fault.garbage),
        input_tokens=input_tokens,
    )


def _cut(pieces: Iterable[Piece], fault: Fault, *, is_stream: bool) -> tuple[Iterable[Piece], bool]:
    if fault.stall:
        return (), True
    if fault.truncate_bytes is not None:
        return distort.cut_bytes(pieces, fault.truncate_bytes)
    limits = (fault.reset_after, fault.stall_after, fault.truncate_after)
    limit = next((limit for limit in limits if limit is not None), None)
    if limit is None:
        return pieces, False
    return distort.cut_events(pieces, limit) if is_stream else distort.cut_bytes(pieces, limit)


def _pace(pieces: Iterable[Piece], behaviour: Behaviour, fault: Fault) -> tuple[Iterable[Piece], float]:
    if fault.pings_only:
        return pieces, _PING_GAP_S
    if fault.trickle or fault.one_byte:
        return distort.single_bytes(pieces), fault.trickle
    if behaviour.tokens_per_s:
        return distort.token_by_token(pieces), 1.0 / behaviour.tokens_per_s
    if fault.body_mib or fault.huge_line:
        return pieces, 0.0
    return distort.coalesced(pieces), 0.0


def _ending(fault: Fault, *, is_cut: bool) -> Ending:
    # A cut that lies behind the answer's end cuts nothing, and then the connection lives on.
    if not is_cut:
        return Ending.KEEP
    if fault.reset_after is not None:
        return Ending.RESET
    return Ending.HANG if fault.stall or fault.stall_after is not None else Ending.FIN


def _content_type(usual: bytes, fault: Fault) -> bytes:
    if fault.wrong_content_type:
        return wire.HTML
    return usual


def _error_event() -> Piece:
    refusal = Refusal(status=200, message="The server had an error while answering.", type="server_error")
    return Piece(openai_answer.error(refusal), b"", 0, 1)


def _retry_fields(fault: Fault, fields: bytes) -> bytes:
    return fields if fault.retry_after is None else fields + wire.header(b"retry-after", fault.retry_after)


def _refusal(fault: Fault, status: int) -> Refusal:
    kind, code = _USUAL_ERRORS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    message = f"The simulated provider answers {status} because it was told to."
    return Refusal(status=status, message=message, type=fault.type or kind, code=fault.code or code)


_USUAL_ERRORS: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("server_error", "overloaded"),
    529: ("server_error", "overloaded"),
}
