"""Where a process's configuration comes from, to be read as often as it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from router_service.config.load import SIMULATOR_ADDRESS, find, load, watched
from router_service.core.decision.strategies import BUILT_IN, Known
from router_service.core.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The file that `flag`, the value of `--config`, and the environment stand for, on the present day. It may name
    `strategies`.
    """

    flag: str | None
    environ: Mapping[str, str]
    simulator_address: str = SIMULATOR_ADDRESS
    strategies: Known = field(default_factory=lambda: BUILT_IN)

    def load(self) -> Settings:
        """What the file says now. Raises ConfigError."""
        return load(
            find(self.flag, self.environ),
            environ=self.environ,
            today=datetime.now(UTC).date(),
            simulator_address=self.simulator_address,
            strategies=self.strategies,
        )

    def files(self, settings: Settings) -> tuple[Path, ...]:
        """The files that `settings` were made of and that may change."""
        return watched(find(self.flag, self.environ), settings)
