"""What this process has counted against one limit, window by window, and what the provider says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple, Protocol

from router_service.core.quota import Amounts, Limit, Unit, WindowReading, least
from router_service.core.ratelimit_headers import AnnouncedLimit
from router_service.core.windows import Moment, Per, Span, WindowKey, span_at

KEPT_WINDOWS = 4
"""Of one limit: the present ones, and a few of the past, to which a wall clock that is set back may return."""

MOST = 10**15
"""What one attempt can take of anything, however much its provider claims: a million dollars in billionths."""


class WindowCount:
    """One window's count, in parts. What others spent comes from the store, or from our own life before a restart.

    `adjusted` is what the provider's headers, or a clock that was set back, added to our own count or took from it.
    """

    __slots__ = ("adjusted", "is_known", "key", "others", "reserved", "span", "spent", "written")

    def __init__(self, key: WindowKey, span: Span) -> None:
        self.key = key
        self.span = span
        self.spent = 0
        self.reserved = 0
        self.adjusted = 0
        self.others = 0
        self.written = 0
        self.is_known = False

    @property
    def used(self) -> int:
        return self.spent + self.reserved + self.adjusted + self.others

    @property
    def unwritten(self) -> int:
        """What the store has not been told yet; what is in flight is told too, so that a crash forgets less."""
        return self.spent + self.reserved + self.adjusted - self.written

    def raise_to(self, used: int) -> None:
        self.adjusted += max(0, used - self.used)

    def told(self, total: int) -> None:
        """The store holds `total` now, `written` of it ours. Where it has forgotten some, we count on and tell it."""
        theirs = total - self.written
        self.adjusted += max(0, self.others - theirs)
        self.others = theirs
        self.is_known = True


class Charge(Protocol):
    """Room that one attempt holds somewhere."""

    def settle(self, actual: Amounts) -> None:
        """Give the room back and count what was taken; once. Never more requests than there was room for."""


class WindowCharge(NamedTuple):
    """Room in one window, by our own count."""

    window: WindowCount
    unit: Unit
    amount: int

    def settle(self, actual: Amounts) -> None:
        self.window.reserved -= self.amount
        self.window.spent += _taken(self.unit, self.amount, actual)


@dataclass(slots=True)
class Hold:
    """A provider's own word: so much is `left` of `limit` until a moment of the steady clock."""

    limit: int
    left: int
    until_s: float
    length_s: float

    @classmethod
    def of(cls, stated: AnnouncedLimit, now: Moment, per: Per) -> Hold | None:
        """None where the provider does not say what is left. Without a reset it holds for one window."""
        if stated.remaining is None:
            return None
        lasts_s = per.length_s if stated.resets_in_s is None else stated.resets_in_s
        limit = stated.limit or max(1, stated.remaining)
        return cls(limit, min(limit, stated.remaining), now.steady_s + lasts_s, max(per.length_s, lasts_s))

    def is_live(self, now: Moment) -> bool:
        return now.steady_s < self.until_s

    def charge(self, unit: Unit, amount: int) -> HoldCharge:
        """Take room for one attempt, as far as there is any."""
        amount = min(amount, self.left)
        self.left -= amount
        return HoldCharge(self, unit, amount)

    def return_room(self, amount: int) -> None:
        """An attempt took so much less than it had room for, or more where that is below 0."""
        self.left = min(self.limit, max(0, self.left + amount))


class HoldCharge(NamedTuple):
    """Room in what a provider says is left. Where it has said something newer by then, that stands as it is."""

    hold: Hold
    unit: Unit
    amount: int

    def settle(self, actual: Amounts) -> None:
        self.hold.return_room(self.amount - _taken(self.unit, self.amount, actual))


@dataclass(slots=True)
class Kept:
    """What is known of one limit and outlives the settings: its counts by window, and what the provider says of it."""

    counts: dict[str, WindowCount] = field(default_factory=dict)
    hold: Hold | None = None
    stated_limit: int | None = None


class Counter:
    """One limit's counts. `kept` belongs to whoever made the counter, and outlives it when settings are reloaded.

    Close to an edge, what is charged counts in the windows on both sides, `guard_s` on each. Where the wall clock is
    set back into an earlier window, that window takes over what the later one held: a step back refills nothing.
    """

    __slots__ = (
        *("ceiling", "limit", "scope"),
        *("_current", "_from_s", "_guard_s", "_is_calendar", "_kept", "_until_s", "_zone"),
    )

    def __init__(self, scope: str, limit: Limit, *, zone: tzinfo, kept: Kept, guard_s: float | None = None) -> None:
        self.scope = scope
        self.limit = limit
        self.ceiling = limit.max if kept.stated_limit is None else min(limit.max, kept.stated_limit)
        self._zone = zone
        self._is_calendar = limit.per.is_calendar
        self._guard_s = limit.per.guard_s if guard_s is None else guard_s
        self._kept = kept
        self._current: tuple[WindowCount, ...] = ()
        self._from_s = self._until_s = 0.0

    def windows(self, now: Moment) -> tuple[WindowCount, ...]:
        """The present window's count; close to an edge, those of both sides."""
        time_s = now.wall_s if self._is_calendar else now.steady_s
        if not self._from_s <= time_s < self._until_s:
            self._turn(time_s)
        return self._current

    def used(self, now: Moment) -> int:
        early, *late = self.windows(now)
        return max(early.used, late[0].used) if late else early.used

    def held(self, now: Moment) -> int:
        """The part of what is used that attempts under way hold; what others hold at the same store is not known."""
        return max(count.reserved for count in self.windows(now))

    def left(self, now: Moment) -> int:
        """What is left by our count."""
        return max(0, self.ceiling - self.used(now))

    def refuses(self, amount: int, now: Moment) -> bool:
        """Whether so much more does not fit, by our count or by the provider's word."""
        needed = least(self.limit.unit, amount)
        hold = self._kept.hold
        if hold is not None and hold.is_live(now) and needed > hold.left:
            return True
        return self.used(now) + needed > self.ceiling

    def charge(self, amount: int, now: Moment) -> list[Charge]:
        unit, windows = self.limit.unit, self.windows(now)
        for count in windows:
            count.reserved += amount
        held = [] if self._kept.hold is None else [self._kept.hold.charge(unit, amount)]
        return [*(WindowCharge(count, unit, amount) for count in windows), *held]

    def begun_from(self, formers: Sequence[Counter], now: Moment) -> list[tuple[WindowCount, int]]:
        """What the present windows have to begin at, where limits that are no more had counted the same thing.

        One that held for all of our models has counted all that ours would have; else what each counted adds up. What
        is in flight in a count that we go on with comes on top, since it may not be ours. The provider's word goes on.
        """
        if all(former.scope == self.scope for former in formers):
            return []
        whole = [former for former in formers if _holds_for_all(former.limit, self.limit)]
        for former in whole:
            if self._kept.hold is None or not self._kept.hold.is_live(now):
                self._kept.hold = former._kept.hold
        total = max if whole else sum
        return [
            (count, total(former._used_in(count.span) for former in whole or formers) + count.reserved)
            for count in self.windows(now)
        ]

    def correct(self, stated: AnnouncedLimit, now: Moment) -> None:
        """Take the provider's word for this limit.

        A lower limit than ours is believed until it says otherwise; a higher one is not, since ours may be low on
        purpose. What it says is left holds until its own reset. The count itself is corrected only where that reset
        is the end of our window, or where it names none. Requests are then corrected upwards alone, since we know how
        many we sent; tokens both ways, because ours are partly estimates. What is in flight comes on top.
        """
        if stated.resets_in_s is not None or stated.limit is None:
            self._kept.hold = Hold.of(stated, now, self.limit.per) or self._kept.hold
        if stated.limit is None:
            return
        self._kept.stated_limit = stated.limit
        self.ceiling = min(self.limit.max, stated.limit)
        count = self.windows(now)[0]
        if stated.remaining is None or not self._is_in_step(stated, count, now):
            return
        theirs = stated.limit - min(stated.limit, stated.remaining)
        if self.limit.unit is Unit.REQUESTS:
            count.raise_to(theirs)
        else:
            count.adjusted += theirs - (count.used - count.reserved)

    def reading(self, now: Moment, *, is_free: bool = False) -> WindowReading:
        """How the limit stands: by our count, or by the provider's word where that leaves less."""
        early, *late = self.windows(now)
        tight = late[0] if late and late[0].used > early.used else early
        time_s = now.on(self.limit.per)
        used, left_share = max(0, tight.used), tight.span.left_share(time_s)
        resets_in_s = None if self.limit.per is Per.EVER else tight.span.ends_s + self._guard_s - time_s
        if (hold := self._kept.hold) is not None and hold.is_live(now) and hold.left < self.ceiling - used:
            used, resets_in_s = self.ceiling - hold.left, hold.until_s - now.steady_s
            left_share = min(1.0, resets_in_s / hold.length_s)
        return WindowReading(
            unit=self.limit.unit,
            per=self.limit.per,
            limit=self.ceiling,
            used=used,
            left_share=left_share,
            resets_in_s=resets_in_s,
            models=self.limit.models,
            is_free=is_free,
        )

    def _used_in(self, span: Span) -> int:
        count = self._kept.counts.get(span.name)
        return 0 if count is None else count.used

    def _is_in_step(self, stated: AnnouncedLimit, count: WindowCount, now: Moment) -> bool:
        """Whether the provider's window ends with ours; one that says nothing of its end is taken at its name."""
        if stated.resets_in_s is None:
            return True
        apart_s = abs(count.span.ends_s - now.on(self.limit.per) - stated.resets_in_s)
        return apart_s <= max(2 * self._guard_s, self.limit.per.length_s / 20)

    def _turn(self, time_s: float) -> None:
        """The clock has left the stretch that the present windows are for."""
        was_set_back, before = time_s < self._from_s, self._current
        early = span_at(self.limit.per, time_s - self._guard_s, self._zone)
        late = span_at(self.limit.per, time_s + self._guard_s, self._zone)
        if early.name == late.name:
            self._current = (self._count(early),)
            self._from_s, self._until_s = early.begins_s + self._guard_s, early.ends_s - self._guard_s
        else:
            self._current = (self._count(early), self._count(late))
            self._from_s, self._until_s = late.begins_s - self._guard_s, late.begins_s + self._guard_s
        if was_set_back and before:
            held = max(count.used for count in before)
            for count in self._current:
                count.raise_to(held)
        self._forget()

    def _count(self, span: Span) -> WindowCount:
        count = self._kept.counts.get(span.name)
        if count is None:
            count = self._kept.counts[span.name] = WindowCount(WindowKey(self.scope, span.name), span)
        count.span = span
        return count

    def _forget(self) -> None:
        """Drop the oldest windows that nothing is in flight for. A day's count stays until the store has it; shorter
        windows are not worth that, once they are over.
        """
        for name, count in list(self._kept.counts.items())[: max(0, len(self._kept.counts) - KEPT_WINDOWS)]:
            is_due = count.unwritten and self.limit.per.is_calendar
            if not (count.reserved or is_due or count in self._current):
                del self._kept.counts[name]


def _taken(unit: Unit, amount: int, actual: Amounts) -> int:
    """What an attempt with room for `amount` took in the end."""
    taken = max(0, min(MOST, actual.of(unit)))
    return min(taken, amount) if unit is Unit.REQUESTS else taken


def _holds_for_all(limit: Limit, other: Limit) -> bool:
    """Whether one limit holds for all models that the other holds for."""
    return not limit.models or (bool(other.models) and other.models <= limit.models)
