"""The readers of streams, against a real simulator and a real router: whole texts, or a failure that says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from benchmarks import sse
from benchmarks.h2load import JSON_HEADERS
from benchmarks.judge import Judge
from benchmarks.payload import Ask
from benchmarks.processes import MeasurementFailed
from benchmarks.streams import hold_open
from tests.harness.stack import Stack, routing

TOKENS = 6


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with routing(names=("alder",)) as stack:
        yield stack


@pytest.fixture
def judge(stack: Stack) -> Iterator[Judge]:
    with closing(Judge(stack.simulator.ready["simulator"])) as judge:
        judge.pace(tokens_per_s=0, output_tokens=TOKENS)
        judge.begin()
        yield judge


def completions(stack: Stack) -> str:
    return f"http://{stack.simulator.ready['simulator']}/alder/v1/chat/completions"


@pytest.mark.anyio
async def test_events_are_read_whole_and_counted(stack: Stack, judge: Judge) -> None:
    body = Ask(output_tokens=TOKENS, is_stream=True).to_upstream()
    read = await sse.read_many(completions(stack), body, JSON_HEADERS, streams=3)
    seen = judge.expect(3, what="streams")
    assert read.texts == seen.texts
    assert read.messages == seen.output_tokens == 3 * TOKENS


@pytest.mark.anyio
@pytest.mark.parametrize("fault", ["status=503", "truncate-after=2", "reset-after=2"])
async def test_events_that_are_refused_or_cut_are_no_measurement(stack: Stack, judge: Judge, fault: str) -> None:
    body = Ask(output_tokens=TOKENS, is_stream=True).to_upstream()
    with pytest.raises(MeasurementFailed, match="streams from http://"):
        await sse.read_many(completions(stack), body, {**JSON_HEADERS, "x-sim-fault": fault}, streams=2)


@pytest.mark.anyio
async def test_streams_are_weighed_while_all_are_open(stack: Stack, judge: Judge) -> None:
    judge.pace(tokens_per_s=4, output_tokens=2)
    ask = Ask(output_tokens=2, is_stream=True).to_router()
    seen: list[int] = []

    def weigh() -> float:
        seen.append(len(stack.witness.rows()))
        return 12.5

    weight = await hold_open(stack.address, ask, streams=5, connections=2, is_router=True, weigh=weigh)
    assert weight == 12.5
    assert seen == [0], "none had ended when they were weighed"
    judge.expect(5, what="streams")


@pytest.mark.anyio
async def test_streams_that_end_before_they_have_begun_are_no_measurement(stack: Stack, judge: Judge) -> None:
    ask = Ask(output_tokens=2, is_stream=True).to_router()
    stack.witness.break_provider("alder", "status=503")
    try:
        with pytest.raises(MeasurementFailed, match="a call ended with"):
            await hold_open(stack.address, ask, streams=2, connections=1, is_router=True, weigh=lambda: 0.0)
    finally:
        stack.witness.mend()
