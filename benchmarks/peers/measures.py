"""One contender, alone on the server's core: its rate, what it adds to a call, what its streams cost, its memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

import uvloop

from benchmarks import h2load
from benchmarks.figures import Kind
from benchmarks.h2load import JSON_HEADERS, Load, Shot
from benchmarks.pair import CONNECTIONS, IN_FLIGHT, Sample
from benchmarks.payload import ANSWER_TOKENS, Ask
from benchmarks.peers.contenders import Contender
from benchmarks.processes import MeasurementFailed
from benchmarks.rig import Rig

WARM_UP_CALLS = 200
STREAM_TOKENS, STREAM_RATE = 128, 50.0

KINDS = (
    Kind(name="complete", unit="requests/s"),
    Kind(name="complete_wall", unit="requests/s"),
    Kind(name="added_latency_p50", unit="ms"),
    Kind(name="added_latency_p99", unit="ms"),
    Kind(name="stream_chunks", unit="chunks/s"),
    Kind(name="memory_rest", unit="MiB"),
    Kind(name="memory_loaded", unit="MiB"),
    Kind(name="cold_start", unit="s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: seconds of load for a rate, calls for a latency, streams at once."""

    repeats: int
    rate_s: float
    calls: int
    streams: int


FULL = Sizes(repeats=5, rate_s=3.0, calls=500, streams=32)
QUICK = Sizes(repeats=1, rate_s=0.7, calls=100, streams=8)


def measured(rig: Rig, contender: Contender, sizes: Sizes) -> Iterator[Sample]:
    """Every figure of it once."""
    yield Sample(figure="cold_start", value=contender.first_answer_s)
    yield Sample(figure="memory_rest", value=contender.resident_mib())
    rig.judge.pace(tokens_per_s=0, output_tokens=ANSWER_TOKENS)
    yield from _rates(rig, contender, sizes)
    yield from _latencies(rig, contender, sizes)
    yield from _streams(rig, contender, sizes)
    yield Sample(figure="memory_loaded", value=contender.resident_mib())


def _rates(rig: Rig, contender: Contender, sizes: Sizes) -> Iterator[Sample]:
    """Calls for each second of CPU time, and by the clock, with as many in flight as in `make bench`."""
    connections = IN_FLIGHT if contender.shot.is_http1 else CONNECTIONS

    def rate(calls: int) -> float:
        load = Load(calls=calls, in_flight=IN_FLIGHT, connections=connections)
        rig.judge.begin()
        per_s = h2load.rate(contender.shot, load, rig.scratch)
        rig.judge.expect(calls, what=f"completions through {contender.name}")
        return per_s

    calls = max(IN_FLIGHT, round(rate(WARM_UP_CALLS) * sizes.rate_s))
    before_s = contender.cpu_s()
    by_the_clock = rate(calls)
    yield Sample(figure="complete", value=calls / (contender.cpu_s() - before_s))
    yield Sample(figure="complete_wall", value=by_the_clock)


def _latencies(rig: Rig, contender: Contender, sizes: Sizes) -> Iterator[Sample]:
    """One call in flight, less the same answer had from the upstream directly."""
    load = Load(calls=sizes.calls, in_flight=1, connections=1)

    def percentiles_ms(shot: Shot) -> tuple[float, float]:
        rig.judge.begin()
        cuts = quantiles(h2load.latencies_s(shot, load, rig.scratch), n=100)
        rig.judge.expect(load.calls, what="one call in flight")
        return cuts[49] * 1e3, cuts[98] * 1e3

    body = Ask(output_tokens=ANSWER_TOKENS, is_stream=False).to_upstream()
    direct = percentiles_ms(Shot(url=rig.upstream_url, body=body, headers=JSON_HEADERS, is_http1=True))
    through = percentiles_ms(contender.shot)
    yield Sample(figure="added_latency_p50", value=through[0] - direct[0])
    yield Sample(figure="added_latency_p99", value=through[1] - direct[1])


def _streams(rig: Rig, contender: Contender, sizes: Sizes) -> Iterator[Sample]:
    """Chunks for each second of CPU time, at a rate that the slowest can about follow, and the text held to the log."""
    rig.judge.pace(tokens_per_s=STREAM_RATE, output_tokens=STREAM_TOKENS)
    rig.judge.begin()
    before_s = contender.cpu_s()
    read = uvloop.run(contender.read(sizes.streams, STREAM_TOKENS))
    spent_s = contender.cpu_s() - before_s
    seen = rig.judge.expect(sizes.streams, what=f"streams through {contender.name}")
    if read.texts != seen.texts:
        raise MeasurementFailed(f"the texts that came through {contender.name} are not those that the upstream sent")
    yield Sample(figure="stream_chunks", value=seen.output_tokens / spent_s)
