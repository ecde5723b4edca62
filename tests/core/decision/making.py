"""Providers, targets and requests that the decision's tests are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from router_service.core.budget import BudgetReading, BudgetRules, BudgetStanding, budget_standing
from router_service.core.catalog import Catalog, LongContextPrices, Model, Prices, Provider, Speed, Target
from router_service.core.chat import Generation, Message, Prompt, Role
from router_service.core.decision.explain import Candidate
from router_service.core.decision.factors import Factor
from router_service.core.decision.policy import Policy
from router_service.core.decision.prepared import Prepared
from router_service.core.decision.statistics import TargetStatistics
from router_service.core.decision.turns import Turns
from router_service.core.plan import Plan, Standing, View, plan
from router_service.core.quota import QuotaStanding
from router_service.core.request import Request, Routing
from router_service.core.task import TaskType

USD = 1_000_000_000
STILL = Policy(exploration=0.0)
"""No experiments, all else as shipped."""
FRESH = TargetStatistics(success_rate_lower=0.95, has_fresh_evidence=True)


def speed(first_s: float = 0.5, tokens_per_second: float = 1000.0) -> Speed:
    return Speed(time_to_first_token_s=first_s, tokens_per_second=tokens_per_second)


def made(
    id: str,
    *,
    price: float | tuple[float, float] | None = 1.0,
    long: LongContextPrices | None = None,
    tier: str = "premium",
    region: str = "",
    compliance: str = "",
    capabilities: str = "",
    context: int = 0,
    tasks: Mapping[TaskType, float] | None = None,
    quality: float | None = None,
    roles: str = "",
    paced: Speed | None = None,
    provider: Provider | None = None,
    model: Model | None = None,
) -> Target:
    """A target by its id. `price` is in USD per million tokens, for input and output alike or for each."""
    name, _, model_id = id.partition("/")
    both = price if isinstance(price, tuple) else (price, price)
    base = provider or Provider(name=name, dialect="openai", base_url="")
    kind = model or Model(id=model_id)
    return Target(
        replace(
            base,
            name=name,
            tier=tier,
            region=region or base.region,
            compliance=frozenset(compliance.split()) | base.compliance,
        ),
        replace(
            kind,
            id=model_id,
            prices=Prices(input=both[0], output=both[1], long_context=long),
            capabilities=frozenset(capabilities.split()),
            context_tokens=context,
            tasks=tasks or {},
            default_quality=quality,
            roles=frozenset(roles.split()),
            speed=paced or Speed(),
        ),
    )


def asked(
    routing: Routing | None = None,
    *,
    tokens: int = 1000,
    output: int | None = None,
    time_left_s: float | None = None,
    labels: Mapping[str, str] | None = None,
    tenant: str = "",
) -> Request:
    prompt = Prompt(
        messages=(Message(role=Role.USER, content="Hello"),), generation=Generation(max_output_tokens=output)
    )
    return Request(
        request_id="req-1",
        prompt=prompt,
        routing=routing or Routing(),
        labels=labels or {},
        tenant=tenant,
        deadline=1000.0,
        estimated_input_tokens=tokens,
        time_left_s=time_left_s,
    )


def viewed(
    *targets: Target,
    policy: Policy = STILL,
    standings: Mapping[str, Standing] | None = None,
    statistics: Mapping[str, TargetStatistics] | None = None,
    quotas: Mapping[str, QuotaStanding] | None = None,
    budget: BudgetStanding | None = None,
    in_flight: Mapping[str, int] | None = None,
    turns: Turns | None = None,
) -> View:
    catalog = Catalog(targets=targets)
    return View(
        catalog=catalog,
        policy=policy,
        prepared=Prepared(catalog, policy),
        standings=standings or {},
        statistics=statistics or {},
        quotas=quotas or {},
        budget=budget or BudgetStanding(),
        in_flight=in_flight or {},
        turns=turns or Turns(),
    )


def spent(rules: BudgetRules, used_usd: Mapping[str, float] | None = None, tenant: str = "") -> BudgetStanding:
    """How the money stands where so much is used, by `day`, `week`, `month`, or the name of a provider or tenant."""
    used = used_usd or {}
    readings = (
        BudgetReading(line=line, used_usd_nanos=round(used.get(line.name or line.per.value, 0) * USD), resets_in_s=60.0)
        for line in rules.lines()
    )
    return budget_standing(rules, tenant, tuple(readings))


OVER = spent(BudgetRules(daily_usd_nanos=USD), {"day": 1})
"""The server's budget is used up."""


def decided(request: Request, view: View, seed: int = 0) -> Plan:
    return plan(request, view, Random(seed))


def ids(found: Plan) -> list[str]:
    return [target.id for target in found.targets]


def candidate(found: Plan, id: str) -> Candidate:
    return next(c for c in found.candidates if c.target.id == id)


def factor(found: Plan, id: str, name: str) -> Factor:
    return next(f for f in candidate(found, id).factors if f.name == name)


def refused(found: Plan, id: str) -> tuple[str, str]:
    """The reason's name and the detail; both empty for a target that was not refused."""
    refusal = candidate(found, id).refusal
    return ("", "") if refusal is None else (refusal.reason.name, refusal.detail)
