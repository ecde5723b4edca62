"""Runs the simulated providers as the configuration has them."""

from __future__ import annotations

from argparse import Namespace

from router_service.commands.configuration import config_or_simulated, load_settings
from router_service.commands.ready import check_ready
from router_service.rpc.process import raise_open_files
from router_service.simulator import program


def run(options: Namespace) -> int:
    """Serve as the options say, and as configured where they say nothing, and return the exit code."""
    if options.ready_file is not None:
        check_ready(options.ready_file)
    settings = load_settings(config_or_simulated(options.config))
    raise_open_files()
    return program.run(options, settings.simulator)
