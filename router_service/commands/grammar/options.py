"""The options that several commands take, each said once."""

from __future__ import annotations

import math
from pathlib import Path

import click

from router_service.interrupt import loading

MAX_OUTPUT_TOKENS = 2**31 - 1
"""What the request's field holds."""


def finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """The callback of options that take a number: Python knows one that no range refuses."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("it has to be a number")
    return value


def utf8(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The callback of options whose text goes into a message: a shell can pass bytes that are none."""
    try:
        (value or "").encode("utf-8")
    except UnicodeEncodeError as error:
        raise click.BadParameter("it is not UTF-8 text") from error
    return value


def called(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The callback of options that name whom to call."""
    if utf8(ctx, param, value) is None:
        return None
    with loading():
        from signalbox_client.endpoint import checked_address
    try:
        return checked_address(value or "")
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def model_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """What a shell offers for a model: the aliases and the targets of the configuration."""
    with loading():
        from router_service.commands import suggestions
    return suggestions.models(incomplete)


def provider_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """What a shell offers for a provider: those of the configuration."""
    with loading():
        from router_service.commands import suggestions
    return suggestions.providers(incomplete)


def _ready(_ctx: click.Context, _param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None:
        with loading():
            from router_service.commands.ready import check_ready
        check_ready(value)
    return value


config = click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="Else $SIGNALBOX_CONFIG, else ./signalbox.yaml, else what ships.",
)

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SIGNALBOX_DATA_DIR",
    default=".signalbox",
    show_default=True,
    help="Holds the prober's socket; else $SIGNALBOX_DATA_DIR.",
)

max_output_tokens = click.option(
    "--max-output-tokens", type=click.IntRange(1, MAX_OUTPUT_TOKENS), metavar="N", help="The most tokens to write."
)

metrics = click.option(
    "--metrics-address",
    callback=utf8,
    metavar="HOST:PORT",
    help="Where Prometheus reads metrics; port 0 takes a free one. Else the configuration's.",
)

prober = click.option(
    "--prober-address",
    callback=called,
    metavar="ADDRESS",
    help="The prober; by default its socket in the data directory.",
)

ready_file = click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_ready,
    help="Written once it serves, with the addresses and the process id.",
)

router = click.option(
    "--address",
    callback=called,
    metavar="HOST:PORT",
    help="The router; else $SIGNALBOX_ADDRESS, else 127.0.0.1:50051.",
)
