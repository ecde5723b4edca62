"""U06 to U11: providers that fall silent or break off."""

from __future__ import annotations

from tests.faults.fault import ANSWER_S, PATIENT, SHORT_S, SOON_ANSWERED, Fault, Seen, Trial
from tests.faults.scripts import Act, asked, begun, close_delimited, holds, in_turn, resets, says, trickles, unescaped
from tests.faults.stage import Played, Stage
from tests.harness.hosts import Script
from tests.harness.raw import CHUNKED, END, delta, framed, head

SILENT = Seen(reason="UPSTREAM_TIMEOUT", within_s=ANSWER_S)
LOST = Seen(reason="UPSTREAM_CONNECT")
SENSELESS = Seen(reason="UPSTREAM_BAD_RESPONSE")
JSON_HEAD = head("200 OK", "content-type: application/json", "content-length: 1000")
THREE = ("one ", "two ", "three ")
CUT_CHARACTER = unescaped(["東京"])[0].partition("京".encode())[0] + "京".encode()[:1]


def broken(cause: str, *texts: str, within_s: float = SHORT_S) -> Seen:
    return Seen(reason="STREAM_INTERRUPTED", text="".join(texts), cause=cause, within_s=within_s)


def second_begins_at_the_limit(stage: Stage, trial: Trial, played: Played) -> None:
    if trial.has_second:
        first, second = played.answer.attempts
        pause_s = (second.start_time.ToNanoseconds() - first.start_time.ToNanoseconds()) / 1e9
        assert ANSWER_S - 0.05 <= pause_s <= ANSWER_S + 0.5


def says_nothing_before_it_knows(stage: Stage, trial: Trial, played: Played) -> None:
    if trial.is_stream and not trial.has_second:
        assert "x-signalbox-request-id" not in played.metadata, "no head before the first valid event"


def counts_its_pieces(stage: Stage, trial: Trial, played: Played) -> None:
    assert played.pieces == list(THREE)


def _silent(row: str, name: str, script: Script) -> Fault:
    also = second_begins_at_the_limit if row == "U06" else says_nothing_before_it_knows
    return Fault(row=row, name=name, script=script, unary=SILENT, streamed=SILENT, limits_s=SOON_ANSWERED, also=also)


def _cut(name: str, *, before: Act, after: Act) -> tuple[Fault, Fault]:
    """A stream that ends in order where it should not, before anything was delivered and after it."""
    return (
        Fault(row="U11", name=f"{name}-at-once", script=asked(before), unary=None, streamed=SENSELESS),
        Fault(
            row="U11",
            name=f"{name}-after-text",
            script=asked(after),
            unary=None,
            streamed=broken("UPSTREAM_BAD_RESPONSE", "hello "),
        ),
    )


def _cut_inside(name: str, piece: bytes) -> tuple[Fault, Fault]:
    """Whole by HTTP's own framing, so that only the events tell."""
    rest = framed(piece) + END
    return _cut(name, before=says(CHUNKED + rest), after=in_turn(begun(), then=says(rest)))


FAULTS = (
    _silent("U06", "no-head", asked(holds())),
    _silent("U06", "half-a-head", asked(holds(JSON_HEAD[:30]))),
    _silent("U07", "no-body", asked(holds(JSON_HEAD), holds(CHUNKED))),
    _silent(
        "U08",
        "trickle",
        asked(trickles(JSON_HEAD, drop=b" ", every_s=0.05), trickles(CHUNKED, drop=framed(b":"), every_s=0.05)),
    ),
    _silent(
        "U08",
        "trickle-of-pings",
        asked(
            trickles(JSON_HEAD, drop=b"\n", every_s=0.05), trickles(CHUNKED, drop=framed(b": ping\n\n"), every_s=0.05)
        ),
    ),
    _silent("U08", "trickle-of-a-head", asked(trickles(b"HTTP/1.1 200 OK\r\nx-slow: ", drop=b"x", every_s=0.05))),
    Fault(
        row="U09",
        name="stall-after-three",
        script=asked(holds(), in_turn(begun(THREE[0]), *(framed(delta(text)) for text in THREE[1:]))),
        unary=None,
        streamed=broken("UPSTREAM_TIMEOUT", *THREE, within_s=ANSWER_S + SHORT_S),
        limits_s={**PATIENT, "gap": ANSWER_S},
        also=counts_its_pieces,
    ),
    Fault(row="U10", name="closed-without-an-answer", script=asked(says()), unary=LOST, streamed=LOST),
    Fault(
        row="U10",
        name="reset",
        script=asked(resets, in_turn(begun(), then=resets)),
        unary=LOST,
        streamed=broken("UPSTREAM_BAD_RESPONSE", "hello "),
    ),
    *_cut("closed", before=says(CHUNKED), after=in_turn(begun(), then=says())),
    *_cut("ended", before=says(CHUNKED + END), after=in_turn(begun(), then=says(END))),
    *_cut(
        "without-framing",
        before=says(close_delimited()),
        after=in_turn(close_delimited(delta("hello ")), then=says()),
    ),
    *_cut_inside("inside-an-event", b'data: {"choices": [{"ind'),
    *_cut_inside("inside-a-character", CUT_CHARACTER),
    *_cut_inside("without-done", b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'),
)
