"""`signalbox route`: which target the router would choose for a request, and why."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click
from signalbox.v1.router_pb2 import PLAN_VIEW_BASIC, PLAN_VIEW_FULL, Plan, RouteRequest, Routing
from signalbox_client import user

from router_service.commands import options
from router_service.commands.calling import router_client
from router_service.commands.complete import MAX_OUTPUT_TOKENS, read_prompt
from router_service.commands.documents import document_of, write_message
from router_service.commands.explanation import explain, summarize
from router_service.commands.failure import ExitCode, Failure, usage_failure
from router_service.commands.routing_options import pairs, pass_routing, routing_options
from router_service.commands.tables import console

MAX_TOKENS = 2**31 - 1
MAX_CANDIDATES = 5000
TIMEOUT_S = 10.0


@click.command
@click.argument("prompt", required=False)
@routing_options
@click.option(
    "--estimated-input-tokens",
    type=click.IntRange(0, MAX_TOKENS),
    metavar="N",
    help="The size of a prompt that you keep to yourself, or in place of the estimate.",
)
@click.option(
    "--max-output-tokens", type=click.IntRange(1, MAX_OUTPUT_TOKENS), metavar="N", help="The most tokens to write."
)
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
    request = RouteRequest(
        routing=routing,
        view=PLAN_VIEW_FULL if is_explained else PLAN_VIEW_BASIC,
        estimated_input_tokens=estimated_input_tokens,
        max_candidates=max_candidates,
        labels=labels,
    )
    if prompt is not None:
        request.messages.append(user(read_prompt(prompt)))
    elif estimated_input_tokens is None:
        raise usage_failure("give a PROMPT, or its length with --estimated-input-tokens", field="PROMPT")
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    plan = _asked(request, address, as_json=as_json)
    if as_json:
        write_message(plan)
    elif is_explained:
        explain(plan, console())
    else:
        summarize(plan, console(plain_width=sys.maxsize))
    return ExitCode.GOOD if plan.target else ExitCode.REFUSED


def _asked(request: RouteRequest, address: str | None, *, as_json: bool) -> Plan:
    """The plan. As JSON an explained refusal has the shape of any other, with the plan beside the error: to that end
    the request is asked once more in the view that refuses.
    """
    with router_client(address) as client:
        plan = client.route(request, timeout_s=TIMEOUT_S)
    if plan.target or not as_json:
        return plan
    request.view = PLAN_VIEW_BASIC
    try:
        with router_client(address) as client:
            return client.route(request, timeout_s=TIMEOUT_S)
    except Failure as failure:
        failure.beside["plan"] = document_of(plan)
        raise
