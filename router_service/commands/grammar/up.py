"""`signalbox up`: simulator, prober and router together."""

from __future__ import annotations

from pathlib import Path

import click

from router_service.commands.grammar import options
from router_service.interrupt import loading
from router_service.telemetry.logs import LEVELS

QUIET = "warning"
"""A line for each request would bury what is shown here."""


@click.command
@options.config
@click.option(
    "--simulated", "wants_simulated", is_flag=True, help="Run three simulated providers, whatever is configured."
)
@click.option(
    "--llm7", "wants_llm7", is_flag=True, help="Run what ships with LLM7.io on: no key, and strangers read prompts."
)
@click.option("--router-address", metavar="HOST:PORT", help="Else the configuration's; port 0 takes a free one.")
@click.option("--prober-address", metavar="HOST:PORT", help="Else the configuration's; port 0 takes a free one.")
@click.option(
    "--metrics-address",
    callback=options.utf8,
    metavar="HOST:PORT",
    help="Where Prometheus reads the router's metrics; port 0 takes a free one. Else the configuration's.",
)
@click.option("--simulator-address", metavar="HOST:PORT", help="Else 127.0.0.1:8790; port 0 takes a free one.")
@options.data_dir
@options.ready_file
@click.option(
    "--log-level",
    type=click.Choice(LEVELS, case_sensitive=False),
    envvar="SIGNALBOX_LOG_LEVEL",
    default=QUIET,
    show_default=True,
    help="What router and prober log here; info shows a line for each request. Else $SIGNALBOX_LOG_LEVEL.",
)
@click.option("--demo/--no-demo", "has_demo", default=True, help="Whether to show a completion and a stream.")
def command(
    *,
    config: str | None,
    wants_simulated: bool,
    wants_llm7: bool,
    router_address: str | None,
    prober_address: str | None,
    metrics_address: str | None,
    simulator_address: str | None,
    data_dir: Path,
    ready_file: Path | None,
    log_level: str,
    has_demo: bool,
) -> int:
    """Run everything on this machine until Ctrl-C. The simulator runs only where the configuration asks for it."""
    with loading():
        from router_service.commands import up
    return up.run(
        up.Chosen(config=config, wants_simulated=wants_simulated, wants_llm7=wants_llm7),
        up.Given(
            router_address=router_address,
            prober_address=prober_address,
            metrics_address=metrics_address,
            simulator_address=simulator_address,
            data_dir=data_dir,
            ready_file=ready_file,
            log_level=log_level,
            has_demo=has_demo,
        ),
    )
