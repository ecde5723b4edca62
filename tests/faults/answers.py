"""U12 to U18: providers whose answers are broken, or only look so."""

from __future__ import annotations

import json

from tests.faults.fault import SOON_ANSWERED, Fault, Seen
from tests.faults.scripts import (
    LAST,
    Act,
    asked,
    begun,
    body,
    close_delimited,
    in_turn,
    says,
    trickles,
    unescaped,
)
from tests.faults.silences import SENSELESS, SILENT, broken
from tests.harness.hosts import Peer
from tests.harness.raw import CHUNKED, DONE, END, delta, event, framed, stream, whole

CANARY = "canary-of-a-body"
WHOLE = whole("hello").partition(b"\r\n\r\n")[2]
CHOICES = [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]
OK = Seen(reason="", text="hello", is_billed=False)
FAILED = Seen(reason="UPSTREAM_5XX")
HTML = f"<html><title>502 {CANARY}</title></html>".encode()
TEXTS = ("naïve ", "東京\u2028\u0085", "🚦 ", "a\nb\r\n\t", "end")
ODD = Seen(reason="", text="".join(TEXTS), is_billed=False, within_s=1.0)
LONG_TEXT = "x" * 1024 * 1024


def _fault(
    row: str, name: str, *, unary: Act, streamed: Act, seen: Seen = SENSELESS, in_stream: Seen | None = None
) -> Fault:
    return Fault(row=row, name=name, script=asked(unary, streamed), unary=seen, streamed=in_stream or seen)


def _unary(row: str, name: str, act: Act, seen: Seen = SENSELESS) -> Fault:
    return Fault(row=row, name=name, script=asked(act), unary=seen, streamed=None)


def _streamed(row: str, name: str, act: Act, seen: Seen) -> Fault:
    return Fault(row=row, name=name, script=asked(says(), act), unary=None, streamed=seen)


def _garbled(name: str, text: bytes) -> tuple[Fault, Fault]:
    """Bytes that are no JSON: as a whole answer or a stream's first event, and after text was delivered."""
    bad = b"data: " + text + b"\n\n"
    return (
        _fault("U13", name, unary=says(body(text)), streamed=says(stream(bad, delta("", "stop"), DONE))),
        _streamed(
            "U13",
            f"{name}-after-text",
            in_turn(begun(), then=says(framed(bad), LAST)),
            broken("UPSTREAM_BAD_RESPONSE", "hello "),
        ),
    )


def _misshapen(name: str, **fields: object) -> Fault:
    """JSON whose shape is not that of an answer; `fields` replace those of a good one."""
    text = json.dumps({"choices": CHOICES, **fields}).encode()
    return _raw_shape(name, text)


def _raw_shape(name: str, text: bytes) -> Fault:
    return _fault(
        "U14", name, unary=says(body(text)), streamed=says(stream(b"data: " + text + b"\n\n", delta("", "stop"), DONE))
    )


def _error(name: str, said: bytes, seen: Seen) -> tuple[Fault, Fault]:
    """An error inside a stream: before anything was delivered, and after."""
    return (
        _streamed("U17", f"{name}-at-once", says(stream(said)), seen),
        _streamed(
            "U17",
            f"{name}-after-text",
            in_turn(begun(), then=says(framed(said), LAST)),
            broken(seen.reason, "hello "),
        ),
    )


def _odd(name: str, *pieces: bytes) -> Fault:
    return _streamed("U18", name, says(CHUNKED, *(framed(piece) for piece in pieces), END), ODD)


def byte_by_byte(peer: Peer) -> None:
    peer.send(CHUNKED, *(framed(bytes([byte])) for byte in b"".join(EVENTS)), END)


EVENTS = unescaped(TEXTS)
ALL = b"".join(EVENTS)
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": CANARY}}
LIMITED = {"error": {"message": CANARY, "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
NAMED = b"event: error\n" + event(ERROR)
SPLIT = b'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "hello"},\ndata: "finish_reason": "stop"}]}\n\n'

FAULTS = (
    _unary("U12", "longer-than-sent", says(whole("hello").replace(b"content-length: ", b"content-length: 9"))),
    _unary("U12", "no-last-chunk", says(CHUNKED.replace(b"event-stream", b"json") + framed(WHOLE))),
    _unary("U12", "inside-a-chunk", says(CHUNKED + b"fff\r\n" + WHOLE)),
    *_garbled("no-json", f"{{{CANARY}".encode()),
    *_garbled("no-utf-8", b'{"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}'),
    _misshapen("string-usage", usage="lots"),
    _misshapen("choices-of-text", choices=CANARY),
    _misshapen("content-of-numbers", choices=[{"index": 0, "message": {"content": 7}, "delta": {"content": 7}}]),
    _raw_shape("nan", b'{"choices": [], "usage": {"prompt_tokens": NaN}}'),
    _raw_shape("1e400", b'{"choices": [], "usage": {"prompt_tokens": 1e400}}'),
    _raw_shape("deep", b'{"choices": ' + b"[" * 50 + b"]" * 50 + b"}"),
    _raw_shape("deeper-than-any-stack", b'{"error": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    _unary("U14", "null-choices", says(body(b'{"choices": null}'))),
    _unary("U14", "no-choices", says(body(b"{}"))),
    _unary(
        "U14",
        "duplicate-keys",
        says(body(b'{"choices": null, "choices": ' + json.dumps(CHOICES).encode() + b"}")),
        OK,
    ),
    _unary("U15", "json-as-html", says(body(WHOLE, "text/html")), OK),
    _unary("U15", "json-as-nothing", says(body(WHOLE, "")), OK),
    _unary("U15", "events-for-json", says(stream(delta("hello", "stop"), DONE))),
    _streamed("U15", "json-for-events", says(whole("hello")), SENSELESS),
    _streamed("U15", "events-as-html", says(body(ALL, "text/html")), SENSELESS),
    _streamed("U15", "events-as-another-type", says(body(ALL, "text/event-streams")), SENSELESS),
    _streamed("U15", "events-as-nothing", says(body(ALL, "")), SENSELESS),
    _fault(
        "U15",
        "error-as-html",
        unary=says(body(json.dumps(ERROR).encode(), "text/html", status="503 X")),
        streamed=says(body(json.dumps(ERROR).encode(), "text/html", status="503 X")),
        seen=Seen(reason="UPSTREAM_5XX", is_billed=False),
    ),
    _fault(
        "U15",
        "error-for-an-answer",
        unary=says(body(json.dumps(ERROR).encode())),
        streamed=says(body(json.dumps(ERROR).encode())),
        seen=FAILED,
    ),
    _fault("U16", "html-page", unary=says(body(HTML, "text/html")), streamed=says(body(HTML, "text/html"))),
    _fault("U16", "html-as-json", unary=says(body(HTML)), streamed=says(stream(HTML))),
    *_error("named", NAMED, FAILED),
    *_error("of-its-own-field", b'error: {"code": 500, "message": "' + CANARY.encode() + b'"}\n\n', FAILED),
    *_error("whole", event({"object": "error", "message": CANARY, "code": 500}), FAILED),
    *_error("in-data", event(ERROR), FAILED),
    *_error("rate-limit", event(LIMITED), Seen(reason="PROVIDERS_RATE_LIMITED", retry_s=1.0)),
    _odd("crlf", ALL.replace(b"\n", b"\r\n")),
    _odd("bare-cr", ALL.replace(b"\n", b"\r")),
    _odd("bom", b"\xef\xbb\xbf" + ALL),
    _odd("comments", b": hello\n\n".join([b"", *EVENTS])),
    _odd("other-fields", b"".join(b"id: 1\nevent: message\nretry: 5\n" + one for one in EVENTS)),
    _odd("no-space", ALL.replace(b"data: ", b"data:")),
    _streamed("U18", "multi-line-data", says(stream(SPLIT, DONE)), OK),
    _streamed("U18", "one-byte-writes", byte_by_byte, ODD),
    _streamed(
        "U18",
        "megabyte-event",
        says(stream(delta(LONG_TEXT, "stop"), DONE)),
        Seen(reason="", text=LONG_TEXT, is_billed=False, within_s=1.0),
    ),
    _streamed("U18", "without-framing", says(close_delimited(*EVENTS)), ODD),
    Fault(
        row="U18",
        name="pings-only",
        script=asked(says(), trickles(CHUNKED, drop=framed(b"data: \n\n: ping\n\n"), every_s=0.05)),
        unary=None,
        streamed=SILENT,
        limits_s=SOON_ANSWERED,
    ),
)
