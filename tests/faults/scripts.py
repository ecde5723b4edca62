"""What faulty providers do once they have read a request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from tests.harness.hosts import Peer, Script
from tests.harness.raw import CHUNKED, DONE, END, delta, framed, head, stream, whole

Act = Callable[[Peer], None]


def asked(unary: Act, streamed: Act | None = None) -> Script:
    """Read a request and do what its form asks for; without `streamed` the same for both."""

    def script(peer: Peer) -> None:
        is_stream = peer.request().is_stream
        (streamed if is_stream and streamed is not None else unary)(peer)

    return script


def says(*pieces: bytes) -> Act:
    """All of it at once, and then the connection's end in order."""
    return lambda peer: peer.send(*pieces)


def holds(*pieces: bytes) -> Act:
    """All of it at once, and then nothing, until the client leaves."""

    def act(peer: Peer) -> None:
        peer.send(*pieces)
        peer.await_gone()

    return act


SILENCE = holds()


def in_turn(*pieces: bytes, then: Act = SILENCE) -> Act:
    """Each piece once the caller has the one before, `then` once it has the last."""

    def act(peer: Peer) -> None:
        for seen, piece in enumerate(pieces, start=1):
            peer.send(piece)
            peer.await_seen(seen)
        then(peer)

    return act


def trickles(*pieces: bytes, drop: bytes, every_s: float) -> Act:
    """The pieces, and then `drop` again and again."""

    def act(peer: Peer) -> None:
        peer.send(*pieces)
        while True:
            peer.wait(every_s)
            peer.send(drop)

    return act


def floods(first: bytes, more: bytes, times: int) -> Act:
    """`first`, and then `more` as fast as it is taken."""

    def act(peer: Peer) -> None:
        peer.send(first)
        for _ in range(times):
            peer.send(more)

    return act


def resets(peer: Peer) -> None:
    peer.reset()


def begun(text: str = "hello ") -> bytes:
    """The head of a stream and its first words."""
    return CHUNKED + framed(delta(text))


def body(data: bytes, media_type: str = "application/json", *headers: str, status: str = "200 OK") -> bytes:
    """An answer with this body, of whatever kind; without a media type none is named."""
    named = (f"content-type: {media_type}",) if media_type else ()
    return head(status, *named, f"content-length: {len(data)}", *headers) + data


def refusal(status: int, *headers: str, error: object = "no") -> bytes:
    """An error in order, which says that the connection ends with it: whoever comes again needs another."""
    text = json.dumps({"error": error}).encode()
    return body(text, "application/json", "connection: close", *headers, status=f"{status} X")


def unescaped(texts: Sequence[str]) -> list[bytes]:
    """The events of a stream of these texts, in which every character stands for itself."""
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return [f"data: {json.dumps(d, ensure_ascii=False)}\n\n".encode() for d in [*deltas, last]] + [DONE]


def close_delimited(*events: bytes) -> bytes:
    """A stream that only the connection's end ends."""
    return head("200 OK", "content-type: text/event-stream") + b"".join(events)


LAST = framed(delta("world", "stop") + DONE) + END
SERVED = "served elsewhere"


def well(peer: Peer) -> None:
    """A provider without a fault, which keeps its connections."""
    while True:
        is_stream = peer.request().is_stream
        peer.send(stream(delta(SERVED, "stop"), DONE) if is_stream else whole(SERVED))
