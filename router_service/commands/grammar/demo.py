"""`signalbox demo`: scenarios over real processes, each with what was expected and what was seen."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from router_service.interrupt import loading

MAX_SEED = 2**31 - 1


class ScenarioName(click.ParamType[str]):
    """The name of a scenario. Which there are is looked up when one is named."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return _names().convert(value, param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _names().shell_complete(ctx, param, incomplete)


def _names() -> click.Choice[str]:
    with loading():
        from router_service.commands.demo.scenarios import SCENARIOS
    return click.Choice([scenario.name for scenario in SCENARIOS])


@click.command
@click.argument("names", nargs=-1, type=ScenarioName(), metavar="[NAME]...")
@click.option("--all", "wants_all", is_flag=True, help="All scenarios, which is what runs without a terminal too.")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), default=1, show_default=True, metavar="N", help="Repeats it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def command(*, names: Sequence[str], wants_all: bool, seed: int, as_json: bool) -> int:
    """Play scenarios with simulated providers and hold what happens against what should.

    Simulator, prober and router run as processes of their own, on this machine alone, without a key and without money.
    What counts is what the simulated providers saw. All nine take about 80 seconds.
    """
    with loading():
        from router_service.commands.demo import playing
    return playing.perform(names, seed, wants_all=wants_all, as_json=as_json)
