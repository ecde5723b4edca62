"""`signalbox models`: the targets that a running router knows, what they can do and cost, and how they are."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text
from signalbox.v1.admin_pb2 import (
    AVAILABILITY_DISABLED,
    AVAILABILITY_ENABLED,
    AVAILABILITY_NO_KEY,
    AVAILABILITY_UNSUPPORTED,
    Target,
)

from router_service.commands.calling import admin_client
from router_service.commands.figures import MISSING
from router_service.commands.providers import STATE_STYLES, state_name
from router_service.commands.streams import say
from router_service.commands.tables import bare_table, console, counted
from router_service.core.prices import NANOS_PER_USD
from router_service.core.task import TaskType

UNTAGGED_MATCH = 0.5
"""How well a model without any tags suits a task, as the decision has it."""
EMBEDDING = TaskType.EMBEDDING.value
"""The task, and the capability of the targets that make vectors and no text."""
WIDTH = 140
STATES = {
    AVAILABILITY_ENABLED: "ready",
    AVAILABILITY_NO_KEY: "no_key",
    AVAILABILITY_DISABLED: "off",
    AVAILABILITY_UNSUPPORTED: "unsupported",
}


def tell(address: str | None, *, provider: str, task: str | None, as_json: bool) -> None:
    """Write the targets of the router at `address`: those of one provider, where one is named, that suit the task."""
    with admin_client(address) as client:
        targets = list(client.list_targets(provider=provider))
    if task is not None:
        targets = suiting(targets, task)
    if as_json:
        click.echo(json.dumps({"items": [item(target) for target in targets]}, ensure_ascii=False))
        return
    console(plain_width=WIDTH).print(table(targets, task=task))
    ready = sum(target.availability == AVAILABILITY_ENABLED for target in targets)
    say(f"{counted(len(targets), 'target')}, {ready} ready")


def suiting(targets: Sequence[Target], task: str) -> list[Target]:
    """Those that suit a task at all, the best first, by id among equals."""
    found = [(_match(target, task), target) for target in targets]
    return [target for match, target in sorted(found, key=lambda pair: (-pair[0], pair[1].id)) if match > 0]


def item(target: Target) -> dict[str, object]:
    """The documented shape. Prices are in USD per million tokens, and null where they are unknown."""
    return {
        "target": target.id,
        "provider": target.provider,
        "model": target.model,
        "context": target.context_tokens or None,
        "prices": {
            "input": _input(target),
            "output": _output(target),
            "cached_input": _cached_input(target),
            "cache_write": _cache_write(target),
        },
        "capabilities": list(target.capabilities),
        "state": state(target),
        "reason": target.availability_detail or None,
    }


def state(target: Target) -> str:
    """`ready` where requests may go there, else what keeps them away."""
    return STATES.get(target.availability, "off")


def table(targets: Sequence[Target], *, task: str | None = None) -> Table:
    """One row for each target; where a task was asked for, with how well each suits it."""
    shown = bare_table()
    shown.add_column("target", overflow="fold", ratio=3)
    shown.add_column("state", no_wrap=True)
    if task is not None:
        shown.add_column(task.replace("_", " "), justify="right")
    for heading in ("context", "in", "out"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("also called", overflow="fold", ratio=2)
    shown.add_column("can do", overflow="fold", ratio=2)
    for target in targets:
        match = [] if task is None else [f"{_match(target, task):.0%}"]
        shown.add_row(
            target.id,
            _standing(target),
            *match,
            _size(target.context_tokens),
            _usd(_input(target)),
            _usd(_output(target)),
            ", ".join(target.aliases),
            ", ".join(target.capabilities),
        )
    if targets:
        shown.caption, shown.caption_justify = "prices in USD per million tokens", "left"
    return shown


def _match(target: Target, task: str) -> float:
    if (EMBEDDING in target.capabilities) != (task == EMBEDDING):
        return 0.0
    return target.task_match.get(task, 0.0) if target.task_match else UNTAGGED_MATCH


def _standing(target: Target) -> Text:
    """How a target is that may be called; why it may not be, of one that may not."""
    if target.availability == AVAILABILITY_ENABLED:
        return Text(state_name(target.health.state), style=STATE_STYLES.get(target.health.state, ""))
    return Text(state(target).replace("_", " "), style="dim")


def _input(target: Target) -> float | None:
    prices = target.prices
    has_price = prices.HasField("input_usd_nanos_per_million_tokens")
    return prices.input_usd_nanos_per_million_tokens / NANOS_PER_USD if has_price else None


def _output(target: Target) -> float | None:
    prices = target.prices
    has_price = prices.HasField("output_usd_nanos_per_million_tokens")
    return prices.output_usd_nanos_per_million_tokens / NANOS_PER_USD if has_price else None


def _cached_input(target: Target) -> float | None:
    prices = target.prices
    has_price = prices.HasField("cached_input_usd_nanos_per_million_tokens")
    return prices.cached_input_usd_nanos_per_million_tokens / NANOS_PER_USD if has_price else None


def _usd(value: float | None) -> str:
    if value is None:
        return MISSING
    return "free" if value == 0 else f"{value:.4g}"


def _size(tokens: int) -> str:
    """`128k` or `1.05M`, as people name windows; nothing where it is unknown."""
    if tokens == 0:
        return MISSING
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.3g}M"
    return f"{tokens / 1000:.3g}k" if tokens >= 1000 else str(tokens)


def _cache_write(target: Target) -> float | None:
    prices = target.prices
    has_price = prices.HasField("cache_write_usd_nanos_per_million_tokens")
    return prices.cache_write_usd_nanos_per_million_tokens / NANOS_PER_USD if has_price else None
