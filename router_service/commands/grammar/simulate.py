"""`signalbox simulate`: the simulated providers, as the configuration has them."""

from __future__ import annotations

from collections.abc import Sequence

import click

from router_service.interrupt import loading


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: Sequence[str]) -> int:
    """Run the simulated providers. The arguments are the simulator's own, but for the configuration."""
    with loading():
        from router_service.simulator.options import command_line
    parser = command_line("signalbox simulate")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="its `simulator` section holds unless options say otherwise; else $SIGNALBOX_CONFIG, else "
        "./signalbox.yaml, else what ships",
    )
    try:
        options = parser.parse_args(arguments)
    except SystemExit as ending:  # The parser has said what is wrong, or what was asked for.
        return ending.code if isinstance(ending.code, int) else 0
    with loading():
        from router_service.commands import simulate
    return simulate.run(options)
