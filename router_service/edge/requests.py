"""From the wire to core values: every field checked, the complaints all at once, nothing asked for silently ignored.

It runs between two turns of the event loop, so its work is bounded: a list is counted before it is walked, and whoever
made a hundred mistakes hears of those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from signalbox.v1 import chat_pb2, router_pb2

from router_service.core.chat import Generation, Prompt
from router_service.core.request import Request, Routing
from router_service.edge.complaints import Built, Complaints
from router_service.edge.generation import generation
from router_service.edge.messages import EXAMPLE, messages
from router_service.edge.routing import routing
from router_service.edge.tools import response_format, tool_choice, tools
from router_service.rpc.request_id import new_request_id

MAX_LABELS, MAX_LABEL_KEY, MAX_LABEL_VALUE = 16, 63, 256
MAX_CANDIDATES, USUAL_CANDIDATES = 5_000, 50
REQUEST_ID = re.compile(r"[A-Za-z0-9\-_.:]{1,128}")
PLAN_VIEWS = frozenset(router_pb2.PlanView.values())
PLAIN_ROUTING = Routing()
PLAIN_GENERATION = Generation()

_ROUTING = frozenset(router_pb2.Routing.DESCRIPTOR.fields_by_name) - {"mock"}
_CONTENT: Built = {
    name: frozenset(chat_pb2.DESCRIPTOR.message_types_by_name[name].fields_by_name)
    for name in ("Message", "Part", "Reasoning", "ToolCall", "Generation")
}
RUNNABLE: Built = {
    "CompleteRequest": frozenset(
        {"request_id", "messages", "tools", "tool_choice", "response_format"}
        | {"generation", "routing", "labels", "plan_view"}
    ),
    "Routing": _ROUTING,
    **_CONTENT,
}
"""What can be run. `test_requests` holds each list against the contract."""
ROUTABLE: Built = {
    "RouteRequest": frozenset(router_pb2.RouteRequest.DESCRIPTOR.fields_by_name),
    "Routing": _ROUTING,
    **_CONTENT,
}
"""What can be decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the server lets one request ask for."""

    max_prompt_bytes: int
    max_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a request has besides its content: its id, who asks, and its times, as core.request.Request has them."""

    request_id: str
    deadline: float
    tenant: str = ""
    arrived: float | None = None
    time_left_s: float | None = None


def request_id(pb: router_pb2.CompleteRequest) -> str:
    """The caller's own where it is one, else a new one."""
    return pb.request_id if REQUEST_ID.fullmatch(pb.request_id) else new_request_id()


def completion(pb: router_pb2.CompleteRequest, arrival: Arrival, limits: Limits) -> Request:
    """A checked request to be run. Raises InvalidRequest or NotBuilt, as Complaints.settle does."""
    complaints = Complaints(RUNNABLE)
    complaints.check_known(pb, "")
    if not pb.messages:
        complaints.add("messages", f"must hold at least one message, for example {EXAMPLE}")
    prompt = Prompt(
        messages=messages(pb.messages, complaints, max_bytes=limits.max_prompt_bytes),
        tools=tools(pb.tools, complaints, max_bytes=limits.max_prompt_bytes) if pb.tools else (),
        tool_choice=tool_choice(pb.tool_choice, pb.tools, complaints) if pb.HasField("tool_choice") else None,
        response_format=response_format(pb.response_format, complaints) if pb.HasField("response_format") else None,
        generation=generation(pb.generation, complaints) if pb.HasField("generation") else PLAIN_GENERATION,
    )
    wishes = _routing(pb, complaints, limits)
    labels = _labels(pb.labels, complaints)
    if pb.request_id and not REQUEST_ID.fullmatch(pb.request_id):
        complaints.add("request_id", "must be 1 to 128 letters, digits or any of - _ . :")
    _check_view("plan_view", pb.plan_view, complaints)
    complaints.settle()
    return Request(
        request_id=arrival.request_id,
        prompt=prompt,
        routing=wishes,
        labels=labels,
        deadline=arrival.deadline,
        arrived=arrival.arrived,
        tenant=arrival.tenant,
        time_left_s=arrival.time_left_s,
        keeps_plan=bool(pb.plan_view),
    )


def question(pb: router_pb2.RouteRequest, arrival: Arrival, limits: Limits) -> Request:
    """A checked request to be decided on and not run. Raises InvalidRequest or NotBuilt, as Complaints.settle does."""
    complaints = Complaints(ROUTABLE)
    complaints.check_known(pb, "")
    if not pb.messages and not pb.HasField("estimated_input_tokens"):
        complaints.add(
            "messages", f"must hold at least one message, or give estimated_input_tokens; for example {EXAMPLE}"
        )
    prompt = Prompt(
        messages=messages(pb.messages, complaints, max_bytes=limits.max_prompt_bytes),
        tools=tools(pb.tools, complaints, max_bytes=limits.max_prompt_bytes) if pb.tools else (),
        response_format=response_format(pb.response_format, complaints) if pb.HasField("response_format") else None,
        generation=generation(pb.generation, complaints) if pb.HasField("generation") else PLAIN_GENERATION,
    )
    wishes = _routing(pb, complaints, limits)
    labels = _labels(pb.labels, complaints)
    tokens = pb.estimated_input_tokens if pb.HasField("estimated_input_tokens") else None
    if tokens is not None and tokens < 0:
        complaints.add("estimated_input_tokens", f"is {tokens}; must be 0 or more, or unset")
    if pb.HasField("max_candidates") and not 1 <= pb.max_candidates <= MAX_CANDIDATES:
        complaints.add("max_candidates", f"is {pb.max_candidates}; must be 1 to {MAX_CANDIDATES}, or unset")
    _check_view("view", pb.view, complaints)
    complaints.settle()
    return Request(
        request_id=arrival.request_id,
        prompt=prompt,
        routing=wishes,
        labels=labels,
        deadline=arrival.deadline,
        arrived=arrival.arrived,
        tenant=arrival.tenant,
        time_left_s=arrival.time_left_s,
        estimated_input_tokens=tokens,
        keeps_plan=True,
    )


def _routing(
    pb: router_pb2.CompleteRequest | router_pb2.RouteRequest, complaints: Complaints, limits: Limits
) -> Routing:
    if not pb.HasField("routing"):
        return PLAIN_ROUTING
    return routing(pb.routing, complaints, max_attempts=limits.max_attempts)


def _check_view(field: str, view: int, complaints: Complaints) -> None:
    if view not in PLAN_VIEWS:
        complaints.add(field, f"{view} is no value of PlanView")


def _labels(pb: Mapping[str, str], complaints: Complaints) -> Mapping[str, str]:
    if not pb:
        return {}
    if len(pb) > MAX_LABELS:
        complaints.add("labels", f"holds {len(pb)} labels; at most {MAX_LABELS}")
        return {}
    for key, value in pb.items():
        if not key or len(key) > MAX_LABEL_KEY or len(value) > MAX_LABEL_VALUE:
            limits = f"a key of 1 to {MAX_LABEL_KEY} and a value of at most {MAX_LABEL_VALUE} characters"
            complaints.add(f"labels[{key[:MAX_LABEL_KEY]!r}]", f"must have {limits}")
    return dict(pb)
