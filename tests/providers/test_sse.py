"""Server-sent events: the framing rules as a table, and that it never matters where the bytes are cut."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.providers.sse import BOM, EventSplitter, EventTooLarge

MIB = 1024 * 1024

STREAMS = [
    pytest.param(b"data: one\n\ndata: two\n\n", [b"one", b"two"], id="lf"),
    pytest.param(b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"], id="crlf"),
    pytest.param(b"data: one\r\rdata: two\r\r", [b"one", b"two"], id="bare-cr"),
    pytest.param(b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r", [b"a\nb\nc", b"d"], id="mixed-ends"),
    pytest.param(b"data: a\r\n\ndata: b\r\r\n", [b"a", b"b"], id="blank-lines-of-another-kind"),
    pytest.param(BOM + b"data: one\n\n", [b"one"], id="bom"),
    pytest.param(BOM + BOM + b"data: lost\n\ndata: one\n\n", [b"one"], id="second-bom-is-no-bom"),
    pytest.param(b"data: one\n\n" + BOM + b"data: lost\n\n", [b"one"], id="bom-later-is-no-bom"),
    pytest.param(b"\xef\xbbdata: lost\n\ndata: one\n\n", [b"one"], id="half-a-bom"),
    pytest.param(b": ping\n\n: ping\n\ndata: one\n\n", [b"one"], id="comments"),
    pytest.param(b"data: a\n: between\ndata: b\n\n", [b"a\nb"], id="comment-inside-an-event"),
    pytest.param(b":\n\n:\r\n\r\n", [], id="pings-only"),
    pytest.param(b"data: a\ndata: b\ndata: c\n\n", [b"a\nb\nc"], id="several-data-lines"),
    pytest.param(b"data: a\ndata:\ndata: c\n\n", [b"a\n\nc"], id="empty-data-line-between"),
    pytest.param(b"data:one\n\n", [b"one"], id="no-space"),
    pytest.param(b"data:  one \n\n", [b" one "], id="one-space-is-dropped-and-no-more"),
    pytest.param(b"data\n\n", [b""], id="data-alone"),
    pytest.param(b"data:\n\n", [b""], id="data-empty"),
    pytest.param(b"data\ndata\n\n", [b"\n"], id="data-alone-twice"),
    pytest.param(b"event: x\nid: 7\nretry: 9\ndata: one\n\n", [b"one"], id="other-fields"),
    pytest.param(b"event: x\n\nid: 7\n\n", [], id="events-without-data"),
    pytest.param(b"datum: x\nDATA: x\n data: x\ndatax\nerrors: x\n\n", [], id="unknown-fields"),
    pytest.param(
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n\n".encode(),
        ["a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode()],
        id="ends-that-are-none",
    ),
    pytest.param(b"data: a\x00b\n\n", [b"a\x00b"], id="nul"),
    pytest.param("data: zażółć 🦊\n\n".encode(), ["zażółć 🦊".encode()], id="utf-8"),
    pytest.param(b"data: \xff\xfe\n\n", [b"\xff\xfe"], id="no-utf-8"),
    pytest.param(b"\n\n\n\r\rdata: one\n\n\n\n", [b"one"], id="blank-lines"),
    pytest.param(b"data: one\n\ndata: unfinished\n", [b"one"], id="without-a-blank-line-it-is-no-event"),
    pytest.param(b"data: one\n\ndata: unfin", [b"one"], id="cut-in-a-line"),
    pytest.param(b"", [], id="nothing"),
]


def events(pieces: Iterable[bytes], *, max_event_bytes: int = MIB) -> list[bytes]:
    splitter = EventSplitter(max_event_bytes=max_event_bytes)
    return [event.data for piece in pieces for event in splitter.feed(piece)]


@pytest.mark.parametrize(
    "stream",
    [b"event: error\ndata: x\n\n", b"data: x\nevent:error\n\n", b"error: x\n\n", b"event: ping\n\nerror: x\r\n\r\n"],
)
def test_errors_are_told_from_other_events(stream: bytes) -> None:
    whole = b"event: error\n\ndata: before\n\n" + stream + b"data: after\n\n"
    for pieces in ([whole], [whole[i : i + 1] for i in range(len(whole))]):
        splitter = EventSplitter(max_event_bytes=MIB)
        found = [event for piece in pieces for event in splitter.feed(piece)]
        assert [(event.data.strip(), event.is_error) for event in found] == [
            (b"before", False),
            (b"x", True),
            (b"after", False),
        ]


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    return [stream[a:b] for a, b in pairwise([0, *sorted(places), len(stream)])]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_events(stream: bytes, expected: list[bytes]) -> None:
    assert events([stream]) == expected


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_one_cut_anywhere_changes_nothing(stream: bytes, expected: list[bytes]) -> None:
    for place in range(len(stream) + 1):
        assert events(cut(stream, [place])) == expected, place


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_single_bytes_with_nothing_between_them_change_nothing(stream: bytes, expected: list[bytes]) -> None:
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    assert events(pieces) == expected
    assert events([p for piece in pieces for p in (b"", piece)]) == expected


ODD_STREAMS = st.lists(
    st.sampled_from(
        [b"data", b":", b": ", b"\r", b"\n", b"\r\n", b"\n\n", b"x", b"event: e", BOM, b"\xef", b"\xbb", b"\x00"]
    ),
    max_size=40,
).map(b"".join)


@given(ODD_STREAMS | st.binary(max_size=60), st.data())
def test_any_stream_cut_anywhere_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert events(cut(stream, places)) == events([stream])


@given(ODD_STREAMS, st.integers(4, 30), st.data())
def test_the_cap_does_not_depend_on_the_cuts(stream: bytes, cap: int, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    assert is_too_large(cut(stream, places), cap) == is_too_large([stream], cap)


def is_too_large(pieces: list[bytes], cap: int) -> bool:
    try:
        events(pieces, max_event_bytes=cap)
    except EventTooLarge:
        return True
    return False


@pytest.mark.parametrize(
    ("stream", "is_over"),
    [
        pytest.param(b"data: 3456789\n\n", False, id="at-the-cap"),
        pytest.param(b"data: 34567890123\n\n", True, id="one-line"),
        pytest.param(b"data: 34567890123", True, id="a-line-without-end"),
        pytest.param(b"data: 34\ndata: 34\n\n", True, id="several-lines"),
        pytest.param(b"data\n" * 4, True, id="lines-without-payload"),
        pytest.param(b":" + b"x" * 20, True, id="a-comment-without-end"),
        pytest.param(b": 34567890\n" * 9 + b"data: 3456789\n\n", False, id="many-comments"),
        pytest.param(b"data: 3456789\n\n" * 9, False, id="many-events"),
    ],
)
def test_an_event_that_is_too_large_is_refused(stream: bytes, *, is_over: bool) -> None:
    assert is_too_large([stream], 15) is is_over
    assert is_too_large([stream[i : i + 1] for i in range(len(stream))], 15) is is_over


@pytest.mark.parametrize(
    "line", [b"data: " + b"x" * 399_994, b"data: 3456", b"data"], ids=["one-line", "short-lines", "bare-lines"]
)
def test_one_byte_feeding_costs_the_same_for_each_byte(line: bytes) -> None:
    """The bound is that this test ends: work that grew with what is held would take minutes for each of the shapes."""
    lines = 400_000 // len(line)
    stream = (line + b"\n") * lines + b"\n"
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    assert events(pieces) == [b"\n".join([line[6:]] * lines)]


def test_an_event_of_a_mebibyte_is_whole() -> None:
    payload = bytes(range(32, 127)) * (MIB // 95)
    stream = b"data: " + payload + b"\n\n"
    pieces = [stream[i : i + 1400] for i in range(0, len(stream), 1400)]
    assert events(pieces, max_event_bytes=2 * MIB) == [payload]
