"""U01 to U05: providers that cannot be reached, or not at once."""

from __future__ import annotations

from pathlib import Path

from tests.faults.fault import CONNECT_S, PATIENT, QUICK_S, QUICKLY_CONNECTED, SHORT_S, Fault, Place, Seen, Trial
from tests.faults.scripts import asked, says
from tests.faults.stage import KEY, Played, Stage
from tests.harness.hosts import Peer, Script
from tests.harness.processes import wait_until
from tests.harness.raw import DONE, delta, head, stream, whole

SYN_SENT = "02"
GREETS = asked(says(whole("hello")), says(stream(delta("hello", "stop"), DONE)))


def encrypted(context: str, *, after_s: float = 0.0) -> Script:
    """TLS with that certificate, begun late, and an ordinary provider behind it."""

    def script(peer: Peer) -> None:
        peer.wait(after_s)
        peer.encrypt(context)
        GREETS(peer)

    return script


def speaks_plainly(peer: Peer) -> None:
    peer.read()
    peer.send(head("400 Bad Request", "content-length: 0"))


def opening(port: int, *, but: frozenset[int]) -> list[str]:
    """The connections to that port that are being opened, other than from the ports that are named."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [row[1] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == SYN_SENT]
    return [local for local in found if int(local.partition(":")[2], 16) not in but]


def leaves_no_socket(stage: Stage, trial: Trial, played: Played) -> None:
    wait_until(lambda: not opening(stage.full, but=stage.fillers), within_s=1, what="no connection is being opened")


def asks_nobody(stage: Stage, trial: Trial, played: Played) -> None:
    assert played.host is not None
    assert played.host.connections == 0


def heard_nothing(stage: Stage, trial: Trial, played: Played) -> None:
    assert played.host is not None
    assert played.host.heard == b"", "not a byte came after the handshake"


def heard_no_key(stage: Stage, trial: Trial, played: Played) -> None:
    assert played.host is not None
    assert KEY.encode() not in played.host.heard


def counts_from_its_start(stage: Stage, trial: Trial, played: Played) -> None:
    """What a caller waits for its first token holds the connection's making. And whom we trust gets the key."""
    heard = b"" if played.host is None else played.host.heard
    assert KEY.encode() in heard
    [attempt] = played.answer.attempts
    if trial.is_stream:
        assert attempt.time_to_first_token.ToMilliseconds() >= 300


def _unreachable(reason: str, *, within_s: float) -> Seen:
    return Seen(reason=reason, is_billed=False, within_s=within_s)


REFUSED = _unreachable("UPSTREAM_CONNECT", within_s=0.05)
BLACK_HOLE = _unreachable("UPSTREAM_CONNECT", within_s=CONNECT_S)
UNKNOWN = _unreachable("UPSTREAM_DNS", within_s=CONNECT_S)
UNTRUSTED = _unreachable("UPSTREAM_TLS", within_s=SHORT_S)
UNSHAKEN = _unreachable("UPSTREAM_TLS", within_s=CONNECT_S)
GREETED = Seen(reason="", text="hello", is_billed=False, within_s=0.3 + QUICK_S)


def _nameless(name: str) -> Fault:
    return Fault(
        row="U03",
        name=name,
        script=GREETS,
        unary=UNKNOWN,
        streamed=UNKNOWN,
        url=f"https://{name}.test:{{port}}/v1",
        limits_s=QUICKLY_CONNECTED,
        is_sent=False,
        also=asks_nobody,
    )


def _untrusted(name: str, script: Script | None = None, *, seen: Seen = UNTRUSTED) -> Fault:
    return Fault(
        row="U04",
        name=name,
        script=script or encrypted(name),
        unary=seen,
        streamed=seen,
        url="https://127.0.0.1:{port}/v1",
        limits_s=QUICKLY_CONNECTED if seen is UNSHAKEN else PATIENT,
        is_sent=False,
        also=heard_no_key if script else heard_nothing,
    )


FAULTS = (
    Fault(row="U01", name="refused", script=GREETS, unary=REFUSED, streamed=REFUSED, place=Place.CLOSED, is_sent=False),
    Fault(
        row="U02",
        name="black-hole",
        script=GREETS,
        unary=BLACK_HOLE,
        streamed=BLACK_HOLE,
        place=Place.FULL,
        limits_s=QUICKLY_CONNECTED,
        is_sent=False,
        also=leaves_no_socket,
    ),
    _nameless("nxdomain"),
    _nameless("servfail"),
    _nameless("hanging"),
    _untrusted("expired"),
    _untrusted("other-host"),
    _untrusted("self-signed"),
    _untrusted("stranger"),
    _untrusted("plain-http", speaks_plainly),
    _untrusted("handshake-hangs", Peer.await_gone, seen=UNSHAKEN),
    Fault(
        row="U05",
        name="late-handshake",
        script=encrypted("trusted", after_s=0.3),
        unary=GREETED,
        streamed=GREETED,
        url="https://127.0.0.1:{port}/v1",
        limits_s={**PATIENT, "connect": 2},
        also=counts_from_its_start,
    ),
)
