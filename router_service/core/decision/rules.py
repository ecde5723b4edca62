"""Rules: conditions on a request, and which targets they keep or put first. The first that matches applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from router_service.core.catalog import Target
from router_service.core.decision.profile import Profile
from router_service.core.decision.regions import is_in
from router_service.core.task import BudgetTier, Complexity, Environment, TaskType

FREE = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All that are given must hold; empty and None are not given.

    In `complexities` None stands for a complexity that is not known. `over_input_tokens` is exceeded, never equalled;
    `max_input_tokens` may be equalled. A region holds its parts as well, as `eu` holds `eu-west`.
    """

    is_over_budget: bool | None = None
    tasks: frozenset[TaskType] = frozenset()
    complexities: frozenset[Complexity | None] = frozenset()
    over_input_tokens: int | None = None
    max_input_tokens: int | None = None
    budget_tiers: frozenset[BudgetTier] = frozenset()
    regions: frozenset[str] = frozenset()
    environments: frozenset[Environment] = frozenset()
    tenants: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    is_speed_critical: bool | None = None
    prefers_cheap: bool | None = None
    requires_sla: bool | None = None
    requires_compliance: bool | None = None
    is_technical: bool | None = None
    is_refactoring: bool | None = None
    allows_paid_embeddings: bool | None = None

    @property
    def token_marks(self) -> tuple[int, ...]:
        """The input tokens from which on these conditions hold, or hold no longer."""
        marks = (self.over_input_tokens, self.max_input_tokens)
        return tuple(mark + 1 for mark in marks if mark is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`only` keeps the targets that it selects alone; `prefer` puts those it selects first, in its order.

    A selector is a provider's name, a model's name or alias, a target id with `*` and `?`, `tier:NAME`, `role:NAME`,
    `region:NAME`, `compliance:TAG`, `open_weights`, or `free` for what costs nothing right now.
    """

    name: str
    when: Conditions
    only: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()


def applying(rules: Sequence[Rule], profile: Profile, input_tokens: int) -> Rule | None:
    """The first rule that matches. A strategy that the caller named skips rules that only prefer."""
    for rule in rules:
        if (rule.only or not profile.is_strategy_named) and matches(rule.when, profile, input_tokens):
            return rule
    return None


def matches(when: Conditions, profile: Profile, input_tokens: int) -> bool:
    return _sizes(when, input_tokens) and _membership(when, profile) and _switches(when, profile)


def shadows(earlier: Rule, later: Rule) -> bool:
    """Whether `later` can never apply, because `earlier` matches whatever it matches. What only prefers is skipped for
    callers who name a strategy, so that it shadows nothing that more than prefers.
    """
    return (bool(earlier.only) or not later.only) and _covers(earlier.when, later.when)


def selects(selector: str, target: Target, *, is_free: bool) -> bool:
    """Whether `selector` means `target`; `is_free` says whether the target costs nothing at this moment."""
    kind, colon, name = selector.partition(":")
    match kind if colon and "/" not in kind else selector:
        case "tier":
            return target.provider.tier == name
        case "role":
            return name in target.model.roles
        case "region":
            return is_in(target.provider.region, name)
        case "compliance":
            return name in target.provider.compliance
        case "free":
            return is_free
        case "open_weights":
            return target.provider.open_weights
        case _:
            return _named(selector, target)


def position(selectors: Sequence[str], target: Target, *, is_free: bool) -> int:
    """The place of the first selector that means `target`, from 0; their number where none does."""
    for place, selector in enumerate(selectors):
        if selects(selector, target, is_free=is_free):
            return place
    return len(selectors)


def _covers(wide: Conditions, narrow: Conditions) -> bool:
    """Whether every request that meets `narrow` meets `wide`."""
    sets: tuple[tuple[frozenset[object], frozenset[object]], ...] = (
        (wide.tasks, narrow.tasks),
        (wide.complexities, narrow.complexities),
        (wide.budget_tiers, narrow.budget_tiers),
        (wide.environments, narrow.environments),
        (wide.tenants, narrow.tenants),
    )
    return (
        all(not outer or (bool(inner) and inner <= outer) for outer, inner in sets)
        and _covers_regions(wide.regions, narrow.regions)
        and wide.labels.items() <= narrow.labels.items()
        and _covers_sizes(wide, narrow)
        and all(outer is None or outer is inner for outer, inner in zip(_wanted(wide), _wanted(narrow), strict=True))
    )


def _covers_regions(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    return not wide or (bool(narrow) and all(any(is_in(inner, outer) for outer in wide) for inner in narrow))


def _covers_sizes(wide: Conditions, narrow: Conditions) -> bool:
    over, most = wide.over_input_tokens, wide.max_input_tokens
    if over is not None and (narrow.over_input_tokens is None or narrow.over_input_tokens < over):
        return False
    return most is None or (narrow.max_input_tokens is not None and narrow.max_input_tokens <= most)


def _named(selector: str, target: Target) -> bool:
    return selector == target.provider.name or target.answers_to(selector) or fnmatchcase(target.id, selector)


def _sizes(when: Conditions, input_tokens: int) -> bool:
    if when.over_input_tokens is not None and input_tokens <= when.over_input_tokens:
        return False
    return when.max_input_tokens is None or input_tokens <= when.max_input_tokens


def _membership(when: Conditions, profile: Profile) -> bool:
    return (
        (not when.tasks or profile.task in when.tasks)
        and (not when.complexities or profile.complexity in when.complexities)
        and (not when.budget_tiers or profile.budget_tier in when.budget_tiers)
        and (not when.regions or any(is_in(profile.region, region) for region in when.regions))
        and (not when.environments or profile.environment in when.environments)
        and (not when.tenants or profile.tenant in when.tenants)
        and all((key, value) in profile.labels for key, value in when.labels.items())
    )


def _switches(when: Conditions, profile: Profile) -> bool:
    seen = (
        profile.is_over_budget,
        profile.speed_critical,
        profile.prefer_cheap,
        profile.requires_sla,
        bool(profile.compliance),
        profile.is_technical,
        profile.is_refactoring,
        profile.allow_paid_embeddings,
    )
    return all(wanted is None or wanted is found for wanted, found in zip(_wanted(when), seen, strict=True))


def _wanted(when: Conditions) -> tuple[bool | None, ...]:
    """The switches, in the order in which a profile is held against them."""
    return (
        when.is_over_budget,
        when.is_speed_critical,
        when.prefers_cheap,
        when.requires_sla,
        when.requires_compliance,
        when.is_technical,
        when.is_refactoring,
        when.allows_paid_embeddings,
    )
