"""What the prober's command line says: where its configuration and its data are, and where it listens."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from router_service.core.simulation import SimulatorSettings
from router_service.telemetry import logs

if TYPE_CHECKING:
    from router_service.config import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberOptions:
    """What the command line says beside the settings; no address leaves it to them."""

    config: str | None = None
    address: str | None = None
    data_dir: Path
    ready_file: Path | None = None
    metrics_address: str | None = None
    simulator_address: str = SimulatorSettings().address
    log_level: str = "info"

    @classmethod
    def parsed(cls, argv: Sequence[str]) -> ProberOptions:
        """Ends the process with exit code 2 where `argv` makes no sense, and with 0 after `--help`."""
        arguments = _parser().parse_args(argv)
        return cls(
            config=arguments.config,
            address=arguments.prober_address,
            data_dir=arguments.data_dir,
            ready_file=arguments.ready_file,
            metrics_address=arguments.metrics_address,
            simulator_address=arguments.simulator_address,
            log_level=arguments.log_level,
        )

    @property
    def origin(self) -> Origin:
        from router_service.config import Origin  # here, because `--help` needs none of it
        from router_service.registry import known

        return Origin(
            flag=self.config, environ=os.environ, simulator_address=self.simulator_address, strategies=known()
        )


def _parser() -> argparse.ArgumentParser:
    environ = os.environ
    parser = argparse.ArgumentParser(prog="prober", description="Measure every provider and publish their health.")
    parser.add_argument("--config", metavar="FILE", help="the configuration; default: $SIGNALBOX_CONFIG, then the rest")
    parser.add_argument("--prober-address", metavar="HOST:PORT", help="where to listen by TCP; port 0: a free one")
    parser.add_argument(
        "--metrics-address",
        metavar="HOST:PORT",
        help="where Prometheus reads metrics; port 0: a free one; default: the configuration's",
    )
    parser.add_argument(
        "--simulator-address",
        type=_called,
        default=SimulatorSettings().address,
        metavar="HOST:PORT",
        help="where the simulated providers of the configuration are",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(environ.get("SIGNALBOX_DATA_DIR") or ".signalbox"),
        metavar="DIR",
        help="holds the Unix socket and the count of starts; default: $SIGNALBOX_DATA_DIR, then ./.signalbox",
    )
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written once the prober serves")
    parser.add_argument(
        "--log-level", choices=logs.LEVELS, default=environ.get("SIGNALBOX_LOG_LEVEL") or "info", help="default: info"
    )
    return parser


def _called(address: str) -> str:
    """An address that the prober would find out about only when a probe goes there."""
    from router_service.config.addresses import checked_called_address  # here, because `--help` needs none of it
    from router_service.config.problem import Refusal

    try:
        return checked_called_address(address)
    except Refusal as refusal:
        raise argparse.ArgumentTypeError(f"{address!r} {refusal}: {refusal.hint}") from refusal
