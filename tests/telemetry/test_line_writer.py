"""Lines from a thread of their own: whole, in order, and nobody waits for whoever reads them."""

from __future__ import annotations

import fcntl
import os
import select
import time
from collections.abc import Iterator

import pytest

from router_service.telemetry.line_writer import MAX_HELD_BYTES, LineWriter
from tests.harness.processes import wait_until

PATIENCE_S = 5.0
LONG = b"x" * 1000


class Pipe:
    """A pipe with a writer at its one end and the test at the other."""

    def __init__(self, *, is_blocking: bool) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, is_blocking)
        self.writer = LineWriter(self.writing, lost_line)

    def until(self, last: bytes) -> list[bytes]:
        """Every line up to one that begins with `last`."""
        return lines_until(self.reading, last)


def lines_until(descriptor: int, last: bytes) -> list[bytes]:
    text = b""
    while not (text.endswith(b"\n") and text.splitlines()[-1].startswith(last)):
        assert select.select([descriptor], [], [], PATIENCE_S)[0], text[-200:]
        text += os.read(descriptor, 65536)
    return text.removesuffix(b"\n").split(b"\n")


def lost_line(count: int) -> bytes:
    return b"lost %d" % count


@pytest.fixture(params=[True, False], ids=["blocking", "non-blocking"])
def pipe(request: pytest.FixtureRequest) -> Iterator[Pipe]:
    made = Pipe(is_blocking=request.param)
    yield made
    os.close(made.reading)
    made.writer.close(PATIENCE_S)
    os.close(made.writing)


def test_lines_come_out_by_themselves_and_in_order(pipe: Pipe) -> None:
    lines = [b"%d" % i for i in range(1000)]
    for line in lines:
        pipe.writer.put(line)
    assert pipe.until(b"999") == lines


def test_log_that_nobody_reads_keeps_nobody_waiting_and_is_whole_once_it_is_read(pipe: Pipe) -> None:
    lines = [LONG + b"%d" % i for i in range(1000)]
    started = time.monotonic()
    for line in lines:
        pipe.writer.put(line)
    assert time.monotonic() - started < 0.5
    assert pipe.until(lines[-1]) == lines


def test_what_is_too_much_is_dropped_and_told_where_it_is_missing(pipe: Pipe) -> None:
    lines = [LONG + b"%d" % i for i in range(3 * MAX_HELD_BYTES // len(LONG))]
    for line in lines:
        pipe.writer.put(line)
    assert pipe.writer.lost > 0
    *kept, told = pipe.until(b"lost")
    assert kept == lines[: len(kept)]
    assert told == lost_line(len(lines) - len(kept))
    pipe.writer.put(b"again")
    assert pipe.until(b"again") == [b"again"]


def test_line_that_an_error_cut_is_lost_and_the_next_begins_anew() -> None:
    pipe = Pipe(is_blocking=False)
    capacity = fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ)
    lines = [LONG] * 200
    for line in lines:
        pipe.writer.put(line)
    wait_until(lambda: not select.select([], [pipe.writing], [], 0)[1], within_s=PATIENCE_S, what="the pipe is full")
    os.close(pipe.reading)
    wait_until(lambda: pipe.writer.lost > 0, within_s=PATIENCE_S, what="the error is noticed")
    reading, writing = os.pipe()
    os.dup2(writing, pipe.writing)
    pipe.writer.put(b"again")
    lost = len(lines) - capacity // (len(LONG) + 1)
    assert lines_until(reading, b"lost") == [b"", b"again", lost_line(lost)]
    pipe.writer.close()
    for descriptor in (reading, writing, pipe.writing):
        os.close(descriptor)


def test_errors_are_added_up_until_lines_are_taken_again() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LineWriter(descriptor, lost_line)
    for expected in (3, 6):
        for _ in range(3):
            writer.put(b"never")
        wait_until(lambda lost=expected: writer.lost == lost, within_s=PATIENCE_S, what="the lines are counted")  # type: ignore[misc]
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    writer.put(b"again")
    assert lines_until(reading, b"lost") == [b"again", lost_line(6)]
    writer.close()
    for each in (reading, writing, descriptor):
        os.close(each)


def test_closing_writes_what_is_held_and_drops_what_comes_after(pipe: Pipe) -> None:
    pipe.writer.put(b"last")
    pipe.writer.close()
    pipe.writer.put(b"never")
    assert pipe.until(b"last") == [b"last"]
    assert pipe.writer.lost == 1


def test_closing_is_bounded_where_nobody_reads(pipe: Pipe) -> None:
    for _ in range(200):
        pipe.writer.put(LONG)
    started = time.monotonic()
    pipe.writer.close(0.2)
    assert 0.2 <= time.monotonic() - started < 1.0
