"""The simulator as a program: what it says once it serves, and how it ends."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import uvloop

from router_service.core.addresses import is_local
from router_service.core.simulation import SimulatorSettings
from router_service.files import read_file

from .behaviours import BehaviourError, parse_behaviours
from .options import command_line
from .server import CannotListen, serve, split_address

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator until it is told to stop, and return the exit code."""
    options = command_line("python -m router_service.simulator").parse_args(arguments)
    return run(options, SimulatorSettings())


def run(options: argparse.Namespace, configured: SimulatorSettings) -> int:
    """Serve as the options say, and as configured where they say nothing; return 130 after Ctrl-C, 0 after SIGTERM."""
    try:
        settings = _settings(options, configured)
        heard = uvloop.run(serve(settings, ready=_announcement(options.ready_file)))
    except (BehaviourError, CannotListen, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    return EXIT_INTERRUPTED if heard is signal.SIGINT else 0


def write_ready_file(path: Path, address: str) -> None:
    """Say in one step that the simulator serves at `address`: a reader sees the whole file or none."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps({"pid": os.getpid(), "simulator": address}) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _settings(options: argparse.Namespace, configured: SimulatorSettings) -> SimulatorSettings:
    split_address(options.simulator_address)
    if not (options.allow_remote or is_local(options.simulator_address)):
        raise ValueError(
            f"{options.simulator_address}: other machines would reach it, and its control interface asks nobody who "
            "they are; --allow-remote says that this is meant"
        )
    settings = replace(
        configured,
        address=options.simulator_address,
        log_path=options.log or configured.log_path,
        log_capacity=options.log_capacity or configured.log_capacity,
        seed=configured.seed if options.seed is None else options.seed,
    )
    if options.behaviour is None:
        return settings
    return replace(settings, behaviours=parse_behaviours(_behaviours(options.behaviour)))


def _behaviours(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as e:
        raise ValueError(f"--behaviour: {path} cannot be read: {e.strerror}") from e


def _announcement(ready_file: Path | None) -> Callable[[str], None]:
    def announce(address: str) -> None:
        print(f"The simulator serves at {address}.", file=sys.stderr, flush=True)
        if ready_file is not None:
            write_ready_file(ready_file, address)

    return announce
