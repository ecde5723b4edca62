"""What requests and attempts come to, counted: by the GenAI conventions, and beyond them by target and outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from router_service.core.attempt import Attempt
from router_service.core.catalog import Target
from router_service.core.events import AttemptFinished, RequestFinished, RouteFinished
from router_service.core.outcome import Outcome
from router_service.core.overhead import Overhead
from router_service.core.prices import NANOS_PER_USD
from router_service.telemetry.instruments import Family, Histogram, Instrument, Kind, Point, Spread

CHAT = "chat"
ROUTER = "signalbox"
"""Who serves, as callers see it."""
TARGET_LABELS = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "signalbox.provider")
OPERATION_BOUNDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_TOKEN_BOUNDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1),
    *(0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
TOKEN_BOUNDS = tuple(4.0**i for i in range(14))
OVERHEAD_BOUNDS = (
    *(0.00002, 0.00005, 0.0001, 0.0002, 0.0003, 0.0004, 0.0006, 0.0008),
    *(0.001, 0.0015, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0),
)
KINDS = ("route", "unary", "stream")

OPERATION_DURATION = Instrument(
    name="gen_ai.client.operation.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long an attempt took, from taking room to the last of its answer or its failure.",
    labels=(*TARGET_LABELS, "error.type"),
    bounds=OPERATION_BOUNDS,
)
FIRST_CHUNK = Instrument(
    name="gen_ai.client.operation.time_to_first_chunk",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long a stream's attempt took until the first part of its answer.",
    labels=TARGET_LABELS,
    bounds=OPERATION_BOUNDS,
)
TOKENS = Instrument(
    name="gen_ai.client.token.usage",
    kind=Kind.HISTOGRAM,
    unit="{token}",
    meaning="Tokens of an attempt as they are billed; estimated where the provider reported none.",
    labels=(*TARGET_LABELS, "gen_ai.token.type"),
    bounds=TOKEN_BOUNDS,
)
FIRST_TOKEN = Instrument(
    name="gen_ai.server.time_to_first_token",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long a stream's caller waited for the first part of an answer, over all attempts.",
    labels=("gen_ai.operation.name", "gen_ai.provider.name"),
    bounds=FIRST_TOKEN_BOUNDS,
)
REQUESTS = Instrument(
    name="signalbox.requests",
    kind=Kind.COUNTER,
    unit="{request}",
    meaning="Requests that ended: with OK, CANCELLED, or the reason of the error that the caller heard.",
    labels=("kind", "outcome"),
)
ATTEMPTS = Instrument(
    name="signalbox.attempts",
    kind=Kind.COUNTER,
    unit="{attempt}",
    meaning="Upstream calls that ended, by what that says of the target.",
    labels=("target", "outcome"),
)
FALLBACKS = Instrument(
    name="signalbox.fallbacks",
    kind=Kind.COUNTER,
    unit="{fallback}",
    meaning="Attempts that failed and were followed by another one, by the target that was left.",
    labels=("target", "outcome"),
)
COST = Instrument(
    name="signalbox.cost.usd",
    kind=Kind.COUNTER,
    unit="{USD}",
    meaning="What attempts cost, by the prices of the configuration.",
    labels=("provider",),
)
OVERHEAD = Instrument(
    name="signalbox.overhead",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="The router's own part of a request's time, by stage: read, plan, call.",
    labels=("stage",),
    bounds=OVERHEAD_BOUNDS,
)
REQUEST_OVERHEAD = Instrument(
    name="signalbox.request.overhead",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="The router's own part of a request's time, all stages together.",
    bounds=OVERHEAD_BOUNDS,
)
INSTRUMENTS = (
    *(OPERATION_DURATION, FIRST_CHUNK, TOKENS, FIRST_TOKEN, REQUESTS),
    *(ATTEMPTS, FALLBACKS, COST, OVERHEAD, REQUEST_OVERHEAD),
)


class AttemptMetrics:
    """Implements Observer. Everything is counted in place; nothing is added up before somebody asks."""

    def __init__(self) -> None:
        self._targets: dict[str, _TargetFigures] = {}
        self._requests: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._route, self._unary, self._stream = (self._requests[kind] for kind in KINDS)
        self._fallbacks: Counter[tuple[str, str]] = Counter()
        self._first_token = Histogram(FIRST_TOKEN_BOUNDS)
        self._read, self._plan, self._call, self._overhead = (Histogram(OVERHEAD_BOUNDS) for _ in range(4))

    def attempt_finished(self, event: AttemptFinished) -> None:
        attempt = event.attempt
        figures = self._targets.get(attempt.target.id)
        if figures is None:
            figures = self._targets[attempt.target.id] = _TargetFigures(attempt.target)
        figures.count(attempt)

    def request_finished(self, event: RequestFinished) -> None:
        (self._stream if event.is_stream else self._unary)[event.outcome] += 1
        if len(event.attempts) > 1:
            self._fallbacks.update([(a.target.id, a.outcome.value) for a in event.attempts[:-1]])
        if event.time_to_first_token_s is not None:
            self._first_token.observe(event.time_to_first_token_s)
        self._add(event.overhead)
        self._call.observe(event.overhead.call_s)

    def route_finished(self, event: RouteFinished) -> None:
        self._route[event.outcome] += 1
        self._add(event.overhead)

    def _add(self, overhead: Overhead) -> None:
        read_s, plan_s, call_s = overhead
        self._read.observe(read_s)
        self._plan.observe(plan_s)
        self._overhead.observe(read_s + plan_s + call_s)

    def families(self) -> Iterator[Family]:
        """Everything that was counted so far; a source of a Meter."""
        figures = list(self._targets.values())
        yield Family(OPERATION_DURATION, _joined(figures, _TargetFigures.durations))
        yield Family(FIRST_CHUNK, _joined(figures, _TargetFigures.first_chunks))
        yield Family(TOKENS, _joined(figures, _TargetFigures.tokens))
        yield Family(FIRST_TOKEN, [self._first_token.spread(CHAT, ROUTER)] if self._first_token.count else [])
        yield Family(REQUESTS, [Point((k, o), n) for k, counted in self._requests.items() for o, n in counted.items()])
        yield Family(ATTEMPTS, [point for each in figures for point in each.attempts()])
        yield Family(FALLBACKS, [Point(labels, count) for labels, count in self._fallbacks.items()])
        yield Family(COST, self._costs(figures))
        stages = (("read", self._read), ("plan", self._plan), ("call", self._call))
        yield Family(OVERHEAD, [figure.spread(stage) for stage, figure in stages])
        yield Family(REQUEST_OVERHEAD, [self._overhead.spread()])

    def _costs(self, figures: Iterable[_TargetFigures]) -> list[Point]:
        nanos: Counter[str] = Counter()
        for each in figures:
            nanos[each.provider] += each.cost_usd_nanos
        return [Point((provider,), cost / NANOS_PER_USD) for provider, cost in nanos.items()]


class _TargetFigures:
    """One target's. A good attempt, which nearly all are, is told apart without a look-up."""

    __slots__ = ("_failed", "_first_chunk", "_good", "_input", "_labels", "_output", "cost_usd_nanos", "id", "provider")

    def __init__(self, target: Target) -> None:
        self.id = target.id
        self.provider = target.provider.name
        self.cost_usd_nanos = 0
        self._labels = (CHAT, target.vendor, target.model.id, self.provider)
        self._good = Histogram(OPERATION_BOUNDS)
        self._failed: dict[tuple[str, str], Histogram] = {}
        self._first_chunk = Histogram(OPERATION_BOUNDS)
        self._input = Histogram(TOKEN_BOUNDS)
        self._output = Histogram(TOKEN_BOUNDS)

    def count(self, attempt: Attempt) -> None:
        durations = self._good if attempt.outcome is Outcome.OK else self._failure(attempt)
        durations.observe(attempt.latency_s)
        if attempt.time_to_first_token_s is not None:
            self._first_chunk.observe(attempt.time_to_first_token_s)
        if (usage := attempt.usage) is not None:
            self._input.observe(usage.input_tokens)
            self._output.observe(usage.output_tokens)
        self.cost_usd_nanos += attempt.cost_usd_nanos

    def _failure(self, attempt: Attempt) -> Histogram:
        kind = (attempt.outcome.value, attempt.error_reason or attempt.outcome.name)
        if kind not in self._failed:
            self._failed[kind] = Histogram(OPERATION_BOUNDS)
        return self._failed[kind]

    def durations(self) -> Iterator[Spread]:
        if self._good.count:
            yield self._good.spread(*self._labels, "")
        by_reason: dict[str, list[Histogram]] = {}
        for (_, reason), failed in self._failed.items():
            by_reason.setdefault(reason, []).append(failed)
        for reason, failures in by_reason.items():
            counts = tuple(map(sum, zip(*(f.counts for f in failures), strict=True)))
            yield Spread((*self._labels, reason), counts, sum(f.total for f in failures))

    def first_chunks(self) -> Iterator[Spread]:
        if self._first_chunk.count:
            yield self._first_chunk.spread(*self._labels)

    def tokens(self) -> Iterator[Spread]:
        if self._input.count:
            yield self._input.spread(*self._labels, "input")
            yield self._output.spread(*self._labels, "output")

    def attempts(self) -> Iterator[Point]:
        counted: Counter[str] = Counter()
        for (outcome, _), failed in self._failed.items():
            counted[outcome] += failed.count
        if self._good.count:
            counted[Outcome.OK.value] = self._good.count
        for outcome, count in counted.items():
            yield Point((self.id, outcome), count)


def _joined(figures: Iterable[_TargetFigures], spreads: Callable[[_TargetFigures], Iterator[Spread]]) -> list[Spread]:
    return [spread for each in figures for spread in spreads(each)]
