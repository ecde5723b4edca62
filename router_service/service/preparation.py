"""What is read from a request's prompt before the decision: how long it is, and what it is for where nobody says so."""

from __future__ import annotations

from dataclasses import replace

from router_service.core.inference import Inference, infer
from router_service.core.request import Request
from router_service.core.tokens import profile, typical


def prepared(request: Request, *, infers: bool) -> Request:
    """`request` with its text's profile, an estimate of its tokens, and, where task or complexity are left open and
    somebody looks at them (`infers`), what its words say of them. What it has already stays as it is.
    """
    if not request.prompt.messages:
        return request
    inference = request.inference or (_inferred(request) if infers else None)
    if request.estimated_input_tokens is not None:
        return replace(request, inference=inference)
    text = profile(request.prompt)
    return replace(request, inference=inference, text=text, estimated_input_tokens=typical(text))


def _inferred(request: Request) -> Inference | None:
    """None where the caller says it all, and for a decision made earlier, which had its own prompt to go by."""
    routing = request.routing
    if routing.decision_id or (routing.task_type is not None and routing.complexity is not None):
        return None
    return infer(request.prompt)
