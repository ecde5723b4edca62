"""A request in the decision's own terms: server settings filled in, inference weighed, content's demands spelt out."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from router_service.core.catalog import Catalog, Model
from router_service.core.decision.demands import demanded, origin
from router_service.core.decision.policy import Policy
from router_service.core.decision.profile import Profile
from router_service.core.decision.regions import is_in
from router_service.core.decision.rules import Conditions
from router_service.core.fitting import adjusted
from router_service.core.inference import Inference
from router_service.core.request import Request, Routing
from router_service.core.task import Complexity, TaskType
from router_service.core.tokens import MESSAGE_TOKENS

CHARACTERS_PER_TOKEN = 4
EUROPE = "eu"
NONE: frozenset[str] = frozenset()
REASONING = frozenset({"reasoning"})
TELLING = frozenset({"reasoning", "vision"})
"""Capabilities that a task wishes for or demands."""
TECHNICAL, REFACTORING = "technical", "refactoring"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`output_limit` is the caller's bound on the answer in tokens. `confidence` is None where nothing was inferred.

    `task` and `complexity` are what is known of them; the profile has them only where the decision looks at them.
    """

    profile: Profile
    strategy: str
    input_tokens: int
    output_limit: int | None
    max_cost_usd_nanos: int | None
    max_latency_s: float | None
    time_left_s: float | None
    chain_length: int
    task: TaskType | None
    complexity: Complexity | None
    is_inferred: bool
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Marks:
    """What rules look at beyond what every request has; all else is left out of a profile, so that more share one."""

    tokens: tuple[int, ...]
    labels: frozenset[str]
    names_tenants: bool
    infers: bool
    """Whether what a prompt is for makes a difference to anybody. Where no rule asks and no target is tagged, a task is
    told to whoever wants the plan explained, and is not worth reading every prompt for.
    """
    weights: tuple[tuple[str, float], ...]


def marks_of(policy: Policy, catalog: Catalog) -> Marks:
    conditions = [rule.when for rule in policy.rules]
    return Marks(
        tokens=tuple(sorted({mark for when in conditions for mark in when.token_marks})),
        labels=frozenset(key for when in conditions for key in when.labels),
        names_tenants=any(when.tenants for when in conditions),
        infers=any(map(_asks_what_for, conditions)) or any(_is_tagged(target.model) for target in catalog.targets),
        weights=tuple(sorted(policy.weights.items())),
    )


def ask(request: Request, policy: Policy, marks: Marks, *, is_over_budget: bool) -> Question:
    """What `request` asks for, under `policy`; `marks` are those of the policy."""
    routing, inference = request.routing, request.inference
    told_task, told_complexity, is_inferred = _understood(routing, inference, policy)
    task, complexity = told_task, told_complexity
    if not marks.infers:
        task, complexity, inference = routing.task_type, routing.complexity, None
    tokens = input_tokens(request)
    region = routing.region or policy.region
    labels, generation = request.labels, request.prompt.generation
    profile = Profile(
        model="" if routing.model == "auto" else routing.model,
        task=task,
        complexity=complexity,
        environment=routing.environment or policy.environment,
        region=region,
        budget_tier=routing.budget_tier or policy.budget_tier,
        speed_critical=routing.speed_critical,
        prefer_cheap=routing.prefer_cheap,
        prefer_self_hosted=routing.prefer_self_hosted,
        requires_sla=routing.requires_sla,
        allow_paid_embeddings=routing.allow_paid_embeddings,
        allowed_providers=routing.allowed_providers,
        denied_providers=routing.denied_providers,
        compliance=_compliance(routing, region),
        required_capabilities=routing.required_capabilities | demanded(request.prompt, task),
        required_fields=adjusted(generation) if policy.refuses_unsupported else NONE,
        required_output_tokens=(generation.max_output_tokens or 0) if policy.refuses_unsupported else 0,
        preferred_capabilities=routing.preferred_capabilities | (REASONING if task is TaskType.REASONING else NONE),
        origin=origin(request.prompt),
        min_quality=routing.min_quality or 0.0,
        weights=_weights(routing, marks),
        is_technical=labels.get(TECHNICAL) == "true" or (inference is not None and inference.is_technical),
        is_refactoring=labels.get(REFACTORING) == "true" or (inference is not None and inference.is_refactoring),
        is_over_budget=is_over_budget,
        is_strategy_named=bool(routing.strategy),
        tenant=request.tenant if marks.names_tenants else "",
        labels=tuple(sorted((k, v) for k, v in labels.items() if k in marks.labels)) if marks.labels else (),
        token_band=bisect_right(marks.tokens, tokens),
    )
    return Question(
        profile=profile,
        strategy=routing.strategy or policy.strategy,
        input_tokens=tokens,
        output_limit=generation.max_output_tokens,
        max_cost_usd_nanos=routing.max_cost_usd_nanos,
        max_latency_s=routing.max_latency_s,
        time_left_s=request.time_left_s,
        chain_length=1 if routing.disable_fallback else policy.chain_length,
        task=told_task,
        complexity=told_complexity,
        is_inferred=is_inferred,
        confidence=_confidence(routing, request.inference),
    )


def going_on(question: Question, written_tokens: int) -> Question:
    """The question to whoever goes on with an answer of which so much is written: he reads that as one more message,
    and has the less to write.
    """
    limit = question.output_limit
    return replace(
        question,
        input_tokens=question.input_tokens + written_tokens + MESSAGE_TOKENS,
        output_limit=None if limit is None else length_left(limit, written_tokens),
    )


def length_left(limit: int, written_tokens: int) -> int:
    """How many tokens may follow those that are written; a provider is asked for one at least."""
    return max(1, limit - written_tokens)


def _asks_what_for(when: Conditions) -> bool:
    return bool(when.tasks or when.complexities) or not (when.is_technical is None and when.is_refactoring is None)


def _is_tagged(model: Model) -> bool:
    return bool(model.tasks or model.roles or model.quality or model.capabilities & TELLING)


def input_tokens(request: Request) -> int:
    """The prompt's tokens as the caller or the edge estimated them, else by the rule of thumb; at least one."""
    if request.estimated_input_tokens is not None:
        return max(1, request.estimated_input_tokens)
    return max(1, -(-request.prompt.characters() // CHARACTERS_PER_TOKEN))


def _understood(
    routing: Routing, inference: Inference | None, policy: Policy
) -> tuple[TaskType | None, Complexity | None, bool]:
    """Task and complexity as given, else as inferred with enough confidence; and whether either was inferred."""
    task, complexity = routing.task_type, routing.complexity
    if inference is None or (task is not None and complexity is not None):
        return task, complexity, False
    is_inferred = False
    if task is None and inference.confidence >= policy.task_confidence:
        task, is_inferred = inference.task, inference.task is not None
    if complexity is None and inference.complexity_confidence >= policy.complexity_confidence:
        complexity, is_inferred = inference.complexity, is_inferred or inference.complexity is not None
    return task, complexity, is_inferred


def _confidence(routing: Routing, inference: Inference | None) -> float | None:
    """That of the task where it had to be inferred, else that of the complexity."""
    if inference is None:
        return None
    if routing.task_type is None:
        return inference.confidence
    return inference.complexity_confidence if routing.complexity is None else None


def _compliance(routing: Routing, region: str) -> frozenset[str]:
    if routing.required_compliance or not routing.requires_compliance:
        return routing.required_compliance
    return frozenset({"gdpr" if is_in(region, EUROPE) else "soc2"})


def _weights(routing: Routing, marks: Marks) -> tuple[tuple[str, float], ...]:
    if not routing.weights:
        return marks.weights
    return tuple(sorted({**dict(marks.weights), **routing.weights}.items()))
