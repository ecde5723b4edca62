"""`signalbox demo`: scenarios over real processes, each with what was expected and what was seen."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import click
from signalbox_client import SignalboxError

from router_service.commands.demo.checks import Check
from router_service.commands.demo.report import document, show, verdict
from router_service.commands.demo.scenario import Result, Scenario
from router_service.commands.demo.scenarios import SCENARIOS
from router_service.commands.demo.stage import NotSettled, staged
from router_service.commands.failure import ExitCode, interruption
from router_service.commands.streams import OutputLost, say
from router_service.commands.tables import console
from router_service.supervisor import PartFailed

HERE = Path(__file__).parent
AT_ONCE = 3
"""Scenarios that are played side by side: each has processes of its own, and most of the time they wait."""
LONGEST_FIRST = ("outage", "strategies", "quota")
NAMES = [scenario.name for scenario in SCENARIOS]


def perform(names: Sequence[str], seed: int, *, wants_all: bool, as_json: bool) -> ExitCode:
    """Play the scenarios that are named, or asked for, or all; write what came of each, and how many hold."""
    chosen = _chosen(names, wants_all=wants_all, may_ask=sys.stdin.isatty() and sys.stdout.isatty() and not as_json)
    say(f"playing {', '.join(scenario.name for scenario in chosen)}, seed {seed}")
    results = asyncio.run(_play_all(chosen, seed, is_shown=not as_json))
    if as_json:
        click.echo(json.dumps(document(results, seed), ensure_ascii=False))
    else:
        click.echo(verdict(results))
    return ExitCode.GOOD if all(result.ok for result in results) else ExitCode.FAILED


def _chosen(names: Sequence[str], *, wants_all: bool, may_ask: bool) -> list[Scenario]:
    """The scenarios that were named, else all; whoever sits at a terminal is asked."""
    if not names and not wants_all and may_ask:
        for scenario in SCENARIOS:
            say(f"  {scenario.name:<12} {scenario.about}")
        answer = click.prompt(
            "Which one", default="all", type=click.Choice(["all", *NAMES]), show_choices=False, err=True
        )
        names = () if answer == "all" else (answer,)
    if wants_all or not names:
        return list(SCENARIOS)
    return [scenario for scenario in SCENARIOS if scenario.name in names]


async def _play_all(chosen: Sequence[Scenario], seed: int, *, is_shown: bool) -> list[Result]:
    """A few at a time, the longest first; each is shown as soon as it is over. The results in the order of `chosen`."""
    room = asyncio.Semaphore(AT_ONCE)
    playing = asyncio.current_task()
    assert playing is not None
    told = _hear_endings(playing)

    async def one(scenario: Scenario) -> Result:
        async with room:
            result = await play(scenario, seed)
        if is_shown:
            show(result, console())
        return result

    try:
        async with asyncio.TaskGroup() as group:
            order = sorted(chosen, key=lambda s: s.name not in LONGEST_FIRST)
            tasks = {scenario.name: group.create_task(one(scenario)) for scenario in order}
    except asyncio.CancelledError:
        if told:
            raise interruption() from None
        raise
    except BaseExceptionGroup as several:
        lost, others = several.split(OutputLost)
        if lost is None or others is not None:
            raise
        raise lost.exceptions[0] from several
    return [tasks[scenario.name].result() for scenario in chosen]


async def play(scenario: Scenario, seed: int) -> Result:
    """One scenario from its first process to its last. That it cannot be played is a check that failed."""
    began = time.monotonic()
    checks: Sequence[Check]
    try:
        async with staged(HERE / scenario.configuration, seed=seed) as stage:
            checks = await scenario.play(stage, Random(f"{scenario.name} {seed}"))
    except (PartFailed, NotSettled, SignalboxError, OSError) as error:
        checks = [Check(what="the scenario can be played", expected="yes", seen=str(error), ok=False)]
    return Result(name=scenario.name, about=scenario.about, seconds=time.monotonic() - began, checks=tuple(checks))


def _hear_endings(playing: asyncio.Task[object]) -> list[signal.Signals]:
    """Processes in sessions of their own hear nothing of a terminal: a signal here ends the play, which ends them."""
    told: list[signal.Signals] = []

    def hear(number: signal.Signals) -> None:
        told.append(number)
        playing.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, hear, number)
    return told
