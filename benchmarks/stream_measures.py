"""What streams cost: their chunks, the first of them, and the memory that an open one holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

import uvloop

from benchmarks.pair import CONNECTIONS, Pair, Sample, Sizes
from benchmarks.payload import Ask
from benchmarks.processes import MeasurementFailed
from benchmarks.rig import STREAM_TOKENS, Subject
from benchmarks.streams import first_chunks_s, hold_open, read_many, upstream_first_chunks_s

STREAM_RATE = 200.0
SHORT_STREAM_TOKENS, SHORT_STREAM_RATE = 4, 1000.0
STREAM_ASK = Ask(output_tokens=STREAM_TOKENS, is_stream=True)
IDLE_STREAM_TOKENS, IDLE_STREAM_RATE = 2, 0.25
WARM_UP_STREAMS = 64
SHORT_STREAM_ASK = Ask(output_tokens=SHORT_STREAM_TOKENS, is_stream=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relayed:
    chunks_per_cpu_s: float
    messages_per_chunk: float


def chunks(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
    """Many streams whose chunks come one by one.

    Where a relay falls behind it finds several chunks in one read and passes them on as one message, which costs less:
    a rate at saturation would only say how much more was offered. So the rate is lower, and the CPU time is counted.
    """
    pair.rig.judge.pace(tokens_per_s=STREAM_RATE, output_tokens=STREAM_TOKENS)

    def measure(subject: Subject) -> _Relayed:
        pair.rig.judge.begin()
        cpu_s = subject.cpu_s()
        ask = STREAM_ASK.to_router()
        read = uvloop.run(
            read_many(subject.address, ask, streams=sizes.streams, connections=CONNECTIONS, is_router=subject.is_router)
        )
        cpu_s = subject.cpu_s() - cpu_s
        seen = pair.rig.judge.expect(sizes.streams, what="StreamComplete")
        if subject.is_router and read.texts != seen.texts:
            raise MeasurementFailed("the texts that came through the router are not those that the upstream sent")
        chunks = seen.output_tokens
        return _Relayed(chunks_per_cpu_s=chunks / cpu_s, messages_per_chunk=read.messages / chunks)

    router, floor = pair.each(measure)
    yield Sample(figure="stream_chunks", value=router.chunks_per_cpu_s, floor=floor.chunks_per_cpu_s)
    yield Sample(figure="stream_messages_per_chunk", value=router.messages_per_chunk, floor=floor.messages_per_chunk)


def first_chunks(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
    pair.rig.judge.pace(tokens_per_s=SHORT_STREAM_RATE, output_tokens=SHORT_STREAM_TOKENS)
    ask, streams = SHORT_STREAM_ASK, sizes.first_chunks

    def p50_ms(subject: Subject) -> float:
        reading = first_chunks_s(subject.address, ask.to_router(), streams=streams, is_router=subject.is_router)
        times = pair.judged("one stream in flight", streams, lambda: uvloop.run(reading))
        return quantiles(times, n=2)[0] * 1e3

    reading = upstream_first_chunks_s(pair.rig.simulator, ask.to_upstream(), streams=streams)
    direct = pair.judged("one stream of the upstream", streams, lambda: uvloop.run(reading))
    upstream_ms = quantiles(direct, n=2)[0] * 1e3
    router_ms, floor_ms = pair.each(p50_ms)
    yield Sample(figure="stream_first_chunk", value=router_ms - upstream_ms, floor=floor_ms - upstream_ms)


def memory(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
    """Streams that have begun and wait for their second chunk: by how much the process grows for each of them.

    Some are read to their ends before: what the first streams of a process load and set up is no stream's own.
    """

    ask = Ask(output_tokens=IDLE_STREAM_TOKENS, is_stream=True).to_router()

    def per_stream_kib(subject: Subject) -> float:
        pair.rig.judge.pace(tokens_per_s=0, output_tokens=IDLE_STREAM_TOKENS)
        uvloop.run(
            read_many(
                subject.address, ask, streams=WARM_UP_STREAMS, connections=CONNECTIONS, is_router=subject.is_router
            )
        )
        pair.rig.judge.pace(tokens_per_s=IDLE_STREAM_RATE, output_tokens=IDLE_STREAM_TOKENS)
        before_mib = subject.resident_mib()
        holding = hold_open(
            subject.address,
            ask,
            streams=sizes.idle_streams,
            connections=CONNECTIONS,
            is_router=subject.is_router,
            weigh=subject.resident_mib,
        )
        open_mib = pair.judged("streams held open", sizes.idle_streams, lambda: uvloop.run(holding))
        return (open_mib - before_mib) * 1024 / sizes.idle_streams

    router, floor = pair.each(per_stream_kib)
    yield Sample(figure="memory_per_stream", value=router, floor=floor)
