"""`signalbox serve`: the router."""

from __future__ import annotations

from pathlib import Path

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading
from router_service.telemetry.logs import LEVELS


def _checked_address(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """An address that the router would find out about only when a call goes there."""
    with loading():
        from router_service.config.addresses import checked_called_address
        from router_service.config.problem import Refusal
    try:
        return None if value is None else checked_called_address(value)
    except Refusal as refusal:
        raise click.BadParameter(f"{value!r} {refusal}: {refusal.hint}") from refusal


@click.command
@options.config
@click.option("--router-address", metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
@options.metrics
@options.prober
@click.option(
    "--simulator-address",
    callback=_checked_address,
    metavar="HOST:PORT",
    help="Where `simulator:` URLs lead; else 127.0.0.1:8790.",
)
@options.data_dir
@options.ready_file
@click.option(
    "--lame-duck",
    "lame_duck_s",
    type=click.FloatRange(min=0, max=86_400),
    callback=options.finite,
    metavar="SECONDS",
    help="How long it goes on serving after SIGTERM while health checks already say no.",
)
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    envvar="SIGNALBOX_LOG_LEVEL",
    default="info",
    show_default=True,
    help="Else $SIGNALBOX_LOG_LEVEL.",
)
def command(
    *,
    config: str | None,
    router_address: str | None,
    metrics_address: str | None,
    prober_address: str | None,
    simulator_address: str | None,
    data_dir: Path,
    ready_file: Path | None,
    lame_duck_s: float | None,
    log_level: str,
) -> int:
    """Serve the router until SIGTERM or Ctrl-C; what is under way is finished first."""
    with loading():
        from router_service.main import ServeOptions, serve
    return serve(
        ServeOptions(
            config=config,
            router_address=router_address,
            metrics_address=metrics_address,
            prober_address=prober_address,
            data_dir=data_dir,
            ready_file=ready_file,
            simulator_address=simulator_address,
            lame_duck_s=lame_duck_s,
            log_level=log_level,
        )
    )
