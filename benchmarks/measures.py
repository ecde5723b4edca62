"""One repeat of everything: fresh processes, and each figure taken of the router and of the floor in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

import uvloop

from benchmarks import decision, h2load
from benchmarks.h2load import GRPC_HEADERS, JSON_HEADERS, Load, Shot
from benchmarks.payload import ANSWER_TOKENS, Ask, route_request
from benchmarks.processes import MeasurementFailed, core_busy_s
from benchmarks.rig import STREAM_TOKENS, Rig, Subject
from benchmarks.streams import first_chunks_s, read_many, upstream_first_chunks_s

IN_FLIGHT, CONNECTIONS = 64, 8
STREAM_RATE = 200.0
SHORT_STREAM_TOKENS, SHORT_STREAM_RATE = 4, 1000.0
WARM_UP_CALLS = 800
EXPORTED_WITHIN_S = 1.5
CEILING_CALLS_PER_S = 4_000
SAMPLED = {"traceparent": "00-5169676e616c626f7800000000000001-5169676e616c0001-01"}
"""A caller's own decision to have its trace kept, which the router follows."""

COMPLETE_ASK = Ask(output_tokens=ANSWER_TOKENS, is_stream=False)
STREAM_ASK = Ask(output_tokens=STREAM_TOKENS, is_stream=True)
SHORT_STREAM_ASK = Ask(output_tokens=SHORT_STREAM_TOKENS, is_stream=True)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured: seconds of load for a rate, calls and streams for a latency, streams at once."""

    repeats: int
    rate_s: float
    calls: int
    first_chunks: int
    streams: int


FULL = Sizes(repeats=5, rate_s=3.0, calls=2000, first_chunks=200, streams=128)
QUICK = Sizes(repeats=1, rate_s=0.7, calls=300, first_chunks=40, streams=128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a figure, and the floor's beside it where it has one."""

    figure: str
    value: float
    floor: float | None = None


def repeat(rig: Rig, sizes: Sizes, *, is_floor_first: bool) -> Iterator[Sample]:
    """Every figure once."""
    yield from _decisions()
    with (
        rig.router() as router,
        rig.floor(answer_bytes=router.answer_bytes, plan_bytes=router.plan_bytes) as floor,
    ):
        yield Sample(figure="cold_start", value=router.first_answer_s, floor=floor.first_answer_s)
        yield Sample(figure="memory_rest", value=router.resident_mib, floor=floor.resident_mib)
        pair = _Pair(rig, router, floor, is_floor_first=is_floor_first)
        for measure in (_ceiling, _latencies, _first_chunks, _streams, _rates, _routes):
            yield from measure(pair, sizes)
        yield Sample(figure="foreign_cpu", value=pair.foreign_share())


class _Pair:
    """The router and the floor, both up. Every other repeat asks the floor first, so that a drift favours neither."""

    def __init__(self, rig: Rig, router: Subject, floor: Subject, *, is_floor_first: bool) -> None:
        self.rig = rig
        self.router = router
        self.floor = floor
        self._order = (floor, router) if is_floor_first else (router, floor)
        self._own_s = router.cpu_s() + floor.cpu_s()
        self._busy_s = core_busy_s(rig.server_core)

    def each(self, measure: Callable[[Subject], _Value]) -> tuple[_Value, _Value]:
        """What it comes to for the router, and for the floor."""
        values = {subject.is_router: measure(subject) for subject in self._order}
        return values[True], values[False]

    def answer_at_once(self) -> None:
        """Have the upstream answer without any delay."""
        self.rig.judge.pace(tokens_per_s=0, output_tokens=ANSWER_TOKENS)

    def judged(self, what: str, calls: int, load: Callable[[], _Value]) -> _Value:
        """The result of a load, provided that the upstream saw exactly so many calls and answered them all."""
        self.rig.judge.begin()
        result = load()
        self.rig.judge.expect(calls, what=what)
        return result

    def foreign_share(self) -> float:
        """The share of the server core's work since the start that neither of the two has done."""
        busy_s = core_busy_s(self.rig.server_core) - self._busy_s
        own_s = self.router.cpu_s() + self.floor.cpu_s() - self._own_s
        return max(0.0, 1.0 - own_s / busy_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    per_cpu_s: float
    per_wall_s: float


def _ceiling(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
    """What the upstream itself can do on the core that it shares with the load: no figure behind it can be higher."""
    pair.answer_at_once()
    load = Load(calls=round(CEILING_CALLS_PER_S * sizes.rate_s), in_flight=IN_FLIGHT, connections=IN_FLIGHT)
    shot, scratch = _upstream(pair.rig), pair.rig.scratch
    rate = pair.judged("the upstream itself", load.calls, lambda: h2load.rate(shot, load, scratch))
    yield Sample(figure="upstream_ceiling", value=rate)


def _rates(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
    """Calls for each second of CPU time, which is the rate of a core that does nothing else.

    The rate by the clock is the same as long as the server's core is busy all the time and its own; where others take
    from either core, it falls to what they leave, and a ratio of two such rates says nothing.
    """

    pair.answer_at_once()

    def measure(subject: Subject) -> _Rate:
        warm = _rate(pair, subject, calls=WARM_UP_CALLS)
        return _rate(pair, subject, calls=round(warm.per_wall_s * sizes.rate_s))

    router, floor = pair.each(measure)
    yield Sample(figure="complete", value=router.per_cpu_s, floor=floor.per_cpu_s)
    yield Sample(figure="complete_wall", value=router.per_wall_s, floor=floor.per_wall_s)
    sampled = _rate(pair, pair.router, calls=round(router.per_wall_s * sizes.rate_s), is_sampled=True)
    yield Sample(figure="complete_sampled_all", value=sampled.per_cpu_s, floor=floor.per_cpu_s)


def _rate(pair: _Pair, subject: Subject, *, calls: int, is_sampled: bool = False) -> _Rate:
    load = Load(calls=calls, in_flight=IN_FLIGHT, connections=CONNECTIONS)
    shot = _complete(subject, is_sampled=is_sampled)
    cpu_s = subject.cpu_s()
    rate = pair.judged("Complete", calls, lambda: h2load.rate(shot, load, pair.rig.scratch))
    if is_sampled:
        # The last spans are still to be sent, and that counts.
        time.sleep(EXPORTED_WITHIN_S)
    return _Rate(per_cpu_s=calls / (subject.cpu_s() - cpu_s), per_wall_s=rate)


def _decisions() -> Iterator[Sample]:
    """The decision alone, in this process: microseconds by the number of targets, nothing but requests changing."""
    for size in decision.SIZES:
        yield Sample(figure=f"decision_{size}", value=decision.figures(size)[0])


def _routes(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
    """Plans for each second of CPU time, beside an empty call's answer of the same size. The upstream sees none."""

    def measure(subject: Subject) -> float:
        shot = Shot(url=subject.route_url, body=route_request(), headers=GRPC_HEADERS)
        warm = Load(calls=WARM_UP_CALLS, in_flight=IN_FLIGHT, connections=CONNECTIONS)
        rate = h2load.rate(shot, warm, pair.rig.scratch)
        load = Load(calls=round(rate * sizes.rate_s), in_flight=IN_FLIGHT, connections=CONNECTIONS)
        cpu_s = subject.cpu_s()
        pair.judged("Route", 0, lambda: h2load.rate(shot, load, pair.rig.scratch))
        return load.calls / (subject.cpu_s() - cpu_s)

    router, floor = pair.each(measure)
    yield Sample(figure="route", value=router, floor=floor)


def _latencies(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
    """One call in flight: what lies between the answer and the same answer had from the upstream directly."""
    pair.answer_at_once()
    load = Load(calls=sizes.calls, in_flight=1, connections=1)

    def percentiles_ms(shot: Shot) -> tuple[float, float]:
        times = pair.judged("one call in flight", load.calls, lambda: h2load.latencies_s(shot, load, pair.rig.scratch))
        cuts = quantiles(times, n=100)
        return cuts[49] * 1e3, cuts[98] * 1e3

    direct = percentiles_ms(_upstream(pair.rig))
    router, floor = pair.each(lambda subject: percentiles_ms(_complete(subject)))
    for i, figure in enumerate(("added_latency_p50", "added_latency_p99")):
        yield Sample(figure=figure, value=router[i] - direct[i], floor=floor[i] - direct[i])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relayed:
    chunks_per_cpu_s: float
    messages_per_chunk: float


def _streams(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
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


def _first_chunks(pair: _Pair, sizes: Sizes) -> Iterator[Sample]:
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


def _complete(subject: Subject, *, is_sampled: bool = False) -> Shot:
    headers = {**GRPC_HEADERS, **SAMPLED} if is_sampled else GRPC_HEADERS
    return Shot(url=subject.complete_url, body=COMPLETE_ASK.to_router(), headers=headers)


def _upstream(rig: Rig) -> Shot:
    return Shot(url=rig.upstream_url, body=COMPLETE_ASK.to_upstream(), headers=JSON_HEADERS, is_http1=True)
