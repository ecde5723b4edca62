"""One provider's limits and free window, with what is counted against each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from router_service.core.decision import words
from router_service.core.quota import (
    Amounts,
    Limit,
    Overflow,
    QuotaRules,
    QuotaStanding,
    Refused,
    RefusedBy,
    Unit,
    WindowReading,
    least,
    standing,
)
from router_service.core.ratelimit_headers import AnnouncedLimit, announced_limits
from router_service.core.windows import Moment, Per
from router_service.store.counter import Charge, Counter, Hold, Kept

AnnouncedKey = tuple[str, Unit, Per | None]
"""A model, empty for all of the provider's, a unit and a window."""
Announced = dict[AnnouncedKey, Hold]


class Account:
    """Says whether an attempt fits, charges it, and takes the provider's own word into account.

    `kept_of` hands out what is kept of a scope, and `announced` has what the provider says of limits that nobody
    configured; both are the same for the account that takes this one's place.
    """

    def __init__(self, rules: QuotaRules, kept_of: Callable[[str], Kept], announced: Announced) -> None:
        self.rules = rules
        self._limits = tuple(
            _counter("limit", limit, rules, kept_of, place) for limit, place in _placed(_distinct(rules.limits))
        )
        self._free = _counter("free", rules.free, rules, kept_of) if rules.free else None
        self._terms_of: dict[str, _Terms] = {}
        self._announced = announced
        self._own_standing = _models_with_own(rules)

    def succeed(self, former: Account, now: Moment) -> None:
        """Go on from where the limits of the account stood whose place this one takes.

        A scope goes by the place of a limit, so a limit whose models are named for the first time, or no longer, has
        another one, and so have those behind one that was taken out. Each begins at what its models had used.
        """
        changed, gone = _changed(former._limits, self._limits)
        formers_of = [[each for each in gone if _counts_alike(each.limit, own.limit)] for own in changed]
        begun = [own.begun_from(formers, now) for own, formers in zip(changed, formers_of, strict=True)]
        for count, used in chain.from_iterable(begun):
            count.raise_to(used)

    def free_window(self, model: str, amounts: Amounts, now: Moment) -> Counter | None:
        """The free window that an attempt fits into, if any. Money in it counts at list prices."""
        free = self._terms(model).free
        return None if free is None or free.refuses(amounts.of(free.limit.unit), now) else free

    def is_unpriced(self, model: str) -> bool:
        """Whether it has no price, inside a free window or not."""
        return self.rules.is_unpriced or model in self.rules.free_models

    def refusal(self, model: str, amounts: Amounts, now: Moment, *, free_window: Counter | None) -> Refused | None:
        """What has no room for an attempt, the longest wait of all; None where it fits."""
        terms = self._terms(model)
        full = [c for c in terms.limits if c.refuses(amounts.of(c.limit.unit), now)]
        if terms.free is not None and free_window is None and self.rules.overflow is Overflow.STOP:
            full.append(terms.free)
        readings = [c.reading(now) for c in full]
        for key, hold in self._holds(model):
            if hold.is_live(now) and least(key[1], amounts.of(key[1])) > hold.left:
                readings.append(_announced_reading(key, hold, now))
        return max([_refused(r, amounts) for r in readings], key=_wait_s) if readings else None

    def money_left(self, model: str, now: Moment) -> list[int]:
        """What is left of each limit in money, in billionths of a dollar."""
        return [c.left(now) for c in self._terms(model).limits if c.limit.unit is Unit.USD_NANOS]

    def charge(self, model: str, amounts: Amounts, now: Moment) -> list[Charge]:
        """Take the room of an attempt that was not refused, all but that of the free window."""
        limits = self._terms(model).limits
        charges: list[Charge] = [charge for c in limits for charge in c.charge(amounts.of(c.limit.unit), now)]
        return charges + [hold.charge(unit, amounts.of(unit)) for (_, unit, _), hold in self._holds(model)]

    def observe(self, headers: Mapping[str, str], model: str, now: Moment) -> bool:
        """Correct what the headers speak of; whether they spoke of anything.

        They correct a limit of ours where they name its window, or name none and state the same number. What they say
        of other limits holds for the model that was called, until they say otherwise or it resets.
        """
        stated_limits = announced_limits(headers, wall_s=now.wall_s)
        for stated in stated_limits:
            matched = [c for c in self._counters() if c.limit.covers(model) and _is_same(c.limit, stated)]
            for counter in matched:
                counter.correct(stated, now)
            if not matched and (hold := Hold.of(stated, now, stated.per or Per.MINUTE)):
                self._announced[(model, stated.unit, stated.per)] = hold
        return bool(stated_limits)

    def readings(self, now: Moment) -> tuple[WindowReading, ...]:
        """How every limit stands, those that only the headers know last."""
        own = [c.reading(now, is_free=c is self._free) for c in self._counters()]
        return (*own, *(_announced_reading(k, hold, now) for k, hold in self._live_holds(now)))

    def standings(self, now: Moment) -> dict[str, QuotaStanding]:
        """The provider's standing, and that of each model which a limit names, by `provider/model`."""
        readings = self.readings(now)
        name = self.rules.provider
        models = self._own_standing.union(*(r.models for r in readings if r.is_announced))
        own = {f"{name}/{model}": standing(self.rules, model, readings) for model in models}
        return {name: standing(self.rules, "", readings), **own}

    def _terms(self, model: str) -> _Terms:
        """The limits and the free window that a model's attempts count in."""
        terms = self._terms_of.get(model)
        if terms is None:
            free = self._free if self._free is not None and self._free.limit.covers(model) else None
            terms = self._terms_of[model] = _Terms(tuple(c for c in self._limits if c.limit.covers(model)), free)
        return terms

    def _holds(self, model: str) -> list[tuple[AnnouncedKey, Hold]]:
        if not self._announced:
            return []
        return [(key, hold) for key, hold in self._announced.items() if key[0] in ("", model)]

    def _counters(self) -> Iterator[Counter]:
        return chain(self._limits, () if self._free is None else (self._free,))

    def _live_holds(self, now: Moment) -> list[tuple[AnnouncedKey, Hold]]:
        for key in [key for key, hold in self._announced.items() if not hold.is_live(now)]:
            del self._announced[key]
        return list(self._announced.items())


class _Terms(NamedTuple):
    limits: tuple[Counter, ...]
    free: Counter | None


def _counter(
    kind: str, limit: Limit, rules: QuotaRules, kept_of: Callable[[str], Kept], place: int | None = None
) -> Counter:
    """Which models share the limit is no part of its scope: the list may change, and the count stays."""
    scope = " ".join([kind, rules.provider, str(limit), *([] if place is None else [str(place)])])
    return Counter(scope, limit, zone=rules.zone, kept=kept_of(scope))


def _placed(limits: Iterable[Limit]) -> Iterator[tuple[Limit, int | None]]:
    """Each with its place among those of its unit and window that name models, from 1; None for one that names none."""
    places: dict[str, int] = {}
    for limit in limits:
        if limit.models:
            places[str(limit)] = places.get(str(limit), 0) + 1
        yield limit, places[str(limit)] if limit.models else None


def _changed(former: Iterable[Counter], present: Iterable[Counter]) -> tuple[list[Counter], list[Counter]]:
    """Those at present that were not there with the same models in the same place, and those that are no more."""
    before = {(counter.scope, counter.limit.models): counter for counter in former}
    after = {(counter.scope, counter.limit.models): counter for counter in present}
    new = [counter for key, counter in after.items() if key not in before]
    return new, [counter for key, counter in before.items() if key not in after]


def _counts_alike(limit: Limit, other: Limit) -> bool:
    """Whether they count the same thing in the same window, of some model that both hold for."""
    is_shared = not limit.models or not other.models or bool(limit.models & other.models)
    return is_shared and (limit.unit, limit.per) == (other.unit, other.per)


def _distinct(limits: tuple[Limit, ...]) -> list[Limit]:
    """Of limits that count the same thing, the lowest."""
    lowest: dict[tuple[Unit, Per, frozenset[str]], Limit] = {}
    for limit in limits:
        key = (limit.unit, limit.per, limit.models)
        lowest[key] = min(limit, lowest.get(key, limit), key=lambda each: each.max)
    return list(lowest.values())


def _models_with_own(rules: QuotaRules) -> frozenset[str]:
    limits = (*rules.limits, *([rules.free] if rules.free else []))
    return rules.free_models.union(*(limit.models for limit in limits))


def _is_same(limit: Limit, stated: AnnouncedLimit) -> bool:
    if limit.unit is not stated.unit:
        return False
    return limit.max == stated.limit if stated.per is None else limit.per is stated.per


def _refused(reading: WindowReading, amounts: Amounts) -> Refused:
    return Refused(by=RefusedBy.QUOTA, what=words.lack(reading, amounts), retry_in_s=reading.wait_s(amounts))


def _wait_s(refused: Refused) -> float:
    return float("inf") if refused.retry_in_s is None else refused.retry_in_s


def _announced_reading(key: AnnouncedKey, hold: Hold, now: Moment) -> WindowReading:
    model, unit, per = key
    resets_in_s = hold.until_s - now.steady_s
    return WindowReading(
        unit=unit,
        per=per or Per.MINUTE,
        limit=hold.limit,
        used=hold.limit - hold.left,
        left_share=min(1.0, resets_in_s / hold.length_s),
        resets_in_s=resets_in_s,
        models=frozenset({model} if model else ()),
        is_announced=True,
    )
