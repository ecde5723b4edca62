"""One target's state machine: what a run of good and bad calls makes of it, with hysteresis and half-open recovery.

    UNKNOWN ──good──▶ HEALTHY ◀──────────── last step held ─────────────┐
                       │   ▲                                            │
        some fail      ▼   │ window clean again                         │
                      DEGRADED                                          │
                       │                                                │
        3 in a row     ▼                                                │
                    UNHEALTHY ──cooldown over, 2 good──▶ RECOVERING ────┘
                        ▲                                   │  5 %, 25 %, 100 %
                        └── 2 bad in a row: cooldown doubles┘

Down is at once; up waits, so that a target rises at most once in `min_dwell_s`. The clock is the caller's, in
monotonic seconds.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass

from router_service.core.health import State, TargetHealth
from router_service.core.settings import HealthRules

ENOUGH_LIVE_CALLS, LIVE_SUCCESS = 5, 0.95
"""Traffic outweighs probes that disagree with it when this many calls of the window went this well."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and the share of its usual traffic that a target in it may have (0 to 1)."""

    state: State
    traffic_share: float


class Judge:
    """Feeds on observations and says a verdict.

    Where no probe can tell, a cooldown's end opens the door to live trials:
    without a prober, or while probes end without a finding.
    """

    __slots__ = (
        "_cooldown_s",
        "_deep_failures",
        "_do_probes_tell",
        "_good_in_trial",
        "_is_down_by_calls",
        "_may_rise",
        "_probe_failures",
        "_rules",
        "_since",
        "_state",
        "_step",
        "_traffic_failures",
        "_traffic_failures_at",
        "_trials",
        "_window",
    )

    def __init__(self, rules: HealthRules, *, now: float, is_probed: bool) -> None:
        self._rules = rules
        self._do_probes_tell = is_probed
        self._may_rise = True
        self._state = State.UNKNOWN
        self._since = now
        self._step = 0
        self._cooldown_s = rules.cooldown_s
        self._good_in_trial = 0
        self._trials = 0
        self._traffic_failures = 0
        self._traffic_failures_at = now
        self._probe_failures = 0
        self._deep_failures = 0
        self._is_down_by_calls = False
        self._window = _Window(rules.window_s)

    @classmethod
    def seeded(cls, rules: HealthRules, health: TargetHealth, *, now: float) -> Judge:
        """A judge that goes on from somebody else's finding, to fold in what that somebody has not seen yet.

        It only lowers the finding: whoever made it knows the cooldown and the evidence that a rise rests on.
        """
        judge = cls(rules, now=now, is_probed=True)
        judge._may_rise = False
        judge._state = health.state
        judge._since = now - health.state_age_s
        judge._traffic_failures = health.consecutive_failures
        shares = rules.recovery_shares
        judge._step = max((i for i, share in enumerate(shares) if share <= health.traffic_share), default=0)
        return judge

    @property
    def trials(self) -> int:
        """How often the target has come back on trial, each time with a clean sheet."""
        return self._trials

    @property
    def probe_failures(self) -> int:
        """Probes that failed since the last good one."""
        return self._probe_failures

    @property
    def is_deep_in_doubt(self) -> bool:
        """Whether a deep probe failed and it is not settled what that means."""
        return self._state is not State.UNHEALTHY and 0 < self._deep_failures < self._rules.down_after

    def may_prove_itself(self, now: float) -> bool:
        """Whether the target has rested, after calls took it down, and its provider answers cheap probes: those cannot
        tell whether it serves again.
        """
        is_rested = self._state is State.UNHEALTHY and self.age_s(now) >= self._trial_wait_s()
        return is_rested and self._is_down_by_calls and not self._probe_failures

    def traffic_failures(self, now: float) -> int:
        """Real calls that failed since the last good one; they are forgotten by halves, a half-life after the last."""
        halves = int(min(max(0.0, now - self._traffic_failures_at) / self._rules.half_life_s, 31.0))
        return self._traffic_failures >> halves

    def age_s(self, now: float) -> float:
        return max(0.0, now - self._since)

    def probe_wanted_in_s(self, now: float) -> float | None:
        """When a probe would settle something: a doubt at once, a cooldown at its end. None when nothing is open."""
        if self._state is State.UNHEALTHY:
            if self._good_in_trial:
                return 0.0
            left_s = self._trial_wait_s() - self.age_s(now)
            return left_s if left_s > 0 else None
        is_doubtful = 0 < self._probe_failures < self._rules.down_after
        return 0.0 if is_doubtful else None

    def traffic(
        self,
        *,
        good: int,
        bad: int,
        trailing_failures: int,
        leading_failures: int = 0,
        longest_failures: int = 0,
        now: float,
        streak_limit: int | None = None,
    ) -> None:
        """Real calls that ended: how many of each, how many failed since the last good one, how many before the first,
        and the most in a row.

        `streak_limit` bounds the failures in a row that this evidence may bring the target to.
        """
        if not good and not bad:
            return
        if good:
            self._deep_failures = 0
            self._note_good(good, now)
        before, most = self.traffic_failures(now), sys.maxsize if streak_limit is None else streak_limit
        streak = trailing_failures if good else before + bad
        joined = before + leading_failures if leading_failures else 0
        self._traffic_failures = min(most, max(streak, joined, longest_failures))
        self._traffic_failures_at = now
        self._window.add(good, bad, now)
        if bad:
            self._note_bad(now)
        self._traffic_failures = min(most, streak)

    def probe(self, *, is_good: bool, now: float, may_bring_back: bool = True) -> None:
        """A probe that ended. A good one clears earlier probes' failures, never those of real traffic.

        Where it may not bring back, a target that calls took down waits for deep probes to show that it serves again.
        """
        self._do_probes_tell = True
        if is_good:
            self._probe_failures = 0
            if may_bring_back or not self._is_down_by_calls:
                self._note_good(1, now)
        else:
            self._probe_failures += 1
            self._note_bad(now)

    def deep_probe(self, *, is_good: bool, now: float) -> None:
        """A small completion of the prober's own that ended. A good one clears the failures of its kind alone."""
        if is_good:
            self._deep_failures = 0
            self._note_good(1, now)
        else:
            self._deep_failures += 1
            self._note_bad(now)

    def probe_told_nothing(self, *, may_bring_back: bool = True) -> None:
        """A probe that ended without a finding: until one has a finding again, only live trials can bring back, or
        deep probes where it is left to them.
        """
        self._do_probes_tell = not may_bring_back and self._is_down_by_calls and not self._probe_failures

    def verdict(self, now: float, *, is_poor: bool = False) -> Verdict:
        """The state now. `is_poor` tells of a success rate or a latency that no healthy target has."""
        self._window.forget_old(now)
        match self._state:
            case State.UNHEALTHY:
                self._maybe_try_again(now)
            case State.RECOVERING:
                self._maybe_step_up(now)
            case State.HEALTHY | State.UNKNOWN:
                if self._is_troubled() or (is_poor and self._state is State.HEALTHY):
                    self._enter(State.DEGRADED, now)
            case State.DEGRADED:
                is_over = self.age_s(now) >= self._rules.min_dwell_s and not is_poor and not self._is_troubled()
                if is_over and self._may_rise:
                    self._enter(State.HEALTHY, now)
        return Verdict(self._state, self._share())

    def _note_good(self, count: int, now: float) -> None:
        if self._state is State.UNKNOWN:
            self._enter(State.HEALTHY, now)
        elif self._state is State.UNHEALTHY and self._may_rise and self.age_s(now) >= self._trial_wait_s():
            self._good_in_trial += count
            if self._good_in_trial >= self._rules.up_after:
                self._begin_trial(now)

    def _note_bad(self, now: float) -> None:
        self._window.forget_old(now)
        match self._state:
            case State.UNHEALTHY:
                self._good_in_trial = 0
            case State.RECOVERING:
                if self._is_down(self._rules.up_after) or self._do_many_fail():
                    self._relapse(now)
            case State.UNKNOWN | State.HEALTHY | State.DEGRADED:
                if self._is_down(self._rules.down_after):
                    self._fall(now)

    def _is_down(self, failures: int) -> bool:
        failed_probes = max(self._probe_failures, self._deep_failures)
        by_probes = failed_probes >= failures and not self._is_live_traffic_well()
        return by_probes or self._traffic_failures >= failures

    def _is_live_traffic_well(self) -> bool:
        calls = self._window.good + self._window.bad
        return calls >= ENOUGH_LIVE_CALLS and self._window.good >= LIVE_SUCCESS * calls

    def _is_troubled(self) -> bool:
        return self._do_many_fail() or self._probe_failures >= self._rules.down_after

    def _do_many_fail(self) -> bool:
        good, bad = self._window.good, self._window.bad
        return bad >= self._rules.degraded_failures and bad > self._rules.degraded_ratio * (good + bad)

    def _trial_wait_s(self) -> float:
        return max(self._cooldown_s, self._rules.min_dwell_s)

    def _maybe_try_again(self, now: float) -> None:
        if not self._do_probes_tell and self.age_s(now) >= self._trial_wait_s():
            self._begin_trial(now)

    def _begin_trial(self, now: float) -> None:
        self._trials += 1
        self._traffic_failures = 0
        self._probe_failures = self._deep_failures = 0
        self._window.clear()
        self._enter(State.RECOVERING, now)

    def _maybe_step_up(self, now: float) -> None:
        if not self._may_rise or self.age_s(now) < max(self._rules.recovery_step_s, self._rules.min_dwell_s):
            return
        if self._step + 1 < len(self._rules.recovery_shares):
            self._step += 1
            self._since = now
        else:
            self._cooldown_s = self._rules.cooldown_s
            self._enter(State.HEALTHY, now)

    def _relapse(self, now: float) -> None:
        self._cooldown_s = min(self._rules.max_cooldown_s, self._cooldown_s * 2)
        self._fall(now)

    def _fall(self, now: float) -> None:
        self._is_down_by_calls = self._probe_failures == 0
        self._enter(State.UNHEALTHY, now)

    def _enter(self, state: State, now: float) -> None:
        self._state = state
        self._since = now
        self._step = 0
        self._good_in_trial = 0

    def _share(self) -> float:
        match self._state:
            case State.UNHEALTHY:
                return 0.0
            case State.DEGRADED:
                return self._rules.degraded_share
            case State.RECOVERING:
                return self._rules.recovery_shares[self._step]
            case State.HEALTHY | State.UNKNOWN:
                return 1.0


class _Window:
    """How many calls of the last seconds went well and how many did not, in slots of a fiftieth of the window."""

    __slots__ = ("_length_s", "_slots", "bad", "good")

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._slots: deque[tuple[float, int, int]] = deque()
        self.good = 0
        self.bad = 0

    def add(self, good: int, bad: int, now: float) -> None:
        self.good += good
        self.bad += bad
        if self._slots and now - self._slots[-1][0] < self._length_s / 50:
            time, earlier_good, earlier_bad = self._slots.pop()
            self._slots.append((time, earlier_good + good, earlier_bad + bad))
        else:
            self.forget_old(now)
            self._slots.append((now, good, bad))

    def forget_old(self, now: float) -> None:
        while self._slots and self._slots[0][0] < now - self._length_s:
            _, good, bad = self._slots.popleft()
            self.good -= good
            self.bad -= bad

    def clear(self) -> None:
        self._slots.clear()
        self.good = self.bad = 0
