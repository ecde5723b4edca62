"""One request as the service sees it: the prompt, how the caller wants it routed, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from router_service.core.chat import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The caller's wishes. `model` is empty or `auto`, a model's name or alias, or a target's id."""

    model: str = ""
    allowed_providers: frozenset[str] = frozenset()
    denied_providers: frozenset[str] = frozenset()
    max_attempts: int | None = None
    disable_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`deadline` is absolute, on the loop's monotonic clock, and already leaves room to answer before the caller's."""

    request_id: str
    prompt: Prompt
    routing: Routing = field(default_factory=Routing)
    labels: Mapping[str, str] = field(default_factory=dict)
    deadline: float
