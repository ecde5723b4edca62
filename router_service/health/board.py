"""The router's picture of health: the prober's newest snapshot, what this router saw since, and its own view."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import Enum

from router_service.core.attempt import Attempt
from router_service.core.blocks import Block, Blocks
from router_service.core.chat import Delta
from router_service.core.events import AttemptFinished, AttemptStarted, RequestFinished, RouteFinished
from router_service.core.health import Snapshot, Source, TargetHealth
from router_service.core.outcome import BLOCKS, FAILURES, BlockReason, Outcome
from router_service.core.plan import UNKNOWN_STANDING, SnapshotInfo, Standing
from router_service.core.settings import ProberSettings
from router_service.core.slices import SLICE, Slices, finish
from router_service.core.tally import Report, Tally
from router_service.health.entry import Entry
from router_service.health.journal import ReportJournal

logger = logging.getLogger(__name__)

DEFAULT_WAITS_S: Mapping[BlockReason, float] = {
    BlockReason.RATE_LIMITED: 1.0,
    BlockReason.MONEY: 60.0,
    BlockReason.CREDENTIALS: 60.0,
}
"""How long a provider is left alone where it named no time."""
NOTABLE_S = 1.0
"""A block that is longer than the last by less is no news."""
IS_TOLD = frozenset({BlockReason.RATE_LIMITED, BlockReason.OVERLOADED})
"""Where the time that a provider names is the whole truth, however short."""


class Reception(Enum):
    """What became of a snapshot: taken over, or left for being no newer than the last or for what cannot be true."""

    TAKEN = "taken"
    NOT_NEWER = "not_newer"
    CONTRADICTED = "contradicted"


class HealthBoard:
    """Implements Observer and Listener; gives the decision its standings. Everything happens in one event loop, with no
    await.

    `standings` is replaced, never changed, so that a decision may keep what it read. While snapshots are fresh they
    rule, with this router's own later outcomes folded in. As they age they fade to neutral, and this router's own
    view takes their place: the prober's silence alone makes nobody unhealthy.

    `has_news` is set where other routers should hear at once of what happened here: a provider asked not to be called.
    Whoever reports clears it.
    """

    def __init__(self, targets: Iterable[str], settings: ProberSettings, *, clock: Callable[[], float]) -> None:
        self.has_news = asyncio.Event()
        self._settings = settings
        self._clock = clock
        now = clock()
        self._entries = {target: Entry(target, settings.rules, now=now) for target in targets}
        self._journal = ReportJournal()
        self._tallies: dict[str, Tally] = {}
        self._own_blocks = Blocks()
        self._told_blocks = Blocks()
        self._snapshot: Snapshot | None = None
        self._arrived_at = now
        self._has_own_evidence = False
        self._was_in_doubt = False
        self._rivals: set[str] = set()
        self._last_faded = 1.0
        self._standings: Mapping[str, Standing] = dict.fromkeys(self._entries, UNKNOWN_STANDING)

    @property
    def targets(self) -> frozenset[str]:
        return frozenset(self._entries)

    def entries_for(self, targets: Iterable[str]) -> Mapping[str, Entry]:
        """The entries of another catalogue, to be adopted; what is known of a target that stays is kept. It may be
        called beside the event loop.
        """
        now, before = self._clock(), self._entries
        return {t: before.get(t) or Entry(t, self._settings.rules, now=now) for t in targets}

    def adopt_in_slices(self, entries: Mapping[str, Entry]) -> Slices[None]:
        """Go by what `entries_for` gave: from the first pause on. What the prober says of targets that are new is told
        to a few of them at a time.
        """
        before = self._entries
        self._entries = dict(entries)
        self._tallies = {t: tally for t, tally in self._tallies.items() if t in self._entries}
        self._standings = {t: self._standings.get(t, UNKNOWN_STANDING) for t in self._entries}
        new = [entry for target, entry in self._entries.items() if target not in before]
        for i in range(0, len(new), SLICE):
            yield
            now = self._clock()
            present = [entry for entry in new[i : i + SLICE] if self._entries.get(entry.target) is entry]
            if self._snapshot is not None:
                self._seed(present, self._snapshot, now)
            self._refresh(present, now)

    def standings(self) -> Mapping[str, Standing]:
        """How each target stands, as of the last thing that happened and at most one tick ago."""
        return self._standings

    def snapshot_info(self) -> SnapshotInfo:
        """Which snapshot the standings rest on. One that fades is named with its age, and the source is PASSIVE."""
        age_s = self._clock() - self._arrived_at
        if self._snapshot is None or age_s > self._settings.ignore_s:
            return SnapshotInfo(source=Source.PASSIVE if self._has_own_evidence else Source.NONE)
        source = Source.PROBER if age_s <= self._settings.stale_s else Source.PASSIVE
        return SnapshotInfo(
            epoch=self._snapshot.epoch, sequence=self._snapshot.sequence, age_s=max(0.0, age_s), source=source
        )

    @property
    def snapshot_age_s(self) -> float | None:
        """How long ago the last snapshot came, in seconds, also once it counts no more; None where none ever did."""
        return None if self._snapshot is None else self._clock() - self._arrived_at

    def healths(self) -> Slices[Mapping[str, TargetHealth]]:
        """Every target's rates and times as they stand now, a few targets at a time."""
        found: dict[str, TargetHealth] = {}
        entries = tuple(self._entries.values())
        for i in range(0, len(entries), SLICE):
            if i:
                yield
            now = self._clock()
            faded = self._faded(now)
            found |= {entry.target: entry.health(now, faded=faded) for entry in entries[i : i + SLICE]}
        return found

    def attempt_started(self, call: AttemptStarted) -> None:
        if (entry := self._entries.get(call.target)) is not None:
            entry.silence.call_started(call, self._clock())

    def attempt_heard(self, call: AttemptStarted, _delta: Delta) -> None:
        if (entry := self._entries.get(call.target)) is not None:
            entry.silence.call_heard(call, self._clock())

    def attempt_waits(self, call: AttemptStarted) -> None:
        if (entry := self._entries.get(call.target)) is not None:
            entry.silence.call_waits(call, self._clock())

    def attempt_finished(self, event: AttemptFinished) -> None:
        attempt = event.attempt
        entry = self._entries.get(attempt.target.id)
        if entry is None:
            return
        now = self._clock()
        self._has_own_evidence = True
        is_good = attempt.outcome is Outcome.OK
        entry.silence.call_ended(event.started, is_good=is_good, latency_s=attempt.latency_s, now=now)
        _count(self._tally(entry), attempt)
        if is_good or attempt.outcome in FAILURES:
            entry.live(is_good=is_good, now=now)
        if (reason := _asks_for_rest(attempt)) is not None:
            self._block(attempt, reason, now)
        elif not (is_good and entry.is_well):  # one more success of a target that is well changes nothing
            self._refresh((entry,), now)

    def request_finished(self, event: RequestFinished) -> None:
        """Health is a matter of attempts; a request adds nothing to them."""

    def route_finished(self, event: RouteFinished) -> None:
        """A decision has no attempts."""

    def accept(self, snapshot: Snapshot, *, merged: int = 0) -> Reception:
        """Take over a snapshot that is newer than the last one, unless it contradicts what this router sees. Where the
        last one is stale, the prober that sent it is taken for gone: another may begin with a lower epoch.

        `merged` is the sequence of this router's last report that the snapshot holds; 0 where it holds none.
        """
        return finish(self.accept_in_slices(snapshot, merged=merged))

    def accept_in_slices(self, snapshot: Snapshot, *, merged: int = 0) -> Slices[Reception]:
        """What `accept` does, a few targets at a time. Calls may begin and end in between: each target is told anew of
        all that the snapshot does not hold, as of the moment at which its turn comes.
        """
        now = self._clock()
        last = self._snapshot
        if last is not None and snapshot.order <= last.order and not self._succeeds(snapshot, last, now):
            return Reception.NOT_NEWER
        if self._contradicts_experience(snapshot, now):
            return Reception.CONTRADICTED
        if last is not None:
            self._warn_of_epochs(snapshot, last)
        is_same_start = last is not None and (last.epoch, last.prober_id) == (snapshot.epoch, snapshot.prober_id)
        self._snapshot, self._arrived_at = snapshot, now
        self._journal.merged(merged, is_new_epoch=not is_same_start)
        self._told_blocks.replace(snapshot.providers.values(), now)
        entries = tuple(self._entries.values())
        for i in range(0, len(entries), SLICE):
            if i:
                yield
                now = self._clock()
            present = [e for e in entries[i : i + SLICE] if e.target in self._entries]
            self._seed(present, snapshot, now)
            self._refresh(present, now)
        return Reception.TAKEN

    def tick(self) -> None:
        """Let time do its part: call it four times a second."""
        now = self._clock()
        self._own_blocks.expire(now)
        self._told_blocks.expire(now)
        is_fading = self._faded(now) != self._last_faded
        self._refresh([e for e in self._entries.values() if is_fading or e.is_moving or e.silence.may_begin], now)

    def take_report(self) -> tuple[int, Mapping[str, Tally]]:
        """Close this period's tallies as the next report: call it once a second, whether or not somebody listens."""
        now = self._clock()
        tallies, self._tallies = self._tallies, {}
        for target, tally in tallies.items():
            self._entries[target].passive.measure(tally, now)
        self._refresh([self._entries[target] for target in tallies], now)
        for target, entry in self._entries.items():
            if in_flight := entry.silence.in_flight:
                tallies.setdefault(target, Tally()).in_flight = in_flight
        for target, tally in tallies.items():
            if tally.block_reason is not None:
                block = self._own_blocks.of(self._entries[target].provider)
                tally.blocked_for_s = block.left_s(now) if block is not None else 0.0
        return self._journal.close(tallies, now).sequence, tallies

    def unsent_reports(self, reporter_id: str) -> list[Report]:
        """The closed reports that the prober has not taken yet, oldest first, in the name of `reporter_id`; without
        targets that are configured no longer, which the prober would not know.
        """
        reports = self._journal.unsent(reporter_id, self._clock())
        known = self._entries
        return [replace(r, tallies={t: tally for t, tally in r.tallies.items() if t in known}) for r in reports]

    def report_accepted(self, sequence: int) -> None:
        """The prober holds every report up to `sequence`."""
        self._journal.accepted(sequence)

    def _tally(self, entry: Entry) -> Tally:
        tally = self._tallies.get(entry.target)
        if tally is None:
            tally = self._tallies[entry.target] = Tally(trailing_failures=entry.trailing_failures)
        return tally

    def _block(self, attempt: Attempt, reason: BlockReason, now: float) -> None:
        wait_s = attempt.retry_after_s
        if wait_s is None or reason not in IS_TOLD:
            wait_s = max(wait_s or 0.0, DEFAULT_WAITS_S[reason])
        provider = attempt.target.provider.name
        known = self._blocked(provider, now)
        block = self._own_blocks.add(provider, reason, for_s=wait_s, now=now)
        self._tallies[attempt.target.id].block(block.reason, for_s=block.left_s(now))
        if known is None or block.until >= known.until + NOTABLE_S:
            self.has_news.set()
        self._refresh([e for e in self._entries.values() if e.provider == provider], now)

    def _seed(self, entries: Iterable[Entry], snapshot: Snapshot, now: float) -> None:
        """Begin anew from the snapshot, then tell it what this router saw and the snapshot does not hold yet."""
        half_life_s = self._settings.rules.half_life_s
        recent = [closed for closed in self._journal.unmerged() if now - closed.closed_at <= half_life_s]
        for entry in entries:
            entry.seed(snapshot.targets.get(entry.target), self._arrived_at)
            for closed in recent:
                if (tally := closed.tallies.get(entry.target)) is not None:
                    entry.replay(tally, closed.closed_at)
            if (tally := self._tallies.get(entry.target)) is not None:
                entry.replay(tally, now)

    def _succeeds(self, snapshot: Snapshot, last: Snapshot, now: float) -> bool:
        """Whether it comes from a prober that lost the count of its starts, after the one before it fell silent.

        Else a prober whose epoch file is gone would be refused until this router's end. What is refused all the same
        is a late word of the prober that spoke last, and one of another while that one still speaks.
        """
        return snapshot.prober_id != last.prober_id and now - self._arrived_at > self._settings.stale_s

    def _warn_of_epochs(self, snapshot: Snapshot, last: Snapshot) -> None:
        if snapshot.order <= last.order:
            text = (
                "the prober counts from epoch %d again after %d, as if its file prober.epoch was lost; it is believed"
            )
            logger.warning(text, snapshot.epoch, last.epoch)
        elif last.epoch == snapshot.epoch and last.prober_id != snapshot.prober_id:
            self._warn_of_rivals(last, snapshot)

    def _warn_of_rivals(self, one: Snapshot, other: Snapshot) -> None:
        """Once for the two: their snapshots may come in turns."""
        rivals = {one.prober_id, other.prober_id}
        if rivals != self._rivals:
            self._rivals = rivals
            text = "two probers share epoch %d: %s and %s; the higher sequence counts. Stop one of them"
            logger.warning(text, one.epoch, one.prober_id, other.prober_id)

    def _contradicts_experience(self, snapshot: Snapshot, now: float) -> bool:
        """Whether more than half of the providers are down in it while one of them serves this router well.

        A prober that lost its own network sees everything down. Believing it would stop all traffic.
        """
        entries, window_s = self._entries.values(), self._settings.rules.window_s
        providers = {e.provider for e in entries}
        down = providers - {e.provider for e in entries if not e.is_down_in(snapshot)}
        in_doubt = len(down) * 2 > len(providers) and any(
            e.provider in down and e.passive.is_going_well(now, within_s=window_s) for e in entries
        )
        if in_doubt and not self._was_in_doubt:
            logger.warning(
                "the prober reports %d of %d providers down while calls to them succeed; it is not believed until the "
                "two agree. Look at the prober's own network",
                len(down),
                len(providers),
            )
        self._was_in_doubt = in_doubt
        return in_doubt

    def _refresh(self, entries: Iterable[Entry], now: float) -> None:
        """Find the standings of `entries` anew and replace the mapping if any of them changed."""
        faded = self._last_faded = self._faded(now)
        changed: dict[str, Standing] = {}
        for entry in entries:
            standing = entry.standing(now, faded=faded, block=self._blocked(entry.provider, now))
            if standing != self._standings[entry.target]:
                changed[entry.target] = standing
        if changed:
            self._standings = {**self._standings, **changed}

    def _faded(self, now: float) -> float:
        """How little the snapshot counts: 0 while it is fresh, rising to 1 where it is ignored or was never there."""
        if self._snapshot is None:
            return 1.0
        stale_s, ignore_s = self._settings.stale_s, self._settings.ignore_s
        age_s = now - self._arrived_at
        if age_s <= stale_s:
            return 0.0
        return min(1.0, (age_s - stale_s) / (ignore_s - stale_s)) if ignore_s > stale_s else 1.0

    def _blocked(self, provider: str, now: float) -> Block | None:
        blocks = [b for b in (self._own_blocks.of(provider), self._told_blocks.of(provider)) if b and b.left_s(now) > 0]
        return max(blocks, key=lambda block: block.until, default=None)


def _asks_for_rest(attempt: Attempt) -> BlockReason | None:
    """Why its provider is not to be called for a while after it; None where it may be."""
    if attempt.outcome is Outcome.SERVER_ERROR and attempt.retry_after_s:
        return BlockReason.OVERLOADED
    return BLOCKS.get(attempt.outcome)


def _count(tally: Tally, attempt: Attempt) -> None:
    error = f"{attempt.outcome.name} {attempt.status_code}" if attempt.status_code else attempt.outcome.name
    tally.add(
        attempt.outcome,
        latency_s=attempt.latency_s,
        time_to_first_token_s=attempt.time_to_first_token_s,
        output_tokens=attempt.usage.output_tokens if attempt.usage else 0,
        error="" if attempt.outcome is Outcome.OK else error,
    )
