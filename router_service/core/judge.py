"""One target's state machine: what a run of good and bad calls makes of it, with hysteresis and half-open recovery.

    UNKNOWN ──good──▶ HEALTHY ◀──────────── last step held ─────────────┐
                       │   ▲                                            │
        some fail      ▼   │ window clean again                         │
                      DEGRADED                                          │
                       │                                                │
        3 in a row     ▼                                                │
                    UNHEALTHY ──cooldown over, 2 good──▶ RECOVERING ────┘
                        ▲                                   │  5 %, 25 %, 100 %
                        └────── 2 bad: cooldown doubles ────┘

Down is at once; up waits. The caller's clock is monotonic seconds.
"""

from __future__ import annotations

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
    """Feeds on observations and says a verdict. Without a prober a cooldown's end opens the door to live trials."""

    __slots__ = (
        "_bad_in_step",
        "_cooldown_s",
        "_good_in_trial",
        "_is_probed",
        "_probe_failures",
        "_rules",
        "_since",
        "_state",
        "_step",
        "_traffic_failures",
        "_window",
    )

    def __init__(self, rules: HealthRules, *, now: float, is_probed: bool) -> None:
        self._rules = rules
        self._is_probed = is_probed
        self._state = State.UNKNOWN
        self._since = now
        self._step = 0
        self._cooldown_s = rules.cooldown_s
        self._good_in_trial = 0
        self._bad_in_step = 0
        self._traffic_failures = 0
        self._probe_failures = 0
        self._window: deque[tuple[float, int, int]] = deque()

    @classmethod
    def seeded(cls, rules: HealthRules, health: TargetHealth, *, now: float) -> Judge:
        """A judge that goes on from somebody else's finding, to fold in what that somebody has not seen yet."""
        judge = cls(rules, now=now, is_probed=True)
        judge._state = health.state
        judge._since = now - health.state_age_s
        judge._traffic_failures = health.consecutive_failures
        shares = rules.recovery_shares
        judge._step = max((i for i, share in enumerate(shares) if share <= health.traffic_share), default=0)
        return judge

    @property
    def consecutive_failures(self) -> int:
        return max(self._traffic_failures, self._probe_failures)

    def age_s(self, now: float) -> float:
        return max(0.0, now - self._since)

    def traffic(self, *, good: int, bad: int, trailing_failures: int, now: float) -> None:
        """Real calls that ended: how many of each, and how many failed since the last good one."""
        if not good and not bad:
            return
        self._traffic_failures = trailing_failures if good else self._traffic_failures + bad
        self._window.append((now, good, bad))
        if good:
            self._note_good(good, now)
        if bad:
            self._note_bad(bad, now)

    def probe(self, *, is_good: bool, now: float) -> None:
        """A probe that ended. A good one clears earlier probes' failures, never those of real traffic."""
        if is_good:
            self._probe_failures = 0
            self._note_good(1, now)
        else:
            self._probe_failures += 1
            self._note_bad(1, now)

    def verdict(self, now: float, *, is_poor: bool = False) -> Verdict:
        """The state now. `is_poor` tells of a success rate or a latency that no healthy target has."""
        self._forget_old(now)
        match self._state:
            case State.UNHEALTHY:
                self._maybe_try_again(now)
            case State.RECOVERING:
                self._maybe_step_up(now)
            case State.HEALTHY | State.UNKNOWN:
                if self._is_troubled() or (is_poor and self._state is State.HEALTHY):
                    self._enter(State.DEGRADED, now)
            case State.DEGRADED:
                if not self._is_troubled() and not is_poor and self.age_s(now) >= self._rules.min_dwell_s:
                    self._enter(State.HEALTHY, now)
        return Verdict(self._state, self._share())

    def _note_good(self, count: int, now: float) -> None:
        if self._state is State.UNKNOWN:
            self._enter(State.HEALTHY, now)
        elif self._state is State.UNHEALTHY and self.age_s(now) >= self._cooldown_s:
            self._good_in_trial += count
            if self._good_in_trial >= self._rules.up_after:
                self._enter(State.RECOVERING, now)

    def _note_bad(self, count: int, now: float) -> None:
        if self._state is State.UNHEALTHY:
            self._good_in_trial = 0
            if self.age_s(now) >= self._cooldown_s:
                self._relapse(now)
        elif self._state is State.RECOVERING:
            self._bad_in_step += count
            if self._bad_in_step >= self._rules.up_after:
                self._relapse(now)
        elif self._traffic_failures >= self._rules.down_after or self._is_down_by_probes(now):
            self._enter(State.UNHEALTHY, now)

    def _is_down_by_probes(self, now: float) -> bool:
        self._forget_old(now)
        return self._probe_failures >= self._rules.down_after and not self._is_live_traffic_well()

    def _is_live_traffic_well(self) -> bool:
        good, bad = self._calls_in_window()
        return good + bad >= ENOUGH_LIVE_CALLS and good >= LIVE_SUCCESS * (good + bad)

    def _is_troubled(self) -> bool:
        good, bad = self._calls_in_window()
        many_fail = bad >= self._rules.degraded_failures and bad > self._rules.degraded_ratio * (good + bad)
        return many_fail or self._probe_failures >= self._rules.down_after

    def _calls_in_window(self) -> tuple[int, int]:
        return sum(g for _, g, _ in self._window), sum(b for _, _, b in self._window)

    def _forget_old(self, now: float) -> None:
        while self._window and self._window[0][0] < now - self._rules.window_s:
            self._window.popleft()

    def _maybe_try_again(self, now: float) -> None:
        if not self._is_probed and self.age_s(now) >= self._cooldown_s:
            self._enter(State.RECOVERING, now)

    def _maybe_step_up(self, now: float) -> None:
        if self.age_s(now) < self._rules.recovery_step_s:
            return
        if self._step + 1 < len(self._rules.recovery_shares):
            self._step += 1
            self._since = now
            self._bad_in_step = 0
        else:
            self._cooldown_s = self._rules.cooldown_s
            self._enter(State.HEALTHY, now)

    def _relapse(self, now: float) -> None:
        self._cooldown_s = min(self._rules.max_cooldown_s, self._cooldown_s * 2)
        self._enter(State.UNHEALTHY, now)

    def _enter(self, state: State, now: float) -> None:
        self._state = state
        self._since = now
        self._step = 0
        self._good_in_trial = 0
        self._bad_in_step = 0
        if state in (State.RECOVERING, State.HEALTHY):
            self._traffic_failures = 0
            self._probe_failures = 0
            self._window.clear()

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
