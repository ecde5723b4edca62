"""The simulator's command line, which loads nothing of what it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from router_service.core.simulation import SimulatorSettings

MAX_LOG_CAPACITY = 10_000_000


def command_line(program: str) -> argparse.ArgumentParser:
    """Return the command line's parser, for a program of that name."""
    parser = argparse.ArgumentParser(prog=program, description="Serve simulated LLM providers over HTTP.")
    address = SimulatorSettings().address
    parser.add_argument("--simulator-address", default=address, metavar="HOST:PORT", help="port 0: a free one")
    parser.add_argument("--allow-remote", action="store_true", help="serve beyond this machine, without any key")
    parser.add_argument("--ready-file", type=Path, metavar="PATH", help="written once the simulator serves")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append the request log here, as NDJSON")
    parser.add_argument("--log-capacity", type=_capacity, metavar="N", help="rows kept in memory")
    parser.add_argument("--behaviour", type=Path, metavar="FILE", help="JSON: behaviours by provider, and no others")
    parser.add_argument("--seed", type=int, help="decides texts, jitter and draws")
    return parser


def _capacity(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_LOG_CAPACITY:
        raise argparse.ArgumentTypeError(f"{text}: want a number from 1 up to {MAX_LOG_CAPACITY}")
    return number
