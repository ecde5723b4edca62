"""The prober's own metrics: how probes end and how long they take, how its targets stand, who listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prober.deep import DeepAnswer
from prober.deep_schedule import Probe as Deep
from prober.funds import Unaffordable
from prober.probe import ProbeResult
from prober.schedule import Probe
from router_service.core.catalog import Provider, Target
from router_service.core.health import State
from router_service.core.judge import Verdict
from router_service.core.outcome import BlockReason
from router_service.telemetry.instruments import Family, Histogram, Instrument, Kind, Point
from router_service.telemetry.router_gauges import BLOCKED, TRAFFIC_SHARE, blocked_points

CHEAP, DEEP = "cheap", "deep"
PROBE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
PROBES = Instrument(
    name="signalbox.probes",
    kind=Kind.COUNTER,
    unit="{probe}",
    meaning="Probes that ended, cheap ones and deep ones, by what they found.",
    labels=("provider", "depth", "finding"),
)
PROBE_DURATION = Instrument(
    name="signalbox.probe.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long a probe took.",
    labels=("provider", "depth"),
    bounds=PROBE_BOUNDS,
)
PROBE_PHASE = Instrument(
    name="signalbox.probe.phase.duration",
    kind=Kind.HISTOGRAM,
    unit="s",
    meaning="How long a phase of a probe took: dns, connect, tls, first_byte. One that did not happen is not counted.",
    labels=("provider", "depth", "phase"),
    bounds=PROBE_BOUNDS,
)
TARGET_STATE = Instrument(
    name="signalbox.target.state",
    kind=Kind.GAUGE,
    unit="{target}",
    meaning="1 for the state that a target is in, 0 for each other one.",
    labels=("target", "state"),
)
SNAPSHOTS = Instrument(
    name="signalbox.snapshots.published",
    kind=Kind.COUNTER,
    unit="{snapshot}",
    meaning="Health snapshots that were made.",
)
WATCHERS = Instrument(
    name="signalbox.watchers", kind=Kind.GAUGE, unit="{watcher}", meaning="Routers, and others, that take snapshots."
)
INSTRUMENTS = (PROBES, PROBE_DURATION, PROBE_PHASE, TARGET_STATE, TRAFFIC_SHARE, BLOCKED, SNAPSHOTS, WATCHERS)


class ProbeMetrics:
    """Counts how probes end. Whoever probes is given a probe around his own."""

    def __init__(self) -> None:
        self._found: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._phases: dict[tuple[str, str, str], Histogram] = {}

    def of_cheap(self, probe: Probe) -> Probe:
        async def measured(provider: Provider) -> ProbeResult:
            result = await probe(provider)
            self._count(CHEAP, result)
            return result

        return measured

    def of_deep(self, probe: Deep) -> Deep:
        async def measured(target: Target, rung: int) -> DeepAnswer | Unaffordable:
            answer = await probe(target, rung)
            if isinstance(answer, DeepAnswer):
                self._count(DEEP, answer.result)
            return answer

        return measured

    def _count(self, depth: str, result: ProbeResult) -> None:
        name, timing = result.provider, result.timing
        self._found[name, depth, result.finding.value] += 1
        self._durations.setdefault((name, depth), Histogram(PROBE_BOUNDS)).observe(timing.total_s)
        phases = (("dns", timing.dns_s), ("connect", timing.connect_s), ("tls", timing.tls_s))
        for phase, duration_s in (*phases, ("first_byte", timing.first_byte_s)):
            if duration_s:
                self._phases.setdefault((name, depth, phase), Histogram(PROBE_BOUNDS)).observe(duration_s)

    def families(self) -> Iterator[Family]:
        """Everything that was counted so far; a source of a Meter."""
        yield Family(PROBES, [Point(labels, count) for labels, count in self._found.items()])
        yield Family(PROBE_DURATION, [durations.spread(*labels) for labels, durations in self._durations.items()])
        yield Family(PROBE_PHASE, [durations.spread(*labels) for labels, durations in self._phases.items()])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberGauges:
    """Where each figure is known. `verdicts` are by target id, `blocks` by provider."""

    verdicts: Callable[[], Mapping[str, Verdict]]
    blocks: Callable[[], Mapping[str, BlockReason | None]]
    published: Callable[[], int]
    watchers: Callable[[], int]

    def families(self) -> Iterator[Family]:
        """Everything as it stands; a source of a Meter."""
        verdicts = self.verdicts()
        states = [Point((t, s.value), int(verdict.state is s)) for t, verdict in verdicts.items() for s in State]
        yield Family(TARGET_STATE, states)
        yield Family(TRAFFIC_SHARE, [Point((t,), verdict.traffic_share) for t, verdict in verdicts.items()])
        yield Family(BLOCKED, blocked_points(self.blocks()))
        yield Family(SNAPSHOTS, [Point((), self.published())])
        yield Family(WATCHERS, [Point((), self.watchers())])
