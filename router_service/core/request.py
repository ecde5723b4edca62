"""One request as the service sees it: the prompt, how the caller wants it routed, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from router_service.core.chat import Prompt
from router_service.core.inference import Inference
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType
from router_service.core.tokens import TextProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The caller's wishes, by the names of the wire contract, which documents each. None and empty are not given.

    `model` is empty or `auto`, a model's name or alias, or a target's id. Quality is 0 to 1, weights are 0 to 10.
    """

    model: str = ""
    task_type: TaskType | None = None
    complexity: Complexity | None = None
    strategy: str = ""
    budget_tier: BudgetTier | None = None
    region: str = ""
    environment: Environment | None = None
    speed_critical: bool = False
    prefer_cheap: bool = False
    allowed_providers: frozenset[str] = frozenset()
    denied_providers: frozenset[str] = frozenset()
    required_compliance: frozenset[str] = frozenset()
    requires_compliance: bool = False
    requires_sla: bool = False
    prefer_self_hosted: bool = False
    max_cost_usd_nanos: int | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    max_attempts: int | None = None
    disable_fallback: bool = False
    hedge: bool = False
    resume_on_failure: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    required_capabilities: frozenset[str] = frozenset()
    preferred_capabilities: frozenset[str] = frozenset()
    allow_paid_embeddings: bool = False
    decision_id: str = ""

    def over(self, earlier: Routing) -> Routing:
        """These wishes, and those of `earlier` wherever these leave something open."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(earlier, **{name: value for name, value in given.items() if value != getattr(_OPEN, name)})


_OPEN = Routing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`deadline` is absolute, on the loop's monotonic clock, and already leaves room to answer before the caller's.
    `arrived` is when the request came, on the same clock; None where nobody looked.

    `time_left_s` is the same deadline counted from the request's arrival; None where the caller gave none, and then
    no target is refused for being too slow for it. `inference` and `text` are None where nobody has looked at the
    prompt. With `keeps_plan` its plan gets an id and is kept, so that it can be run or reported on later.
    """

    request_id: str
    prompt: Prompt
    routing: Routing = field(default_factory=Routing)
    labels: Mapping[str, str] = field(default_factory=dict)
    deadline: float
    tenant: str = ""
    estimated_input_tokens: int | None = None
    time_left_s: float | None = None
    arrived: float | None = None
    inference: Inference | None = None
    text: TextProfile | None = None
    keeps_plan: bool = False
