"""`signalbox models`: the targets that a running router knows."""

from __future__ import annotations

import click

from router_service.commands.grammar import options
from router_service.core.task import TaskType
from router_service.interrupt import loading


@click.command
@click.option(
    "--provider",
    default="",
    callback=options.utf8,
    metavar="NAME",
    shell_complete=options.provider_names,
    help="Only those of one provider.",
)
@click.option(
    "--task",
    type=click.Choice([task.value for task in TaskType], case_sensitive=False),
    help="Only those that suit the task, the best first.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@options.router
def command(*, provider: str, task: str | None, as_json: bool, address: str | None) -> None:
    """List the models of the router's providers: by target, with windows, prices, capabilities and health."""
    with loading():
        from router_service.commands import models
    models.tell(address, provider=provider, task=task, as_json=as_json)
