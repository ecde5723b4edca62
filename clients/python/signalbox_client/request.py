"""From what a caller has at hand to the message that goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from signalbox.v1.chat_pb2 import ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_USER, Message
from signalbox.v1.router_pb2 import CompleteRequest, Routing

Prompt = str | Sequence[Message] | CompleteRequest
"""A question, the turns of a conversation, or a whole request for what the short form has no word for."""


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
    return request
