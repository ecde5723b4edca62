"""What the board keeps of one target: the prober's finding carried on by live calls, and this router's own."""

from __future__ import annotations

from dataclasses import replace

from router_service.core.blocks import Block
from router_service.core.health import ProbeSpan, Snapshot, State, TargetHealth
from router_service.core.judge import Judge, Verdict
from router_service.core.plan import Standing
from router_service.core.record import TargetRecord
from router_service.core.settings import HealthRules
from router_service.core.tally import Tally
from router_service.health.silence import Silence

STEADY = (State.HEALTHY, State.UNKNOWN)
"""States that time alone does not change."""

NO_SPAN = ProbeSpan()
UNKNOWN_VERDICT = Verdict(State.UNKNOWN, 1.0)


class Entry:
    """`told` is the prober's word on the target, `passive` what this router makes of its own calls alone.

    `silence` doubts a target whose calls do not come back. `is_moving` says that time alone may change how the target
    stands, `is_well` that a success cannot.
    """

    def __init__(self, target: str, rules: HealthRules, *, now: float) -> None:
        self.target = target
        self.provider = target.partition("/")[0]
        self.trailing_failures = 0
        self.is_moving = False
        self.is_well = False
        self.silence = Silence(holds_s=rules.cooldown_s, now=now)
        self.passive = TargetRecord(target, rules, now=now, is_probed=False)
        self._rules = rules
        self._told: TargetHealth | None = None
        self._told_judge: Judge | None = None
        self._shown = UNKNOWN_VERDICT
        self._changed_at = float("-inf")

    def seed(self, told: TargetHealth | None, now: float) -> None:
        """A snapshot arrived. A target that it does not know, or knows nothing of, stays with this router's view."""
        self._told = told
        is_known = told is not None and told.state is not State.UNKNOWN
        self._told_judge = Judge.seeded(self._rules, told, now=now) if told is not None and is_known else None

    def replay(self, tally: Tally, now: float) -> None:
        """Tell the prober's finding of calls that it does not hold yet."""
        if self._told_judge is not None:
            self._told_judge.traffic(
                good=tally.good,
                bad=tally.bad,
                trailing_failures=tally.trailing_failures,
                leading_failures=tally.leading_failures,
                longest_failures=tally.longest_failures,
                now=now,
            )

    def live(self, *, is_good: bool, now: float) -> None:
        """One call ended just now: both views hear of it at once, its latency follows with the tally."""
        self.trailing_failures = 0 if is_good else self.trailing_failures + 1
        good, bad = (1, 0) if is_good else (0, 1)
        self.passive.judge_traffic(good=good, bad=bad, trailing_failures=0, now=now)
        if self._told_judge is not None:
            self._told_judge.traffic(good=good, bad=bad, trailing_failures=0, now=now)

    def standing(self, now: float, *, faded: float, block: Block | None) -> Standing:
        """How the target stands; `faded` (0 to 1) says how little the prober's word counts by now."""
        told = self._told if faded < 1 else None
        own = self.passive.verdict(now)
        verdict = self._dwelling(self._doubted(self._verdict(own, now, faded), now), now)
        self.is_moving = block is not None or own.state not in STEADY or verdict.state not in STEADY
        self.is_well = verdict.state is own.state is State.HEALTHY and block is None
        return Standing(
            state=verdict.state,
            traffic_share=verdict.traffic_share,
            blocked_for_s=block.left_s(now) if block is not None else 0.0,
            block_reason=block.reason if block is not None else None,
            time_to_first_token_p95_s=self._first_token_p95_s(told),
            answer_p95_s=told.latency.p95_s if told is not None and told.latency.p95_s else self.passive.answer_p95_s,
            probe_span=told.probe_span if told is not None else NO_SPAN,
        )

    def health(self, now: float, *, faded: float) -> TargetHealth:
        """The rates and times behind the standing. As long as the prober's word counts they are its own, which hold
        all routers' calls; failures that it has not heard of yet count at once. `in_flight` are other routers' calls.
        """
        told = self._told if faded < 1 else None
        if told is None:
            return self.passive.health(now)
        judge = self._told_judge
        failures = told.consecutive_failures if judge is None else judge.traffic_failures(now)
        in_flight = max(0, told.in_flight - self.silence.in_flight)
        return replace(told, consecutive_failures=failures, in_flight=in_flight)

    def is_down_in(self, snapshot: Snapshot) -> bool:
        told = snapshot.targets.get(self.target)
        return told is not None and told.state is State.UNHEALTHY

    def _verdict(self, own: Verdict, now: float, faded: float) -> Verdict:
        if self._told_judge is None or faded >= 1:
            return own
        told = self._told_judge.verdict(now)
        if faded <= 0:
            return told
        neutral = _fade(told, faded)
        return own if own.traffic_share < neutral.traffic_share else neutral

    def _doubted(self, verdict: Verdict, now: float) -> Verdict:
        """A target that has fallen silent keeps the share of a degraded one: enough to hear of its return."""
        share = self._rules.degraded_share
        if verdict.traffic_share <= share or not self.silence.is_doubtful(now):
            return verdict
        return Verdict(State.DEGRADED, share)

    def _dwelling(self, verdict: Verdict, now: float) -> Verdict:
        """Whoever's word it is: a target falls at once, and rises no sooner than `min_dwell_s` after its last change.

        The prober keeps to this by itself, but what it says may differ from what this router had seen before.
        """
        shown = self._shown
        is_rise = verdict.traffic_share > shown.traffic_share
        if is_rise and now - self._changed_at < self._rules.min_dwell_s:
            return shown
        if verdict != shown:
            self._shown, self._changed_at = verdict, now
        return verdict

    def _first_token_p95_s(self, told: TargetHealth | None) -> float:
        told_s = told.time_to_first_token.p95_s if told is not None else 0.0
        return told_s or self.passive.time_to_first_token_p95_s


def _fade(told: Verdict, faded: float) -> Verdict:
    """Towards a full share. A target that was down counts as coming back: no silence keeps it out."""
    share = told.traffic_share + (1 - told.traffic_share) * faded
    state = State.RECOVERING if told.state is State.UNHEALTHY else told.state
    return Verdict(state, share)
