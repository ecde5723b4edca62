"""One repeat of everything: fresh processes, and each figure taken of the router and of the floor in turn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import quantiles

from benchmarks import decision, h2load, stream_measures
from benchmarks.h2load import GRPC_HEADERS, JSON_HEADERS, Load, Shot
from benchmarks.pair import CONNECTIONS, IN_FLIGHT, Pair, Sample, Sizes
from benchmarks.payload import ANSWER_TOKENS, Ask, route_request
from benchmarks.rig import Rig, Subject

WARM_UP_CALLS = 800
EXPORTED_WITHIN_S = 1.5
CEILING_CALLS_PER_S = 4_000
SAMPLED = {"traceparent": "00-5169676e616c626f7800000000000001-5169676e616c0001-01"}
"""A caller's own decision to have its trace kept, which the router follows."""

COMPLETE_ASK = Ask(output_tokens=ANSWER_TOKENS, is_stream=False)


def repeat(rig: Rig, sizes: Sizes, *, is_floor_first: bool) -> Iterator[Sample]:
    """Every figure once."""
    yield from _decisions()
    with (
        rig.router() as router,
        rig.floor(answer_bytes=router.answer_bytes, plan_bytes=router.plan_bytes) as floor,
    ):
        yield Sample(figure="cold_start", value=router.first_answer_s, floor=floor.first_answer_s)
        yield Sample(figure="memory_rest", value=router.resident_at_rest_mib, floor=floor.resident_at_rest_mib)
        pair = Pair(rig, router, floor, is_floor_first=is_floor_first)
        # The memory of streams comes first: what a load leaves unused would be filled before the process grows.
        for measure in (stream_measures.memory, _ceiling, _latencies):
            yield from measure(pair, sizes)
        for measure in (stream_measures.first_chunks, stream_measures.chunks, _rates, _routes):
            yield from measure(pair, sizes)
        yield Sample(figure="foreign_cpu", value=pair.foreign_share())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    per_cpu_s: float
    per_wall_s: float


def _ceiling(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
    """What the upstream itself can do on the core that it shares with the load: no figure behind it can be higher."""
    pair.answer_at_once()
    load = Load(calls=round(CEILING_CALLS_PER_S * sizes.rate_s), in_flight=IN_FLIGHT, connections=IN_FLIGHT)
    shot, scratch = _upstream(pair.rig), pair.rig.scratch
    rate = pair.judged("the upstream itself", load.calls, lambda: h2load.rate(shot, load, scratch))
    yield Sample(figure="upstream_ceiling", value=rate)


def _rates(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
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


def _rate(pair: Pair, subject: Subject, *, calls: int, is_sampled: bool = False) -> _Rate:
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
        yield Sample(figure=f"decision_{size}", value=decision.steady(size))


def _routes(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
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


def _latencies(pair: Pair, sizes: Sizes) -> Iterator[Sample]:
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


def _complete(subject: Subject, *, is_sampled: bool = False) -> Shot:
    headers = {**GRPC_HEADERS, **SAMPLED} if is_sampled else GRPC_HEADERS
    return Shot(url=subject.complete_url, body=COMPLETE_ASK.to_router(), headers=headers)


def _upstream(rig: Rig) -> Shot:
    return Shot(url=rig.upstream_url, body=COMPLETE_ASK.to_upstream(), headers=JSON_HEADERS, is_http1=True)
