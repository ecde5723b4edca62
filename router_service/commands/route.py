"""`signalbox route`: which target the router would choose for a request, and why."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from signalbox.v1.router_pb2 import PLAN_VIEW_BASIC, PLAN_VIEW_FULL, Plan, RouteRequest, Routing
from signalbox_client import user

from router_service.commands.calling import router_client
from router_service.commands.complete import read_prompt
from router_service.commands.documents import document_of, write_message
from router_service.commands.explanation import explain, summarize
from router_service.commands.failure import ExitCode, Failure
from router_service.commands.tables import console

TIMEOUT_S = 10.0


def request_of(
    prompt: str | None,
    routing: Routing,
    *,
    estimated_input_tokens: int | None,
    max_output_tokens: int | None,
    labels: Mapping[str, str],
    max_candidates: int | None,
    is_explained: bool,
) -> RouteRequest:
    """The request that the options and the prompt make; `-` reads the prompt from standard input."""
    request = RouteRequest(
        routing=routing,
        view=PLAN_VIEW_FULL if is_explained else PLAN_VIEW_BASIC,
        estimated_input_tokens=estimated_input_tokens,
        max_candidates=max_candidates,
        labels=labels,
    )
    if prompt is not None:
        request.messages.append(user(read_prompt(prompt)))
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    return request


def show(request: RouteRequest, address: str | None, *, as_json: bool) -> ExitCode:
    """Write the plan that a request gets, in the view that it asks for."""
    plan = _asked(request, address, as_json=as_json)
    if as_json:
        write_message(plan)
    elif request.view == PLAN_VIEW_FULL:
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
