"""What settings depend on besides the file: the environment, the day, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Relative paths in the file start from `directory`. `today` decides which models have retired."""

    environ: Mapping[str, str] = field(repr=False)
    directory: Path
    simulator_address: str
    today: date
