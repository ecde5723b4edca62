"""Loads the configuration for a command, and says what is wrong with it as a Failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from router_service import config
from router_service.commands.failure import ExitCode, Failure, Objection
from router_service.core.settings import Settings
from router_service.registry import known

NO_SIMULATOR = "127.0.0.1:0"
"""No base URL can have the port 0, so whatever has it after loading was `simulator:/` in the file."""


def find_config(flag: str | None) -> Path | None:
    """The file that `--config` and the environment stand for; None is the shipped configuration."""
    return config.find(flag, os.environ)


def config_or_simulated(flag: str | None) -> Path | None:
    """The same, but the simulated providers where nothing is configured and no shipped provider has a key.

    Raises a Failure where the environment cannot be used.
    """
    path = find_config(flag)
    if path is None and not any(provider.key for provider in load_settings(None).catalog.providers):
        return config.simulated()
    return path


def load_settings(path: Path | None, *, simulator_address: str = NO_SIMULATOR) -> Settings:
    """The settings of a file, or a Failure with every mistake in it."""
    with as_failures():
        return config.load(
            path,
            environ=os.environ,
            today=datetime.now(UTC).date(),
            simulator_address=simulator_address,
            strategies=known(),
        )


@contextmanager
def as_failures() -> Iterator[None]:
    """A configuration that cannot be used ends the body as a Failure that tells all its mistakes."""
    try:
        yield
    except config.ConfigError as error:
        raise Failure(
            str(error),
            ending=ExitCode.USAGE,
            code="INVALID_ARGUMENT",
            reason="INVALID_CONFIG",
            objections=[Objection(field=problem.path, description=str(problem)) for problem in error.problems],
        ) from error


def needs_simulator(settings: Settings) -> bool:
    """Whether a provider of settings that were loaded for NO_SIMULATOR is a simulated one."""
    return any(f"//{NO_SIMULATOR}/" in provider.base_url for provider in settings.catalog.providers)
