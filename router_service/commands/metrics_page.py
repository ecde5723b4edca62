"""What the router's page of metrics says at one moment, of all that it counts the part that `top` shows."""

from __future__ import annotations

import http.client
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 2.0
MOST_BYTES = 64 * 1024 * 1024
COMPLETIONS = ("signalbox.v1.Router/Complete", "signalbox.v1.Router/StreamComplete")


class CannotRead(Exception):
    """No page of metrics came from there; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFigure:
    """A budget, in USD, in its present window. `per` is that window: day, week or month."""

    owner: str
    name: str
    per: str
    limit_usd: float
    left_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The counts since the router's start, which was at `started_at` (seconds of the epoch).

    `requests` are by outcome, `attempts` by target and outcome, and `durations` says how many completions took at most
    so many seconds. `at_s` is when it was read, on the reader's own clock.
    """

    at_s: float
    started_at: float
    requests: Mapping[str, float]
    attempts: Mapping[tuple[str, str], float]
    fallbacks: float
    cost_usd: float
    in_flight: int
    durations: Mapping[float, float]
    budgets: tuple[BudgetFigure, ...]


def read(address: str, *, at_s: float) -> Reading:
    """Fetch and understand the page at HOST:PORT. Raises CannotRead."""
    # A proxy of the environment is for the web; a router beside whoever watches it is never behind one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=TIMEOUT_S) as page:
            text = page.read(MOST_BYTES).decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise CannotRead(getattr(reason, "strerror", None) or str(reason)) from error
    except (http.client.HTTPException, ValueError) as error:
        raise CannotRead("what answers there is no page of metrics") from error
    if "signalbox_in_flight" not in families:
        raise CannotRead("the page of metrics there is no router's")
    return _reading(families, at_s)


def _reading(families: Mapping[str, Metric], at_s: float) -> Reading:
    return Reading(
        at_s=at_s,
        started_at=_sum(families, "process_start_time_seconds"),
        requests=_counts(families, "signalbox_requests"),
        attempts=_attempts(families),
        fallbacks=_sum(families, "signalbox_fallbacks"),
        cost_usd=_sum(families, "signalbox_cost_usd"),
        in_flight=int(_sum(families, "signalbox_in_flight")),
        durations=_durations(families),
        budgets=tuple(_budgets(families)),
    )


def _samples(families: Mapping[str, Metric], name: str) -> Iterable[tuple[Mapping[str, str], float]]:
    """Labels and value of each sample of a counter or a gauge; nothing where the page has none of that name."""
    family = families.get(name)
    return [(sample.labels, sample.value) for sample in family.samples] if family else []


def _sum(families: Mapping[str, Metric], name: str) -> float:
    return sum(value for _, value in _samples(families, name))


def _counts(families: Mapping[str, Metric], name: str) -> Mapping[str, float]:
    counts: Counter[str] = Counter()
    for labels, value in _samples(families, name):
        counts[labels["outcome"]] += int(value)
    return counts


def _attempts(families: Mapping[str, Metric]) -> Mapping[tuple[str, str], float]:
    return {(labels["target"], labels["outcome"]): value for labels, value in _samples(families, "signalbox_attempts")}


def _durations(families: Mapping[str, Metric]) -> Mapping[float, float]:
    """Completions of all methods and statuses together, by the upper bound of their bucket in seconds."""
    durations: dict[float, float] = {}
    family = families.get("rpc_server_call_duration_seconds")
    for sample in family.samples if family else ():
        if sample.name.endswith("_bucket") and sample.labels.get("rpc_method") in COMPLETIONS:
            bound = float(sample.labels["le"])
            durations[bound] = durations.get(bound, 0.0) + sample.value
    return durations


def _budgets(families: Mapping[str, Metric]) -> Iterable[BudgetFigure]:
    left = {
        tuple(sorted(labels.items())): value for labels, value in _samples(families, "signalbox_budget_remaining_usd")
    }
    for labels, limit in _samples(families, "signalbox_budget_limit_usd"):
        yield BudgetFigure(
            owner=labels.get("owner", ""),
            name=labels.get("name", ""),
            per=labels.get("per", ""),
            limit_usd=limit,
            left_usd=left.get(tuple(sorted(labels.items())), limit),
        )
