"""The routers that report: how far each was heard, what it saw, and how much its word weighs beside the others'."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from router_service.core.blocks import Block, Blocks
from router_service.core.outcome import BlockReason
from router_service.core.success import SuccessRate
from router_service.core.tally import Report, Tally
from router_service.health.wire_limits import Corrupt

FORGET_REPORTER_S = 300.0
ENOUGH = 3
"""From so many reporters, or identities, of a target on, none of them has over half of its weight."""
MOST_LOST = 10_000
"""A router numbers a report each second and is forgotten after five minutes: nobody loses so many in between."""
MOST_REPORTERS = 1000
LATELY_S = 60.0
"""So long a call that succeeded contradicts another router that was refused."""
KEY_OR_MONEY = frozenset({BlockReason.MONEY, BlockReason.CREDENTIALS})
OWN_AFFAIRS = KEY_OR_MONEY | {BlockReason.OVERLOADED}
"""What one router may be refused for while others are served; a rate limit is everybody's."""


class Reporters:
    """Each is told apart by whose key or certificate it shows, its identity, and then by the id that it calls itself.

    Nobody can speak for another identity's reporter, by whatever id. The clock is the caller's, in monotonic seconds.
    """

    def __init__(self, *, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._known: dict[tuple[str, str], Reporter] = {}
        self._counted: dict[tuple[str, str], SuccessRate] = {}

    def heard(self, report: Report, identity: str, now: float) -> Reporter:
        """Who sent `report`. Raises Corrupt where it cannot be the next of that reporter, or there are too many."""
        key = (identity, report.reporter_id)
        reporter = self._known.get(key)
        if reporter is None:
            if sum(of == identity for of, _ in self._known) >= MOST_REPORTERS:
                text = f"is one too many: {MOST_REPORTERS} reporters have shown the same key or certificate lately"
                raise Corrupt("reporter_id", f"{text}; keep the id for as long as the process runs")
            reporter = self._known[key] = Reporter(identity, report.reporter_id)
        elif report.sequence > reporter.sequence + MOST_LOST:
            text = f"is {report.sequence} after {reporter.sequence}, more than {MOST_LOST} further"
            raise Corrupt("sequence", f"{text}; count on by ones")
        reporter.heard_at = now
        return reporter

    def forget_silent(self, now: float) -> list[str]:
        """Forget who was not heard of for five minutes; return their names."""
        silent = [key for key, each in self._known.items() if now - each.heard_at >= FORGET_REPORTER_S]
        names = [self._known.pop(key).name for key in silent]
        identities = {identity for identity, _ in self._known}
        self._counted = {key: rate for key, rate in self._counted.items() if key[0] in identities}
        return names

    def progress(self) -> Mapping[str, Mapping[str, int]]:
        """By identity: the highest sequence merged of each of its reporters, by id."""
        merged: dict[str, dict[str, int]] = {}
        for (identity, reporter_id), reporter in self._known.items():
            merged.setdefault(identity, {})[reporter_id] = reporter.sequence
        return merged

    def in_flight(self, target: str) -> int:
        return sum(reporter.in_flight.get(target, 0) for reporter in self._known.values())

    def is_waited_for(self, target: str) -> bool:
        """Whether a router has calls under way to `target` and none that ended well in its last report."""
        return any(target in reporter.waits_for for reporter in self._known.values())

    def weigh(self, reporter: Reporter, target: str, tally: Tally, now: float) -> tuple[Tally, int | None]:
        """The part of `tally` that counts, and the failures in a row that it may make.

        Among three or more, one reporter weighs at most as much as all others together. Alone against them it can
        make a target degraded, never unhealthy: its own network may be what fails. Among three or more identities the
        same holds for each of them, however many reporters it plays.
        """
        own = reporter.saw(target, tally, now, half_life_s=self._half_life_s)
        others = list(self._others(reporter, target, now))
        if len(others) + 1 < ENOUGH:
            return tally, None
        calls = own.calls.samples(now)
        share = min(1.0, sum(seen.calls.samples(now) for _, seen in others) / calls) if calls > 0 else 1.0
        streak_limit = 2 * sum(seen.worst for _, seen in others)
        foreign = [(identity, seen) for identity, seen in others if identity != reporter.identity]
        if len({identity for identity, _ in foreign}) + 1 >= ENOUGH:
            streak_limit = min(streak_limit, 2 * sum(seen.worst for _, seen in foreign))
            room = sum(seen.calls.samples(now) for _, seen in foreign)
            return self._within(reporter.identity, target, room, tally, share, now), streak_limit
        return (tally.scaled(share) if share < 1 else tally), streak_limit

    def blocks_of(self, provider: str, now: float) -> Iterable[Block]:
        """What routers were refused for. Some may be over already.

        A refused key or missing money that one router tells of, while others are served, is that router's own affair.
        """
        for reporter in self._known.values():
            block = reporter.blocks.of(provider)
            if block is None or not block.left_s(now):
                continue
            if block.reason not in OWN_AFFAIRS or not self.is_contradicted(reporter, provider, now):
                yield block

    def is_contradicted(self, reporter: Reporter, provider: str, now: float) -> bool:
        """Whether it is one of three or more that called `provider`, and others were served lately."""
        others = [each for each in self._known.values() if each is not reporter and each.has_called(provider)]
        return len(others) + 1 >= ENOUGH and any(each.is_served(provider, now, OWN_AFFAIRS) for each in others)

    def is_served(self, provider: str, now: float) -> bool:
        """Whether a router's calls to `provider` succeeded lately and none of its own was refused since for the key or
        for money.
        """
        return any(reporter.is_served(provider, now, KEY_OR_MONEY) for reporter in self._known.values())

    def _others(self, reporter: Reporter, target: str, now: float) -> Iterable[tuple[str, Seen]]:
        """What all others saw of `target` lately, each with its identity."""
        for each in self._known.values():
            seen = each.seen.get(target)
            if each is not reporter and seen is not None and seen.calls.samples(now) >= 1:
                yield each.identity, seen

    def _within(self, identity: str, target: str, room: float, tally: Tally, share: float, now: float) -> Tally:
        """The part of `tally` that keeps all that counted of its identity lately within `room` calls."""
        counted = self._counted.setdefault((identity, target), SuccessRate(half_life_s=self._half_life_s))
        calls = tally.good + tally.bad
        if calls:
            share = min(share, max(0.0, (room - counted.samples(now)) / calls))
        fair = tally.scaled(share) if share < 1 else tally
        counted.add(successes=fair.good, failures=fair.bad, now=now)
        return fair


class Reporter:
    """How far one reporter's reports are merged, what it saw of each target, and what it was refused for."""

    def __init__(self, identity: str, reporter_id: str) -> None:
        self.identity = identity
        self.name = f"{reporter_id} of {identity}"
        self.sequence = 0
        self.heard_at = 0.0
        self.in_flight: Mapping[str, int] = {}
        self.waits_for: Collection[str] = ()
        self.seen: dict[str, Seen] = {}
        self.blocks = Blocks()
        self._served_at: dict[str, float] = {}
        self._refused_at: dict[str, dict[BlockReason, float]] = {}

    def take(self, report: Report) -> None:
        """This report takes the place of the one before, in what it says of the moment."""
        self.sequence = report.sequence
        self.in_flight = {target: tally.in_flight for target, tally in report.tallies.items() if tally.in_flight}
        self.waits_for = {target for target, tally in report.tallies.items() if tally.in_flight and not tally.good}

    def saw(self, target: str, tally: Tally, now: float, *, half_life_s: float) -> Seen:
        seen = self.seen.setdefault(target, Seen(SuccessRate(half_life_s=half_life_s)))
        seen.add(tally, now)
        return seen

    def served(self, provider: str, ended_at: float) -> None:
        """A call of its to `provider` succeeded."""
        self._served_at[provider] = max(ended_at, self._served_at.get(provider, ended_at))

    def refused(self, provider: str, reason: BlockReason, *, ended_at: float, for_s: float, now: float) -> None:
        """`provider` asked it not to call for so long from `now` on."""
        self.blocks.add(provider, reason, for_s=for_s, now=now)
        refused_at = self._refused_at.setdefault(provider, {})
        refused_at[reason] = max(ended_at, refused_at.get(reason, ended_at))

    def has_called(self, provider: str) -> bool:
        return provider in self._served_at or provider in self._refused_at

    def is_served(self, provider: str, now: float, but_for: Collection[BlockReason]) -> bool:
        """Whether its calls succeeded lately and none was refused since for a reason in `but_for`."""
        served_at = self._served_at.get(provider, float("-inf"))
        refused_at = self._refused_at.get(provider, {})
        since = max((at for reason, at in refused_at.items() if reason in but_for), default=float("-inf"))
        return now - served_at <= LATELY_S and served_at > since


@dataclass(slots=True)
class Seen:
    """One reporter's calls to one target: how many lately, how many failed since the last good one, and how many in a
    row by the end of its last report or within it.
    """

    calls: SuccessRate
    streak: int = 0
    worst: int = 0

    def add(self, tally: Tally, now: float) -> None:
        self.calls.add(successes=tally.good, failures=tally.bad, now=now)
        joined = self.streak + tally.leading_failures if tally.leading_failures else 0
        self.streak = tally.trailing_failures if tally.good else self.streak + tally.bad
        self.worst = max(self.streak, joined, tally.longest_failures)
