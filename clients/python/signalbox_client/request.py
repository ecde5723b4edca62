"""From what a caller has at hand to the message that goes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from signalbox.v1.chat_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_USER, Message, ResponseFormat, Tool
from signalbox.v1.router_pb2 import CompleteRequest, PlanView, RouteRequest, Routing

Prompt = str | Sequence[Message] | CompleteRequest
"""A question, the turns of a conversation, or a whole request for what the short form has no word for."""


Question = str | Sequence[Message] | RouteRequest | None
"""As Prompt, for a decision alone; None where an estimate of its length stands for it."""


def user(text: str) -> Message:
    """A turn of the person or program that asks."""
    return Message(role=ROLE_USER, content=text)


def system(text: str) -> Message:
    """Instructions that stand above the conversation."""
    return Message(role=ROLE_SYSTEM, content=text)


def assistant(text: str) -> Message:
    """A turn that the model took before."""
    return Message(role=ROLE_ASSISTANT, content=text)


def completion(
    prompt: Prompt,
    *,
    model: str = "",
    max_output_tokens: int | None = None,
    request_id: str = "",
    routing: Routing | None = None,
    labels: Mapping[str, str] | None = None,
    tools: Iterable[Tool] = (),
    response_format: ResponseFormat | None = None,
) -> CompleteRequest:
    """The request for a prompt. What is named here wins over the same thing in `routing` or in a whole request."""
    request = CompleteRequest()
    match prompt:
        case str():
            request.messages.append(user(prompt))
        case CompleteRequest():
            request.CopyFrom(prompt)
        case _:
            request.messages.extend(prompt)
    if routing is not None:
        request.routing.CopyFrom(routing)
    if model:
        request.routing.model = model
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    if request_id:
        request.request_id = request_id
    request.labels.update(labels or {})
    request.tools.extend(tools)
    if response_format is not None:
        request.response_format.CopyFrom(response_format)
    return request


def question(
    prompt: Question,
    *,
    model: str = "",
    max_output_tokens: int | None = None,
    estimated_input_tokens: int | None = None,
    view: PlanView.ValueType | None = None,
    max_candidates: int | None = None,
    routing: Routing | None = None,
    labels: Mapping[str, str] | None = None,
) -> RouteRequest:
    """The request for a decision alone. What is named here wins, as in `completion`."""
    request = RouteRequest()
    match prompt:
        case None:
            pass
        case str():
            request.messages.append(user(prompt))
        case RouteRequest():
            request.CopyFrom(prompt)
        case _:
            request.messages.extend(prompt)
    if routing is not None:
        request.routing.CopyFrom(routing)
    if model:
        request.routing.model = model
    if max_output_tokens is not None:
        request.generation.max_output_tokens = max_output_tokens
    if estimated_input_tokens is not None:
        request.estimated_input_tokens = estimated_input_tokens
    if view is not None:
        request.view = view
    if max_candidates is not None:
        request.max_candidates = max_candidates
    request.labels.update(labels or {})
    return request
