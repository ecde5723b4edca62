"""What happens at the router now: the difference between its counts of now and those of some seconds ago."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from router_service.commands.metrics_page import BudgetFigure, CannotRead, Reading, read
from router_service.core.outcome import FAILURES, Outcome

WINDOW_S = 15.0
"""Long enough for a figure that does not jump, short enough to see what begins."""
PAUSE_S = 1.0
OK, CANCELLED = "OK", "CANCELLED"
FAILED_ATTEMPTS = frozenset(outcome.value for outcome in FAILURES)
CUT_SHORT_ATTEMPTS = frozenset({Outcome.CANCELLED.value, Outcome.DEADLINE.value})
"""By a caller, a quicker call or a deadline: they did not end by themselves."""
K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTraffic:
    """Upstream calls of a target that were not cut short: how many a second, and which share of them failed by what
    counts against its health.
    """

    per_s: float
    failed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """The last seconds of a router, `age_s` seconds ago. Rates are per second, `failed` is a share from 0 to 1, and
    times are in seconds, None where nothing ended. `reasons` are the failures by reason, the most frequent first.
    """

    age_s: float
    up_s: float
    per_s: float
    failed: float
    reasons: tuple[str, ...]
    fallbacks_per_s: float
    p50_s: float | None
    p95_s: float | None
    in_flight: int
    cost_usd: float
    cost_usd_per_s: float
    budgets: tuple[BudgetFigure, ...]
    targets: Mapping[str, TargetTraffic]


class Readings:
    """The readings of the last seconds. A router that was started anew begins anew."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._readings: deque[Reading] = deque()

    def add(self, reading: Reading) -> None:
        if self._readings and reading.started_at != self._readings[-1].started_at:
            self._readings.clear()
        self._readings.append(reading)
        while len(self._readings) > 2 and reading.at_s - self._readings[1].at_s >= self._window_s:
            self._readings.popleft()

    def traffic(self, *, now_s: float, wall: float) -> Traffic | None:
        """By the newest reading, None before there is one; `now_s` is on the readings' clock, `wall` of the epoch."""
        if not self._readings:
            return None
        first, last = self._readings[0], self._readings[-1]
        span_s = max(last.at_s - first.at_s, 1e-9)
        requests = _difference(last.requests, first.requests)
        ended = sum(requests.values())
        failures = {reason: count for reason, count in requests.items() if reason not in (OK, CANCELLED) and count > 0}
        durations = _difference(last.durations, first.durations)
        return Traffic(
            age_s=now_s - last.at_s,
            up_s=max(0.0, wall - last.started_at),
            per_s=ended / span_s,
            failed=sum(failures.values()) / ended if ended else 0.0,
            reasons=tuple(sorted(failures, key=lambda reason: (-failures[reason], reason))),
            fallbacks_per_s=(last.fallbacks - first.fallbacks) / span_s,
            p50_s=quantile(durations, 0.5),
            p95_s=quantile(durations, 0.95),
            in_flight=last.in_flight,
            cost_usd=last.cost_usd,
            cost_usd_per_s=(last.cost_usd - first.cost_usd) / span_s,
            budgets=last.budgets,
            targets=_targets(_difference(last.attempts, first.attempts), span_s),
        )


class TrafficWatch:
    """Reads the page of metrics at an address again and again, in a thread of its own that ends with the process."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._readings = Readings()
        self._lock = threading.Lock()
        self._why_lost = ""

    def start(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def why_lost(self) -> str:
        """Why the last attempt to read it failed; empty where it did not."""
        with self._lock:
            return self._why_lost

    def traffic(self) -> Traffic | None:
        """What is known now, None before anything is."""
        with self._lock:
            return self._readings.traffic(now_s=time.monotonic(), wall=time.time())

    def _read(self) -> None:
        while True:
            try:
                reading = read(self.address, at_s=time.monotonic())
            except CannotRead as error:
                with self._lock:
                    self._why_lost = str(error)
            else:
                with self._lock:
                    self._readings.add(reading)
                    self._why_lost = ""
            time.sleep(PAUSE_S)


def quantile(durations: Mapping[float, float], share: float) -> float | None:
    """The time within which that share ended, taken as even within a bucket, as Prometheus takes it; the last bound
    that is one where it lies beyond. None where nothing ended.
    """
    total = durations.get(float("inf"), 0.0)
    if total <= 0:
        return None
    below_s = below = 0.0
    for bound_s, count in sorted(durations.items()):
        if count >= share * total:
            if bound_s == float("inf"):
                return below_s
            return below_s + (bound_s - below_s) * (share * total - below) / (count - below)
        below_s, below = bound_s, count
    return below_s


def _targets(attempts: Mapping[tuple[str, str], float], span_s: float) -> Mapping[str, TargetTraffic]:
    ended: dict[str, float] = {}
    failed: dict[str, float] = {}
    for (target, outcome), count in attempts.items():
        if outcome not in CUT_SHORT_ATTEMPTS:
            ended[target] = ended.get(target, 0.0) + count
            failed[target] = failed.get(target, 0.0) + (count if outcome in FAILED_ATTEMPTS else 0.0)
    return {
        target: TargetTraffic(per_s=count / span_s, failed=failed[target] / count if count else 0.0)
        for target, count in ended.items()
    }


def _difference(later: Mapping[K, float], earlier: Mapping[K, float]) -> dict[K, float]:
    return {key: count - earlier.get(key, 0.0) for key, count in later.items()}
