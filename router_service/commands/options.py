"""The options that several commands take, each said once."""

from __future__ import annotations

import math
from pathlib import Path

import click


class Seconds(click.FloatRange):
    """A time in seconds. Python's notion of a number includes one that no range refuses."""

    name = "seconds"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid float.", param, ctx)
        return number


config = click.option(
    "--config", metavar="FILE", help="Else $SIGNALBOX_CONFIG, else ./signalbox.yaml, else what is built in."
)

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SIGNALBOX_DATA_DIR",
    default=".signalbox",
    show_default=True,
    help="Holds the prober's socket; else $SIGNALBOX_DATA_DIR.",
)

prober = click.option(
    "--prober-address", metavar="ADDRESS", help="The prober; by default its socket in the data directory."
)

ready_file = click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Written once it serves, with the addresses and the process id.",
)
