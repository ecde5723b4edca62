"""The targets that a kind of request may go to, with the rank that rules give each: kept for all of the kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from router_service.core.decision.gates import lasting
from router_service.core.decision.moment import Moment
from router_service.core.decision.offer import Offer
from router_service.core.decision.policy import Policy
from router_service.core.decision.profile import Profile
from router_service.core.decision.rejection import Rejection
from router_service.core.decision.rules import Rule, applying, position
from router_service.core.slices import SLICE, Slices


@dataclass(frozen=True, slots=True)
class Entry:
    """A target that passed. `preference_class` is 0 for those that the rule and the caller put first."""

    offer: Offer
    preference_class: int
    is_free: bool


@dataclass(frozen=True, slots=True)
class Shortlist:
    """`entry_of` has the entries by their targets' indexes, in the catalogue's order. `rejected` holds every other
    target of the catalogue, by id, and `counts` how many of them each reason has.
    """

    rule: Rule | None
    entries: tuple[Entry, ...]
    entry_of: Mapping[int, Entry]
    rejected: Mapping[str, Rejection]
    counts: Mapping[Rejection, int]


def shortlist(
    offers: tuple[Offer, ...], profile: Profile, policy: Policy, moment: Moment, input_tokens: int
) -> Slices[Shortlist]:
    rule = applying(policy.rules, profile, input_tokens)
    entries: list[Entry] = []
    rejected: dict[str, Rejection] = {}
    for offer in offers:
        if not (offer.index + 1) % SLICE:
            yield
        is_free = offer.is_free(moment.windows)
        if (refusal := lasting(offer, profile, policy, rule, is_free=is_free)) is not None:
            rejected[offer.id] = refusal.reason
        else:
            entries.append(Entry(offer, preference_class(offer, profile, rule, is_free=is_free), is_free))
    entry_of = {entry.offer.index: entry for entry in entries}
    return Shortlist(rule, tuple(entries), entry_of, rejected, Counter(rejected.values()))


def preference_class(offer: Offer, profile: Profile, rule: Rule | None, *, is_free: bool) -> int:
    """Who wrote what the request echoes comes first, since nobody else can be told it; then the caller's wish for
    self-hosted targets; then the rule's order.
    """
    preferred = () if rule is None or profile.is_strategy_named else rule.prefer
    place = position(preferred, offer.target, is_free=is_free)
    if profile.prefer_self_hosted:
        provider = offer.target.provider
        hosting = 0 if provider.is_self_hosted else 1 if provider.open_weights else 2
        place += hosting * (len(preferred) + 1)
    if not profile.origin:
        return place
    return 0 if offer.id == profile.origin else 1 + place
