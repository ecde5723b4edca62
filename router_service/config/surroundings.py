"""What settings depend on besides the file: the environment, the day, where things lie, and what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from router_service.core.decision.strategies import BUILT_IN, Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Relative paths in the file start from `directory`. `today` decides which models have retired."""

    environ: Mapping[str, str] = field(repr=False)
    directory: Path
    simulator_address: str
    today: date
    strategies: Known = field(default_factory=lambda: BUILT_IN)
