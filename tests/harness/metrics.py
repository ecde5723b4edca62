"""A process's page of metrics, read as Prometheus reads it: over HTTP, with the library's own parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Figures:
    """One page's. Names are those of samples: a histogram has _count, _sum and _bucket."""

    families: Sequence[Metric]

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name with at least these labels; 0 where there are none."""
        return sum(value for found, value in self._samples(name) if labels.items() <= found.items())

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The same for each value of a label that occurs."""
        found = {own[label] for own, _ in self._samples(name) if labels.items() <= own.items()}
        return {value: self.value(name, **{**labels, label: value}) for value in found}

    def has(self, name: str) -> bool:
        return bool(self._samples(name))

    def _samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        return [(s.labels, s.value) for family in self.families for s in family.samples if s.name == name]


def scraped(address: str) -> Figures:
    response = httpx.get(f"http://{address}/metrics", timeout=5, trust_env=False).raise_for_status()
    return Figures(list(text_string_to_metric_families(response.text)))
