"""Gates: what keeps a target from serving a request, each with the bound and the value that broke it, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from router_service.core.catalog import Kind
from router_service.core.decision import appraisal, words
from router_service.core.decision.appraisal import Estimate
from router_service.core.decision.estimates import NANO_DUST, whole_nanos
from router_service.core.decision.moment import Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.outlook import Outlook
from router_service.core.decision.policy import CEILINGS_USD, Policy
from router_service.core.decision.profile import Profile
from router_service.core.decision.question import Question
from router_service.core.decision.regions import is_in
from router_service.core.decision.rejection import Refusal, Rejection
from router_service.core.decision.rules import Rule, position
from router_service.core.fitting import OUTPUT_LIMIT
from router_service.core.task import TaskType


def lasting(offer: Offer, profile: Profile, policy: Policy, rule: Rule | None, *, is_free: bool) -> Refusal | None:
    """What no size and no waiting changes: the first gate that turns every request of this profile away."""
    for reason, gate in LASTING:
        if detail := gate(offer, profile):
            return Refusal(reason, detail)
    if policy.only_self_hosted and not offer.is_local:
        return Refusal(Rejection.SELF_HOSTING, "only targets that the operator runs may serve, and this is another's")
    if rule is not None and rule.only and position(rule.only, offer.target, is_free=is_free) == len(rule.only):
        return Refusal(Rejection.RULE, f"the rule {rule.name!r} keeps to {', '.join(rule.only)}")
    if detail := _tier(offer, profile, is_free=is_free):
        return Refusal(Rejection.BUDGET_TIER, detail)
    return None


def passing(
    offer: Offer,
    question: Question,
    policy: Policy,
    rule: Rule | None,
    outlook: Outlook,
    estimate: Estimate,
    moment: Moment,
    in_flight: Mapping[str, int],
) -> Refusal | None:
    """What this request's sizes and this moment keep away, of the targets that `lasting` lets through."""
    checks = (
        (Rejection.QUALITY, _quality(question, estimate)),
        (Rejection.CONTEXT_WINDOW, _context(offer, question, estimate)),
        (Rejection.COST_PER_REQUEST, _cost(offer, question, moment, estimate)),
        (Rejection.LATENCY, _latency(question, estimate)),
        (Rejection.DEADLINE, _deadline(question, policy, estimate)),
    )
    if found := next((Refusal(reason, detail) for reason, detail in checks if detail), None):
        return found
    if found := _spend(offer, moment, estimate):
        return found
    if found := without_room(offer, question, policy, rule, outlook, moment, is_free=estimate.is_free):
        return found
    if detail := _block(outlook):
        return Refusal(Rejection.BLOCKED, detail)
    detail = _concurrency(offer, in_flight)
    return Refusal(Rejection.CONCURRENCY, detail) if detail else None


def without_room(
    offer: Offer,
    question: Question,
    policy: Policy,
    rule: Rule | None,
    outlook: Outlook,
    moment: Moment,
    *,
    is_free: bool,
) -> Refusal | None:
    """What windows keep away: those that are full, and those in tokens, neurons or money that hold no call so large.

    A call that does not fit into its free window has a price, and may be kept away by that.
    """
    standing = moment.quota(offer)
    if standing is None:
        return None
    amounts = appraisal.amounts(offer, question, policy, outlook)
    if is_free and not offer.is_always_free and standing.free_window and standing.free_window.lacks(amounts):
        is_free = False
        if refusal := _at_its_price(offer, question, policy, rule, outlook, moment):
            return refusal
    lacking = standing.lacking(amounts, is_free=is_free)
    if not standing.has_room:
        wait_s = standing.resets_in_s
        wait = "" if wait_s is None else f" for another {words.seconds(wait_s)}"
        is_vain = lacking is not None and lacking.wait_s(amounts) is None
        said = f"a window of {standing.provider} has no room left{wait}"
        return Refusal(Rejection.QUOTA, said, retry_in_s=None if is_vain else wait_s)
    if lacking is None:
        return None
    return Refusal(Rejection.QUOTA, words.lack(lacking, amounts), retry_in_s=lacking.wait_s(amounts))


def _at_its_price(
    offer: Offer, question: Question, policy: Policy, rule: Rule | None, outlook: Outlook, moment: Moment
) -> Refusal | None:
    if refusal := lasting(offer, question.profile, policy, rule, is_free=False):
        return refusal
    estimate = appraisal.appraise(offer, question, policy, outlook, is_free=False)
    return unaffordable(offer, question, moment, estimate) or _spend(offer, moment, estimate)


def unaffordable(offer: Offer, question: Question, moment: Moment, estimate: Estimate) -> Refusal | None:
    """What the bounds on one request's cost keep away."""
    detail = _cost(offer, question, moment, estimate)
    return Refusal(Rejection.COST_PER_REQUEST, detail) if detail else None


def too_long(offer: Offer, question: Question, estimate: Estimate) -> Refusal | None:
    """What the context window keeps away."""
    detail = _context(offer, question, estimate)
    return Refusal(Rejection.CONTEXT_WINDOW, detail) if detail else None


def _model(offer: Offer, profile: Profile) -> str:
    if not profile.model or offer.target.answers_to(profile.model):
        return ""
    return f"the request names {profile.model!r}, and this is {offer.target.model.id!r}"


def _provider(offer: Offer, profile: Profile) -> str:
    name = offer.target.provider.name
    if name in profile.denied_providers:
        return f"the request denies {name}"
    if profile.allowed_providers and name not in profile.allowed_providers:
        return f"the request allows only {words.listed(profile.allowed_providers)}"
    return ""


def _disabled(offer: Offer, profile: Profile) -> str:  # noqa: ARG001 - a gate is asked like any other
    provider = offer.target.provider
    if not provider.is_enabled:
        return f"the provider {provider.name} is switched off"
    if not provider.is_spoken:
        return f"this router does not speak the dialect {provider.dialect} yet, and could only plan with it"
    if not offer.target.model.is_enabled:
        return "the target is switched off"
    return "" if provider.is_usable else f"there is no key for {provider.name}"


def _capability(offer: Offer, profile: Profile) -> str:
    makes_vectors = offer.target.model.kind is Kind.EMBEDDING
    if makes_vectors != (profile.task is TaskType.EMBEDDING):
        return "it makes vectors and no text" if makes_vectors else "it makes text and no vectors"
    if missing := profile.required_capabilities - offer.capabilities:
        return f"it lacks {words.listed(missing)}"
    if untaken := profile.required_fields & offer.target.untaken_fields:
        return f"it does not take {words.listed(untaken)}"
    most, wanted = offer.target.model.max_output_tokens, profile.required_output_tokens
    if most is None or wanted <= most:
        return ""
    return f"its answers end at {words.tokens(most)}, and {OUTPUT_LIMIT} is {wanted}"


def _region(offer: Offer, profile: Profile) -> str:
    region = offer.target.provider.region
    if not profile.region or is_in(region, profile.region):
        return ""
    return f"it runs in {region or 'a region that nobody named'}, and {profile.region} is demanded"


def _compliance(offer: Offer, profile: Profile) -> str:
    missing = profile.compliance - offer.target.provider.compliance
    return f"it is not certified for {words.listed(missing)}" if missing else ""


def _sla(offer: Offer, profile: Profile) -> str:
    if not profile.requires_sla or offer.target.provider.sla is not None:
        return ""
    return "a service level agreement is demanded, and there is none"


LASTING: tuple[tuple[Rejection, Callable[[Offer, Profile], str]], ...] = (
    (Rejection.MODEL_NOT_ALLOWED, _model),
    (Rejection.PROVIDER_NOT_ALLOWED, _provider),
    (Rejection.DISABLED, _disabled),
    (Rejection.CAPABILITY, _capability),
    (Rejection.REGION, _region),
    (Rejection.COMPLIANCE, _compliance),
    (Rejection.SLA, _sla),
)


def _tier(offer: Offer, profile: Profile, *, is_free: bool) -> str:
    ceiling = CEILINGS_USD.get(profile.budget_tier) if profile.budget_tier is not None else None
    if ceiling is None or is_free:
        return ""
    bound = f"the budget tier ends at {ceiling:g} USD per million tokens"
    blended = offer.target.model.prices.blended
    if blended is None:
        return f"its price is unknown, and {bound}"
    return f"it costs {blended:g} USD per million tokens, and {bound}" if blended > ceiling else ""


def _quality(question: Question, estimate: Estimate) -> str:
    floor = question.profile.min_quality
    return f"a quality of {estimate.quality:.2f} is under the floor of {floor:.2f}" if estimate.quality < floor else ""


def _context(offer: Offer, question: Question, estimate: Estimate) -> str:
    if question.input_tokens <= estimate.room:
        return ""
    parts = f"{words.tokens(estimate.input_tokens)} of input and {words.tokens(estimate.output_tokens)} of output"
    return f"{parts} do not fit into a window of {words.tokens(offer.target.model.context_tokens)}"


def _cost(offer: Offer, question: Question, moment: Moment, estimate: Estimate) -> str:
    name = offer.target.provider.name
    bounds = (
        (question.max_cost_usd_nanos, "the request's bound"),
        (moment.budget.request_limits.get(name), f"the bound for one request to {name}"),
    )
    for bound, whose in bounds:
        if bound is None or estimate.is_free:
            continue
        if estimate.cost_usd_nanos is None:
            return f"its price is unknown, and {whose} is {words.usd(bound)}"
        if estimate.rank_nanos > bound + NANO_DUST:
            return f"an estimated {words.usd(estimate.rank_nanos)} is over {whose} of {words.usd(bound)}"
    return ""


def _latency(question: Question, estimate: Estimate) -> str:
    bound = question.max_latency_s
    if bound is None or estimate.latency_s <= bound:
        return ""
    return f"an expected {words.seconds(estimate.latency_s)} is over the bound of {words.seconds(bound)}"


def _deadline(question: Question, policy: Policy, estimate: Estimate) -> str:
    """By measured time alone: a target that nobody has timed yet would else never be tried, and so never be timed."""
    proven, left_s = estimate.proven_chance, question.time_left_s
    if proven is None or left_s is None or proven >= policy.deadline_floor:
        return ""
    chance, left = words.percent(proven), words.seconds(left_s)
    return f"a chance of {chance} to finish within {left} is under the floor of {words.percent(policy.deadline_floor)}"


def _spend(offer: Offer, moment: Moment, estimate: Estimate) -> Refusal | None:
    if estimate.is_free:
        return None
    if moment.budget.free_only:
        return Refusal(Rejection.SPEND_LIMIT, "only free targets may be called")
    nanos = whole_nanos(estimate.rank_nanos)
    bound = moment.budget.refusing(offer.target.provider.name, nanos)
    if bound is None:
        return None
    return Refusal(Rejection.SPEND_LIMIT, bound.told(nanos), retry_in_s=bound.wait_s(nanos), subject=bound.line.subject)


def _block(outlook: Outlook) -> str:
    standing = outlook.standing
    if standing.block_reason is None:
        return ""
    why = standing.block_reason.value.replace("_", " ")
    return f"the provider is not to be called for another {words.seconds(standing.blocked_for_s)}: {why}"


def _concurrency(offer: Offer, in_flight: Mapping[str, int]) -> str:
    running = in_flight.get(offer.id, 0)
    if offer.max_in_flight is None or running < offer.max_in_flight:
        return ""
    return f"{running} requests are in flight, and it may have {offer.max_in_flight}"
