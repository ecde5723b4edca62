"""`signalbox complete`: one completion, streamed to the terminal or whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from router_service.commands.grammar import options
from router_service.commands.grammar.content_options import content_options
from router_service.interrupt import loading

if TYPE_CHECKING:
    from router_service.commands.content import Content

UNARY_TIMEOUT_S, STREAM_TIMEOUT_S = 60.0, 300.0
"""The Python client's own, which is not imported for the help."""


@click.command
@click.argument("prompt")
@click.option(
    "--model",
    default="",
    callback=options.utf8,
    metavar="NAME",
    shell_complete=options.model_names,
    help="A model, an alias or a target; else the router chooses.",
)
@options.max_output_tokens
@content_options
@click.option("--stream/--no-stream", "is_stream", default=None, help="By default a terminal gets a stream.")
@click.option("--json", "as_json", is_flag=True, help="A CompleteResponse as JSON; with --stream its events.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, max=86_400, min_open=True),
    callback=options.finite,
    metavar="SECONDS",
    help=f"How long it may take: {UNARY_TIMEOUT_S:g} by default, {STREAM_TIMEOUT_S:g} for a stream.",
)
@options.router
def command(
    prompt: str,
    *,
    model: str,
    max_output_tokens: int | None,
    content: Content,
    is_stream: bool | None,
    as_json: bool,
    timeout_s: float | None,
    address: str | None,
) -> None:
    """Run PROMPT through the router and write the answer; `-` reads the prompt from standard input.

    The answer goes to stdout; what it took (target, time, cost, attempts) goes to stderr.
    """
    with loading():
        from router_service.commands import complete
    request = complete.request_of(prompt, model=model, max_output_tokens=max_output_tokens, content=content)
    complete.show(request, address, is_stream=is_stream, as_json=as_json, timeout_s=timeout_s)
