"""The simulator as a process of its own: `python -m router_service.simulator --simulator-address 127.0.0.1:8790`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from router_service.core.simulation import SimulatorSettings

from .behaviours import BehaviourError, parse_behaviours
from .server import serve, split_address

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = _settings(options)
        uvloop.run(serve(settings, ready=_announcement(options.ready_file)))
    except (BehaviourError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return 0


def write_ready_file(path: Path, address: str) -> None:
    """Say in one step that the simulator serves at `address`: a reader sees the whole file or none."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps({"pid": os.getpid(), "simulator": address}) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m router_service.simulator", description="Serve simulated LLM providers over HTTP."
    )
    parser.add_argument("--simulator-address", default="127.0.0.1:8790", metavar="HOST:PORT", help="port 0: a free one")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written once the simulator serves")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append the request log here, as NDJSON")
    parser.add_argument("--log-capacity", type=_positive, default=200_000, metavar="N", help="rows kept in memory")
    parser.add_argument("--behaviour", type=Path, metavar="FILE", help="JSON: behaviours by provider name")
    parser.add_argument("--seed", type=int, default=0, help="decides texts, jitter and draws")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: want a number from 1 up")
    return number


def _settings(options: argparse.Namespace) -> SimulatorSettings:
    split_address(options.simulator_address)
    settings = SimulatorSettings(
        address=options.simulator_address,
        log_path=options.log,
        log_capacity=options.log_capacity,
        seed=options.seed,
    )
    if options.behaviour is None:
        return settings
    behaviours = parse_behaviours(options.behaviour.read_bytes())
    return replace(settings, behaviours=behaviours)


def _announcement(ready_file: Path | None) -> Callable[[str], None]:
    def announce(address: str) -> None:
        print(f"The simulator serves at {address}.", file=sys.stderr, flush=True)
        if ready_file is not None:
            write_ready_file(ready_file, address)

    return announce


if __name__ == "__main__":
    sys.exit(main())
