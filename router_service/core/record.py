"""Everything remembered about one target: its judge, its success rate, its latencies. Board and prober both keep it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from router_service.core.health import ProbeSpan, ProbeTiming, State, TargetHealth
from router_service.core.judge import Judge, Verdict
from router_service.core.settings import HealthRules
from router_service.core.sketch import LatencySketch
from router_service.core.success import SuccessRate
from router_service.core.tally import Tally

ENOUGH_SAMPLES = 5.0
ENOUGH_TIMES = 10.0
"""Times of calls differ by more than a factor of ten with what is asked, so the mean of a few says little."""

USUAL_HALF_LIFE_S = 300.0
POORNESS_HOLDS_S = 0.25


class Need(Enum):
    """What a deep probe is needed for, the most urgent first: to show that a target that calls took down serves again,
    to settle what an earlier one found, to see a target at work that nobody calls.
    """

    PROOF = 1
    DOUBT = 2
    UNSEEN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownProbe:
    """What of a probe is shown to people. `error` is a class and a status; `wall_time` is seconds since 1970."""

    timing: ProbeTiming
    error: str = ""
    span: ProbeSpan = field(default_factory=ProbeSpan)
    wall_time: float = 0.0


class TargetRecord:
    """Fed with tallies of traffic and with probes; gives the target's health at a moment of the caller's clock."""

    def __init__(self, target: str, rules: HealthRules, *, now: float, is_probed: bool) -> None:
        self.target = target
        self._rules = rules
        self._judge = Judge(rules, now=now, is_probed=is_probed)
        self._trials = 0
        self._success = SuccessRate(half_life_s=rules.half_life_s)
        self._latency = _Pace(rules.half_life_s, now=now)
        self._first_token = _Pace(rules.half_life_s, now=now)
        self._first_token_p95_s = 0.0
        self._answer_p95_s = 0.0
        self._output_tokens = 0.0
        self._output_s = 0.0
        self._last_error = ""
        self._last_probe: ProbeTiming | None = None
        self._last_probe_time = 0.0
        self._probe_span = ProbeSpan()
        self._last_good_traffic = float("-inf")
        self._last_call = float("-inf")
        self._is_poor = False
        self._poorness_known_until = now

    def traffic(self, tally: Tally, now: float, *, streak_limit: int | None = None) -> None:
        """Real calls, however many, that ended by `now`; `streak_limit` as the judge has it."""
        self.judge_traffic(
            good=tally.good,
            bad=tally.bad,
            trailing_failures=tally.trailing_failures,
            leading_failures=tally.leading_failures,
            longest_failures=tally.longest_failures,
            now=now,
            streak_limit=streak_limit,
        )
        self.measure(tally, now)

    def judge_traffic(
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
        """Only the state: for whoever must know at once and measures later."""
        if good or bad:
            self._last_call = max(self._last_call, now)
        if good:
            self._last_good_traffic = max(self._last_good_traffic, now)
        self._judge.traffic(
            good=good,
            bad=bad,
            trailing_failures=trailing_failures,
            leading_failures=leading_failures,
            longest_failures=longest_failures,
            now=now,
            streak_limit=streak_limit,
        )
        self._start_afresh_on_trial(now)

    def measure(self, tally: Tally, now: float) -> None:
        """Only the rates and latencies: for evidence that is too old to judge by, or judged already."""
        self._success.add(successes=tally.good, failures=tally.bad, now=now)
        if tally.latency.buckets():
            self._latency.add(tally.latency, now)
            self._answer_p95_s = self._latency.lately.summary().p95_s
        if tally.time_to_first_token.buckets():
            self._first_token.add(tally.time_to_first_token, now)
            self._first_token_p95_s = self._first_token.lately.summary().p95_s
        if tally.output_s > 0:
            self._output_tokens = 0.9 * self._output_tokens + tally.output_tokens
            self._output_s = 0.9 * self._output_s + tally.output_s
        self._last_error = tally.last_error or self._last_error

    def probe(self, shown: ShownProbe, *, says_nothing: bool, now: float, may_bring_back: bool = True) -> None:
        """A cheap probe. Its latency is not a completion's, so it moves the state and the success rate only.

        One that `says_nothing` of the target's health (its own key was refused or limited) is shown and not judged;
        live calls are then the only ones that can bring a target back. `may_bring_back` as the judge has it.
        """
        is_good = shown.timing.is_ok
        if says_nothing:
            self._judge.probe_told_nothing(may_bring_back=may_bring_back)
        else:
            self._judge.probe(is_good=is_good, now=now, may_bring_back=may_bring_back)
            self._count_probe(is_good=is_good, now=now)
        self._show(shown)

    def deep_probe(self, shown: ShownProbe, *, says_nothing: bool, now: float) -> None:
        """A small completion of the prober's own. One that `says_nothing` is shown and not judged."""
        if not says_nothing:
            is_good = shown.timing.is_ok
            self._last_call = max(self._last_call, now)
            self._judge.deep_probe(is_good=is_good, now=now)
            self._count_probe(is_good=is_good, now=now)
        self._show(shown)

    def verdict(self, now: float) -> Verdict:
        if now >= self._poorness_known_until:
            self._is_poor = self._find_poorness(now)
            self._poorness_known_until = now + POORNESS_HOLDS_S
        verdict = self._judge.verdict(now, is_poor=self._is_poor)
        self._start_afresh_on_trial(now)
        return verdict

    def is_going_well(self, now: float, *, within_s: float) -> bool:
        """Whether real calls succeeded in the last `within_s` seconds and none has failed since."""
        is_fresh = now - self._last_good_traffic <= within_s
        has_failed = self._judge.traffic_failures(now) > 0 or self._judge.probe_failures > 0
        return is_fresh and not has_failed and self.verdict(now).state is State.HEALTHY

    def probe_wanted_in_s(self, now: float) -> float | None:
        """When a probe would settle something; None when nothing is open."""
        return self._judge.probe_wanted_in_s(now)

    def deep_need(self, now: float, *, unseen_s: float) -> Need | None:
        """What a deep probe would show that nothing cheaper does; None where it would show nothing new.

        A target is unseen where no call to it, real or the prober's own, has ended for `unseen_s`.
        """
        if self._judge.may_prove_itself(now):
            return Need.PROOF
        if self._judge.is_deep_in_doubt:
            return Need.DOUBT
        is_open = self.verdict(now).state in (State.UNKNOWN, State.HEALTHY) and not self._judge.probe_failures
        return Need.UNSEEN if is_open and now - self._last_call >= unseen_s else None

    def health(self, now: float, *, in_flight: int = 0) -> TargetHealth:
        verdict = self.verdict(now)
        return TargetHealth(
            target=self.target,
            state=verdict.state,
            state_age_s=self._judge.age_s(now),
            traffic_share=verdict.traffic_share,
            success_rate=self._success.rate(now),
            success_rate_lower=self._success.lower_bound(now),
            consecutive_failures=self._judge.traffic_failures(now),
            samples=self._success.samples(now),
            in_flight=in_flight,
            latency=self._latency.lately.summary(),
            time_to_first_token=self._first_token.lately.summary(),
            output_tokens_per_second=self._output_tokens / self._output_s if self._output_s > 0 else 0.0,
            last_error="" if verdict.state is State.HEALTHY else self._last_error,
            last_probe_time=self._last_probe_time,
            last_probe=self._last_probe,
            probe_span=self._probe_span,
        )

    @property
    def answer_p95_s(self) -> float:
        """Of whole answers, as of the last measurement; 0 where there was none."""
        return self._answer_p95_s

    @property
    def time_to_first_token_p95_s(self) -> float:
        """As of the last measurement; 0 where there was none."""
        return self._first_token_p95_s

    def _count_probe(self, *, is_good: bool, now: float) -> None:
        self._start_afresh_on_trial(now)
        self._success.add(successes=float(is_good), failures=float(not is_good), now=now)

    def _show(self, shown: ShownProbe) -> None:
        self._last_probe = shown.timing
        self._last_probe_time = shown.wall_time
        self._probe_span = shown.span
        self._last_error = shown.error or self._last_error

    def _start_afresh_on_trial(self, now: float) -> None:
        """A target on trial is measured by its trial: what it did before it was down would keep it down for minutes."""
        if self._trials != self._judge.trials:
            self._trials = self._judge.trials
            self._success = SuccessRate(half_life_s=self._rules.half_life_s)
            self._latency.start_afresh(now)
            self._first_token.start_afresh(now)
            self._is_poor = False

    def _find_poorness(self, now: float) -> bool:
        """Under the success that a healthy target has, or slower than the larger of a bound and twice its usual."""
        if self._success.samples(now) >= ENOUGH_SAMPLES and self._success.rate(now) < self._rules.healthy_ratio:
            return True
        # A stream's whole time grows with the length of its text, which says nothing of its target.
        pace = self._first_token if self._first_token.lately.samples(now) >= ENOUGH_TIMES else self._latency
        return pace.is_slow(self._rules, now)


class _Pace:
    """One kind of time: what it is lately and what it was before, which is what is usual.

    All samples are kept twice, with a short memory and with a long one. What the long one holds beyond the short one
    are the earlier samples: a new one counts for nothing in it and gains weight as it ages.
    """

    __slots__ = ("_ever", "_half_life_s", "lately")

    def __init__(self, half_life_s: float, *, now: float) -> None:
        self._half_life_s = half_life_s
        self._ever = LatencySketch(half_life_s=USUAL_HALF_LIFE_S, now=now)
        self.lately = LatencySketch(half_life_s=half_life_s, now=now)

    def add(self, times: LatencySketch, now: float) -> None:
        for sketch in (self.lately, self._ever):
            sketch.add_counts(times.buckets(), sum_s=times.sum_s, now=now)

    def start_afresh(self, now: float) -> None:
        """Forget what it was lately; what is usual stays."""
        self.lately = LatencySketch(half_life_s=self._half_life_s, now=now)

    def is_slow(self, rules: HealthRules, now: float) -> bool:
        """Whether its mean is over the bound and over a multiple of its usual mean. Unknown where nothing is usual."""
        samples, mean_s = self.lately.samples(now), self.lately.mean_s
        earlier = self._ever.samples(now) - samples
        if samples < ENOUGH_TIMES or earlier < ENOUGH_TIMES or mean_s <= rules.slow_s:
            return False
        usual_s = (self._ever.samples(now) * self._ever.mean_s - samples * mean_s) / earlier
        return mean_s > rules.slow_factor * usual_s
