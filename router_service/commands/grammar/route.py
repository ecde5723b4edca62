"""`signalbox route`: which target the router would choose for a request, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from router_service.commands.failure import usage_failure
from router_service.commands.grammar import options
from router_service.commands.grammar.routing_options import pairs, pass_routing, routing_options
from router_service.interrupt import loading

if TYPE_CHECKING:
    from signalbox.v1.router_pb2 import Routing

MAX_TOKENS = 2**31 - 1
MAX_CANDIDATES = 5000


@click.command
@click.argument("prompt", required=False)
@routing_options
@click.option(
    "--estimated-input-tokens",
    type=click.IntRange(0, MAX_TOKENS),
    metavar="N",
    help="The size of a prompt that you keep to yourself, or in place of the estimate.",
)
@options.max_output_tokens
@click.option("--label", "labels", multiple=True, callback=pairs, metavar="NAME=VALUE", help="For rules to match.")
@click.option("--explain", "is_explained", is_flag=True, help="Every candidate, its points, and who was rejected.")
@click.option(
    "--max-candidates",
    type=click.IntRange(1, MAX_CANDIDATES),
    metavar="N",
    help="The most candidates that --explain returns; 50 by default.",
)
@click.option("--json", "as_json", is_flag=True, help="The Plan as JSON.")
@options.router
@pass_routing
def command(
    routing: Routing,
    *,
    prompt: str | None,
    estimated_input_tokens: int | None,
    max_output_tokens: int | None,
    labels: Mapping[str, str],
    is_explained: bool,
    max_candidates: int | None,
    as_json: bool,
    address: str | None,
) -> int:
    """Ask the router where it would send PROMPT, without sending it; `-` reads it from standard input.

    In place of a prompt, --estimated-input-tokens says how long it would be. A request that nobody may serve ends with
    exit code 4; with --json it is an error document, to which --explain adds the plan.
    """
    with loading():
        from router_service.commands import route
    if prompt is None and estimated_input_tokens is None:
        raise usage_failure("give a PROMPT, or its length with --estimated-input-tokens", field="PROMPT")
    request = route.request_of(
        prompt,
        routing,
        estimated_input_tokens=estimated_input_tokens,
        max_output_tokens=max_output_tokens,
        labels=labels,
        max_candidates=max_candidates,
        is_explained=is_explained,
    )
    return route.show(request, address, as_json=as_json)
