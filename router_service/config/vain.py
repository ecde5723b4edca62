"""Finds what is configured in vain: providers that cannot be called, selectors of nothing, rules that nobody serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from router_service.config.problem import Loc
from router_service.config.source import Source
from router_service.config.targets import Skipped
from router_service.config.values import at, items
from router_service.core.catalog import BUILT_DIALECTS, CONTINUES_TEXT, Target
from router_service.core.decision.policy import Policy
from router_service.core.decision.rules import FREE, Rule, selects

FEW = 3
"""More providers than these, or more rules, share a line."""
CAPABILITIES = ("tools", "vision", "json_schema", "json_object", "reasoning", CONTINUES_TEXT)
"""Those that the router asks for by itself; others are for callers who name them."""
OTHER_NAMES: Mapping[str, str] = {
    "functions": "tools",
    "function_calling": "tools",
    "tool_calling": "tools",
    "images": "vision",
    "json": "json_schema",
    "structured_output": "json_schema",
    "structured_outputs": "json_schema",
    "thinking": "reasoning",
}
"""What else they go by, and is not understood here."""
_SIMILARITY = 0.75


def about_skipped(skipped: Sequence[Skipped]) -> Iterator[str]:
    """Of each provider that is not called, why."""
    yield from (f"{s.provider.name} is skipped: {s.why}" for s in skipped if s.why)
    waiting = [s for s in skipped if not s.why]
    if len(waiting) <= FEW:
        yield from (f"{s.provider.name} is skipped: {_lack(s)}{_remedy(s)}" for s in waiting)
        return
    names = ", ".join(f"{s.provider.name} ({', '.join(filter(None, (*s.variables, s.key)))})" for s in waiting)
    yield f"{len(waiting)} providers are skipped, since the environment lacks what they need: {names}"


def about_dialects(targets: Sequence[Target]) -> Iterator[str]:
    """A line on the providers that are planned with and never called."""
    names = dict.fromkeys(
        t.provider.name
        for t in targets
        if t.provider.is_enabled and t.provider.is_usable and t.provider.dialect not in BUILT_DIALECTS
    )
    if names:
        yield f"{_listed(list(names))}: planned with and not called, since their dialects are not built yet"


def about_selectors(source: Source, policy: Policy, targets: Sequence[Target]) -> Iterator[str]:
    """A line on each selector that means no target of the catalogue."""
    places: list[tuple[Loc, str]] = []
    for number, rule in enumerate(policy.rules):
        at = ("routing", "rules", number)
        places += [((*at, "only", i), selector) for i, selector in enumerate(rule.only)]
        places += [((*at, "prefer", i), selector) for i, selector in enumerate(rule.prefer)]
    places += [(("routing", "priorities", i), selector) for i, selector in enumerate(policy.priorities)]
    for loc, selector in places:
        if not _meant([selector], targets):
            yield source.warning(loc, "means no target of the catalogue")
    for name in policy.shares:
        if not any(name in (target.id, target.provider.name) for target in targets):
            yield source.warning(("routing", "shares", name), "means no provider and no target of the catalogue")


def about_capabilities(source: Source) -> Iterator[str]:
    """A line on each capability that is most likely another one, misspelt: a model would be passed over for it."""
    for place, provider in items(at(source.data, "providers"), ("providers",)):
        for where, model in items(at(provider, "models"), (*place, "models")):
            for loc, name in items(at(model, "capabilities"), (*where, "capabilities")):
                if isinstance(name, str) and (meant := _capability_meant(name)):
                    yield source.warning(loc, f"is a capability that nothing asks for by itself; did you mean {meant}?")


def about_rules(rules: Sequence[Rule], targets: Sequence[Target]) -> Iterator[str]:
    """Lines on the rules whose targets are all unusable."""
    refusing = [rule for rule in rules if _is_in_vain(rule.only, targets)]
    preferring = [rule for rule in rules if not rule.only and _is_in_vain(rule.prefer, targets)]
    lacking = "without a key or switched off"
    refused = [rule.name for rule in refusing if not _are_planned(rule.only, targets)]
    if refused:
        yield f"{_rules(refused)}: what matches is refused, since all targets that may serve it are {lacking}"
    passed_over = [rule.name for rule in preferring if not _are_planned(rule.prefer, targets)]
    if passed_over:
        yield f"{_rules(passed_over)}: nothing is preferred, since all targets that would be are {lacking}"
    served = [rule.name for rule in refusing if _are_planned(rule.only, targets)]
    if served:
        yield f"{_rules(served)}: targets that are served in plans only: their dialects are not built yet"
    preferred = [rule.name for rule in preferring if _are_planned(rule.prefer, targets)]
    if preferred:
        yield f"{_rules(preferred)}: targets that are preferred in plans only: their dialects are not built yet"


def _capability_meant(name: str) -> str:
    """The capability that a name comes close to; empty where it is one, or like none."""
    if name in CAPABILITIES:
        return ""
    near = get_close_matches(name, CAPABILITIES, n=1, cutoff=_SIMILARITY)
    return OTHER_NAMES.get(name, near[0] if near else "")


def _lack(skipped: Skipped) -> str:
    lacks = [f"no {name} in the environment, which its address needs" for name in skipped.variables]
    return ", and ".join([*lacks, *([f"no key in {skipped.key}"] if skipped.key else [])])


def _remedy(skipped: Skipped) -> str:
    page = skipped.provider.key_page
    return f"; get one at {page}" if page else ""


def _is_in_vain(selectors: Sequence[str], targets: Sequence[Target]) -> bool:
    """Whether the selectors mean targets of which none is usable. What means nothing at all is told elsewhere."""
    meant = _meant(selectors, targets)
    return bool(meant) and not any(target.model.is_enabled and target.provider.is_callable for target in meant)


def _are_planned(selectors: Sequence[str], targets: Sequence[Target]) -> bool:
    """Whether plans name one of them, as they do also where its dialect is not built."""
    meant = _meant(selectors, targets)
    return any(t.model.is_enabled and t.provider.is_enabled and t.provider.is_usable for t in meant)


def _meant(selectors: Sequence[str], targets: Sequence[Target]) -> list[Target]:
    """Which targets are free changes from hour to hour, so for `free` any of them may do."""
    return [t for t in targets if any(selects(s, t, is_free=s == FREE) for s in selectors)]


def _rules(names: Sequence[str]) -> str:
    return f"{'rules' if len(names) > 1 else 'rule'} {_listed([repr(name) for name in names])}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
