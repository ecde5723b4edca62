"""U23 to U25: providers that send more than anybody asked for."""

from __future__ import annotations

import gzip

from tests.faults.fault import PATIENT, Fault, Seen, Trial
from tests.faults.scripts import Act, asked, begun, body, floods, says, trickles
from tests.faults.silences import SENSELESS
from tests.faults.stage import CAP_MIB, Played, Stage
from tests.harness.raw import CHUNKED, delta, framed, head, whole

MIB = 1024 * 1024
BLOCK = b"x" * 64 * 1024
TOO_LARGE = Seen(reason="UPSTREAM_RESPONSE_TOO_LARGE", within_s=1.0)
CAPPED = Seen(reason="UPSTREAM_RESPONSE_TOO_LARGE", text=None, within_s=2.0)
AT_THE_DEADLINE = Seen(reason="CALLER_DEADLINE", text=None, within_s=0.6)
WHOLE = whole("hello").partition(b"\r\n\r\n")[2]
ZEROS = gzip.compress(bytes(10 * MIB)) * 100
"""A hundred members of ten mebibytes each: one of the two that become a gibibyte."""
ZSTD_BLOCKS = b"\x28\xb5\x2f\xfd\x00\x58" + b"\x02\x00\x10\x00" * 8191 + b"\x03\x00\x10\x00"
"""The other: a frame of blocks that each repeat one byte 131072 times."""


def delivers_a_part(stage: Stage, trial: Trial, played: Played) -> None:
    assert 0 < len(played.text) <= CAP_MIB * MIB


def _flood(name: str, *, unary: Act, streamed: Act, seen: Seen) -> Fault:
    return Fault(row="U23", name=name, script=asked(unary, streamed), unary=seen, streamed=seen, most_mib=2 * CAP_MIB)


def _bomb(name: str, encoding: str, data: bytes) -> Fault:
    encoded = f"content-encoding: {encoding}"
    return Fault(
        row="U25",
        name=name,
        script=asked(says(body(data, "application/json", encoded)), says(body(data, "text/event-stream", encoded))),
        unary=SENSELESS,
        streamed=SENSELESS,
        most_mib=2 * CAP_MIB,
    )


GIBIBYTE = body(b"", "application/json").replace(b"content-length: 0", b"content-length: 1073741824")
HEADERS = says(head("200 OK", *(f"x-{number}: x" for number in range(10_000)), "content-length: 0"))
LONG_HEADER = says(head("200 OK", f"x-long: {'x' * MIB}", "content-length: 0"))

FAULTS = (
    _flood(
        "gibibyte",
        unary=floods(GIBIBYTE + b'{"choices": "', BLOCK, 16 * 1024),
        streamed=floods(CHUNKED + framed(b"data: "), framed(BLOCK), 1600),
        seen=TOO_LARGE,
    ),
    _flood("mebibyte-of-head", unary=LONG_HEADER, streamed=LONG_HEADER, seen=SENSELESS),
    _flood("ten-thousand-headers", unary=HEADERS, streamed=HEADERS, seen=SENSELESS),
    Fault(
        row="U24",
        name="endless-at-full-speed",
        script=asked(says(), floods(begun(), framed(delta("x" * 1000) * 50), 10_000)),
        unary=None,
        streamed=CAPPED,
        limits_s=PATIENT,
        also=delivers_a_part,
    ),
    Fault(
        row="U24",
        name="endless-until-the-deadline",
        script=asked(says(), trickles(begun(), drop=framed(delta("x")), every_s=0.05)),
        unary=None,
        streamed=AT_THE_DEADLINE,
        timeout_s=0.6,
        also=delivers_a_part,
    ),
    _bomb("gzip-bomb", "gzip", ZEROS),
    _bomb("zstd-bomb", "zstd", ZSTD_BLOCKS),
    _bomb("gzip-as-brotli", "br", ZEROS),
    Fault(
        row="U25",
        name="plain-as-gzip",
        script=asked(says(body(WHOLE, "application/json", "content-encoding: gzip"))),
        unary=Seen(reason="", text="hello", is_billed=False),
        streamed=None,
    ),
)
