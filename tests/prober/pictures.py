"""What the tests of the prober's picture are made of: a small catalogue, tallies, and a clock that is set by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from router_service.core.catalog import Catalog, Model, Provider, Target
from router_service.core.health import ProbeTiming, Snapshot, State
from router_service.core.outcome import BlockReason, Outcome
from router_service.core.settings import ProberSettings
from router_service.core.tally import Report, Tally

SETTINGS = ProberSettings()


class Rig:
    """A picture of two providers, the first with two targets, on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.picture = Picture(catalog(), SETTINGS, now=0.0)
        self._sequences: Counter[tuple[str, str]] = Counter()

    def probe(self, finding: Finding, provider: str = "alder") -> None:
        timing = ProbeTiming(is_ok=finding is Finding.GOOD)
        self.picture.probed(ProbeResult(provider=provider, finding=finding, timing=timing), self.now)

    def report(
        self,
        reporter: str = "router-1",
        *,
        identity: str = "",
        target: str = "alder/small",
        age_s: float = 0.0,
        **tally: int,
    ) -> None:
        self.tell(reporter, outcomes(**tally), identity=identity, target=target, age_s=age_s)

    def tell(
        self, reporter: str, tally: Tally, *, identity: str = "", target: str = "alder/small", age_s: float = 0.0
    ) -> None:
        self._sequences[identity, reporter] += 1
        sequence = self._sequences[identity, reporter]
        made = Report(reporter_id=reporter, sequence=sequence, tallies={target: tally}, age_s=age_s)
        self.picture.reported(made, self.now, identity=identity)

    def refuse(self, reporter: str, reason: BlockReason, *, identity: str = "", for_s: float = 60.0) -> None:
        self.tell(reporter, Tally(blocked_for_s=for_s, block_reason=reason), identity=identity)

    @property
    def block(self) -> BlockReason | None:
        return self.snapshot().providers["alder"].block_reason

    def snapshot(self) -> Snapshot:
        made = self.picture.snapshot(self.now, epoch=1, sequence=1, prober_id="prober", wall_time=0.0)
        return replace(made, merged_sequences=self.picture.progress().get("", {}))

    def state(self, target: str = "alder/small") -> State:
        return self.snapshot().targets[target].state

    def samples(self, target: str = "alder/small") -> float:
        return self.snapshot().targets[target].samples


def catalog() -> Catalog:
    alder, birch = (Provider(name=name, dialect="openai", base_url="http://127.0.0.1:1") for name in ("alder", "birch"))
    made = [(alder, "small"), (alder, "large"), (birch, "small")]
    return Catalog(targets=tuple(Target(provider, Model(id=model)) for provider, model in made))


def outcomes(*, ok: int = 0, failed: int = 0, in_flight: int = 0) -> Tally:
    """`failed` failures after `ok` successes."""
    made = Tally(in_flight=in_flight)
    for outcome in [Outcome.OK] * ok + [Outcome.SERVER_ERROR] * failed:
        _add(made, outcome)
    return made


def in_order(calls: str) -> Tally:
    """A tally of these calls, each `ok` or `failed`."""
    made = Tally()
    for call in calls.split():
        _add(made, Outcome.OK if call == "ok" else Outcome.SERVER_ERROR)
    return made


def _add(tally: Tally, outcome: Outcome) -> None:
    tally.add(outcome, latency_s=0.5, time_to_first_token_s=None, output_tokens=0, error=outcome.name)
