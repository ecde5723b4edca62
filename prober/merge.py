"""The prober's picture of all targets: its own probes and the routers' reports, merged so that nothing counts twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prober.probe import ProbeResult
from prober.refusals import Refusals
from prober.reporters import KEY_OR_MONEY, Reporter, Reporters
from prober.windows import Windows
from router_service.core.blocks import Block
from router_service.core.catalog import Catalog, Provider, Secret
from router_service.core.health import ProviderHealth, QuotaWindow, Snapshot, State
from router_service.core.judge import Verdict
from router_service.core.outcome import BlockReason
from router_service.core.record import Need, ShownProbe, TargetRecord
from router_service.core.settings import ProberSettings
from router_service.core.tally import Report, Tally

OWN = "prober"
"""The prober itself, among those that count a provider's limits; no reporter's name is so short."""


class Picture:
    """Fed with probes and reports; gives snapshots. The clock is the caller's, in monotonic seconds."""

    def __init__(self, catalog: Catalog, settings: ProberSettings, *, now: float) -> None:
        self._rules = settings.rules
        self._probed: frozenset[str] = frozenset()
        self._records: dict[str, TargetRecord] = {}
        self._of_provider: dict[str, list[TargetRecord]] = {}
        self._providers: dict[str, Provider] = {}
        self._windows = Windows()
        self._entrusted: dict[str, Collection[str]] = {}
        self._reporters = Reporters(half_life_s=settings.rules.half_life_s)
        self._refusals = Refusals(self._reporters.is_served)
        self.adopt(catalog, now)

    def adopt(self, catalog: Catalog, now: float) -> None:
        """Go by another catalogue from now on; what is known of a target that stays is kept."""
        probed = frozenset(t.id for t in catalog.targets if t.provider.is_callable)
        before = {name: record for name, record in self._records.items() if (name in self._probed) == (name in probed)}
        self._probed = probed
        self._records = {
            t.id: before.get(t.id) or TargetRecord(t.id, self._rules, now=now, is_probed=t.id in probed)
            for t in catalog.targets
        }
        self._of_provider = {}
        for target in catalog.targets:
            self._of_provider.setdefault(target.provider.name, []).append(self._records[target.id])
        providers = {provider.name: provider for provider in catalog.providers}
        for name, known in self._providers.items():
            if _account(known) != _account(providers.get(name)):
                self._refusals.forget(name)
        self._providers = providers

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(self._records)

    def probed(self, result: ProbeResult, now: float) -> None:
        """A cheap probe speaks for all targets of its provider."""
        for record in self._of_provider.get(result.provider, ()):
            record.probe(
                _shown(result),
                says_nothing=result.finding.says_nothing,
                now=now,
                may_bring_back=record.target not in self._entrusted.get(result.provider, ()),
            )
        self._refusals.probed(result, now)

    def probed_deep(self, result: ProbeResult, now: float) -> None:
        """A deep probe speaks for its target; what it was refused for blocks the provider, as with any real call."""
        record = self._records.get(result.target)
        if record is None:
            return
        record.deep_probe(_shown(result), says_nothing=result.finding.says_nothing, now=now)
        self._refusals.probed_deep(result, now)

    def deep_need(self, target: str, now: float, *, unseen_s: float) -> Need | None:
        """What a deep probe of `target` would show that nothing cheaper does; None while its provider is blocked.

        Nobody needs to be seen at work whom a router waits for: that call will tell.
        """
        record = self._records.get(target)
        if record is None or self._block(target.partition("/")[0], now) is not None:
            return None
        need = record.deep_need(now, unseen_s=unseen_s)
        return None if need is Need.UNSEEN and self._reporters.is_waited_for(target) else need

    def entrust(self, provider: str, targets: Collection[str]) -> None:
        """From now on it is for deep probes to show of these targets, and no others of `provider`, that they serve
        again after calls have taken them down.
        """
        self._entrusted[provider] = targets

    def counted(self, provider: str, windows: Sequence[QuotaWindow], now: float) -> None:
        """What is left of a provider's limits by the prober's own count and the answers to its probes."""
        self._windows.tell(OWN, provider, windows, now)

    def reported(self, report: Report, now: float, *, identity: str = "") -> int:
        """Merge a report unless it was merged before; return the highest sequence merged of its reporter.

        `identity` tells who showed what key or certificate. Raises Corrupt where this cannot be the reporter's next.
        """
        reporter = self._reporters.heard(report, identity, now)
        if report.sequence <= reporter.sequence:
            return reporter.sequence
        reporter.take(report)
        for target, tally in report.tallies.items():
            self._merge(reporter, report, target, tally, now)
        for provider, windows in report.windows.items():
            self._windows.tell(reporter.name, provider, windows, now)
        return reporter.sequence

    def forget_silent_reporters(self, now: float) -> None:
        self._windows.forget(self._reporters.forget_silent(now))

    def probe_wanted_in_s(self, provider: str, now: float) -> float | None:
        """When a probe would settle something about a target of `provider`; None when nothing is open."""
        if self._refusals.is_in_doubt(provider, now):
            return 0.0
        wanted = [r.probe_wanted_in_s(now) for r in self._of_provider.get(provider, ())]
        return min((seconds for seconds in wanted if seconds is not None), default=None)

    def is_traffic_well(self, provider: str, now: float, *, within_s: float) -> bool:
        """Whether real calls to `provider` succeeded in the last `within_s` seconds and all of it is healthy.

        Nothing goes well where a router waits: its calls may be the first to hang.
        """
        records = self._of_provider.get(provider, [])
        is_healthy = all(r.verdict(now).state is State.HEALTHY for r in records)
        is_fresh = any(r.is_going_well(now, within_s=within_s) for r in records)
        return is_healthy and is_fresh and not any(self._reporters.is_waited_for(r.target) for r in records)

    def verdicts(self, now: float) -> dict[str, Verdict]:
        """How each target stands, by its id."""
        return {target: record.verdict(now) for target, record in self._records.items()}

    def blocks(self, now: float) -> dict[str, BlockReason | None]:
        """Why each provider is not to be called for a while; None where it may be."""
        return {p: block.reason if (block := self._block(p, now)) else None for p in self._of_provider}

    def what_matters(self, now: float) -> tuple[object, ...]:
        """What routers must hear of at once when it differs from last time: states, shares, blocks to the second."""
        verdicts = tuple(record.verdict(now) for record in self._records.values())
        held = (self._block(provider, now) for provider in self._of_provider)
        blocks = tuple((block.reason, round(block.until)) if block else None for block in held)
        return (verdicts, blocks)

    def progress(self) -> Mapping[str, Mapping[str, int]]:
        """How far reports are merged: by identity, then by reporter's id. It is nobody else's business."""
        return self._reporters.progress()

    def snapshot(self, now: float, *, epoch: int, sequence: int, prober_id: str, wall_time: float) -> Snapshot:
        """The same for all; what it holds of whose reports is in `progress`."""
        return Snapshot(
            epoch=epoch,
            sequence=sequence,
            prober_id=prober_id,
            produced_time=wall_time,
            targets={t: r.health(now, in_flight=self._reporters.in_flight(t)) for t, r in self._records.items()},
            providers={p: self._provider(p, now) for p in self._of_provider},
        )

    def _merge(self, reporter: Reporter, report: Report, target: str, tally: Tally, now: float) -> None:
        ended_at = now - report.age_s
        record = self._records[target]
        fair, streak_limit = self._reporters.weigh(reporter, target, tally, ended_at)
        if report.age_s <= self._rules.half_life_s:
            record.traffic(fair, ended_at, streak_limit=streak_limit)
        else:
            record.measure(fair, ended_at)
        provider = target.partition("/")[0]
        if tally.good:
            reporter.served(provider, ended_at)
            self._refusals.served(provider, ended_at, now)
        left_s = tally.blocked_for_s - report.age_s
        if tally.block_reason is not None and left_s > 0:
            reporter.refused(provider, tally.block_reason, ended_at=ended_at, for_s=left_s, now=now)
            is_for_all = not self._reporters.is_contradicted(reporter, provider, now)
            if is_for_all and tally.block_reason in KEY_OR_MONEY:
                self._refusals.refused(provider, tally.block_reason, now)

    def _provider(self, provider: str, now: float) -> ProviderHealth:
        block, windows = self._block(provider, now), self._windows.of(provider, now)
        if block is None:
            return ProviderHealth(provider=provider, windows=windows)
        return ProviderHealth(
            provider=provider, blocked_for_s=block.left_s(now), block_reason=block.reason, windows=windows
        )

    def _block(self, provider: str, now: float) -> Block | None:
        held = [*self._refusals.blocks_of(provider), *self._reporters.blocks_of(provider, now)]
        blocks = [block for block in held if block.left_s(now)]
        return max(blocks, key=lambda block: block.until, default=None)


def _account(provider: Provider | None) -> tuple[str, Secret] | None:
    """What decides whether a call is let in."""
    return None if provider is None else (provider.base_url, provider.key)


def _shown(result: ProbeResult) -> ShownProbe:
    return ShownProbe(timing=result.timing, error=result.error, span=result.span, wall_time=result.wall_time)
