"""Whether a target has fallen silent: calls have waited for it longer than they ever had to, and nothing came since."""

from __future__ import annotations

from itertools import islice

from router_service.core.events import AttemptStarted
from router_service.core.record import USUAL_HALF_LIFE_S
from router_service.core.sketch import LatencySketch

ENOUGH_CALLS, ENOUGH_ANSWERS = 3, 10.0
LEAST_PATIENCE_S, PATIENCE = 1.0, 1.2
"""Calls are waited for a fifth longer than 99 % of the target's good calls took, and a second at least."""


class Silence:
    """Hears of one target's calls as they begin, come on and end; a doubt holds for `holds_s`, or until a call begins
    to be answered.

    Without it a provider that hangs keeps its traffic until the first calls have run into their timers. What is not
    known yet of a target brings no doubt: how long its whole answers take, or a stream's first event, or the longest
    gap in a stream. While a stream's caller reads, it waits for nothing. The clock is the caller's, in monotonic
    seconds.
    """

    __slots__ = ("_answers", "_began_at", "_doubted_until", "_firsts", "_gaps", "_heard_at", "_holds_s", "_nexts")

    def __init__(self, *, holds_s: float, now: float) -> None:
        self._holds_s = holds_s
        self._answers, self._firsts, self._nexts = _Line(now), _Line(now), _Line(now)
        self._gaps: dict[AttemptStarted, float] = {}
        """The longest gap so far of each stream that has begun."""
        self._began_at = self._heard_at = now
        self._doubted_until = float("-inf")

    @property
    def in_flight(self) -> int:
        return len(self._answers) + len(self._firsts) + len(self._gaps)

    @property
    def may_begin(self) -> bool:
        """Whether so many calls wait that time alone may bring a doubt."""
        return len(self._answers) + len(self._firsts) + len(self._nexts) >= ENOUGH_CALLS

    def call_started(self, call: AttemptStarted, now: float) -> None:
        (self._firsts if call.is_stream else self._answers).join(call, now)

    def call_heard(self, call: AttemptStarted, now: float) -> None:
        """Something of a stream has come, which its caller now reads."""
        self._heard_at = now
        if (waited_s := self._firsts.leave(call, now)) is not None:
            self._firsts.learn(waited_s, now)
            self._gaps[call] = 0.0
            self._answer_began(now)
        elif (gap_s := self._nexts.leave(call, now)) is not None:
            self._gaps[call] = max(gap_s, self._gaps[call])

    def call_waits(self, call: AttemptStarted, now: float) -> None:
        """A stream's caller has read what there was. A stream that waited already has heard what says nothing."""
        if call in self._nexts:
            self.call_heard(call, now)
        self._nexts.join(call, now)

    def call_ended(self, call: AttemptStarted, *, is_good: bool, latency_s: float, now: float) -> None:
        first_s = self._firsts.leave(call, now)
        last_s = self._nexts.leave(call, now) or 0.0
        longest_s = self._gaps.pop(call, None)
        self._answers.leave(call, now)
        if not is_good:
            return
        if not call.is_stream:
            self._answers.learn(latency_s, now)
        elif longest_s is not None:
            self._nexts.learn(max(longest_s, last_s), now)
        elif first_s is not None:
            self._firsts.learn(first_s, now)
        self._answer_began(now)

    def is_doubtful(self, now: float) -> bool:
        if self.may_begin and self._overdue(now) >= ENOUGH_CALLS:
            self._doubted_until = now + self._holds_s
        return now < self._doubted_until

    def _overdue(self, now: float) -> int:
        """Calls that should have heard something by now. That old streams come on helps those that have not begun
        nothing: a provider may go on with what it has and take up nothing new.
        """
        beginnings = self._answers.overdue(now, since=self._began_at) + self._firsts.overdue(now, since=self._began_at)
        return beginnings + self._nexts.overdue(now, since=self._heard_at)

    def _answer_began(self, now: float) -> None:
        self._began_at = self._heard_at = now
        self._doubted_until = float("-inf")


class _Line:
    """Calls that wait for one kind of thing, the longest wait first, and how long good calls waited for it."""

    __slots__ = ("_since", "_usual")

    def __init__(self, now: float) -> None:
        self._since: dict[AttemptStarted, float] = {}
        self._usual = LatencySketch(half_life_s=USUAL_HALF_LIFE_S, now=now)

    def __len__(self) -> int:
        return len(self._since)

    def __contains__(self, call: AttemptStarted) -> bool:
        return call in self._since

    def join(self, call: AttemptStarted, now: float) -> None:
        self._since[call] = now

    def leave(self, call: AttemptStarted, now: float) -> float | None:
        """How long the call has waited, in seconds; None where it did not."""
        since = self._since.pop(call, None)
        return None if since is None else now - since

    def learn(self, waited_s: float, now: float) -> None:
        self._usual.add(waited_s, now)

    def overdue(self, now: float, *, since: float) -> int:
        """How many have waited too long, none of whom has to be looked at beyond ENOUGH_CALLS; `since` is when
        somebody last heard something.
        """
        if not self._since or self._usual.samples(now) < ENOUGH_ANSWERS:
            return 0
        patience_s = max(LEAST_PATIENCE_S, PATIENCE * self._usual.summary().p99_s)
        if now - since <= patience_s:
            return 0
        return sum(now - joined > patience_s for joined in islice(self._since.values(), ENOUGH_CALLS))
