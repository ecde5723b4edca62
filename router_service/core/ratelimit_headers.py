"""What a provider's answer says of its rate limits, in whichever of the many forms vendors write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from router_service.core.quota import Unit
from router_service.core.stated_times import EPOCH_FROM, number, seconds_until
from router_service.core.windows import Per

MAX_RESET_S = 32 * 86_400.0
MAX_COUNT = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedLimit:
    """One limit as a provider states it. None is what it does not say; `per` is None where the names do not tell."""

    unit: Unit
    per: Per | None = None
    limit: int | None = None
    remaining: int | None = None
    resets_in_s: float | None = None


def announced_limits(headers: Mapping[str, str], *, wall_s: float) -> tuple[AnnouncedLimit, ...]:
    """The limits that an answer's headers state, one for each unit and window; the tightest where parts have their own.

    Names of headers are in lower case. `wall_s` is the epoch time now, for resets that are stated as a time of day
    (an answer's own `date` goes before it). What makes no sense is left out, never an error.
    """
    groups: dict[_Group, dict[str, str]] = {}
    for name, value in headers.items():
        if (meaning := _MEANINGS.get(name)) is not None:
            groups.setdefault(meaning.group, {})[meaning.what] = value
    if not groups:
        return ()
    found: dict[tuple[Unit, Per | None], AnnouncedLimit] = {}
    for group, values in groups.items():
        stated = _announced(group, values, headers.get("date", ""), wall_s)
        if stated is not None:
            tightest = found.setdefault((stated.unit, stated.per), stated)
            found[(stated.unit, stated.per)] = min(tightest, stated, key=_share)
    if headers.get("x-ratelimit-over-limit", "").strip().lower() == "yes":
        return tuple(_nearly_used(stated) for stated in found.values())
    return tuple(found.values())


class _Group(NamedTuple):
    """Headers that speak of one limit. `part` tells groups of one unit and window apart."""

    unit: Unit
    per: Per | None
    part: str


class _Meaning(NamedTuple):
    group: _Group
    what: str


def _meanings() -> Iterator[tuple[str, _Meaning]]:
    """Every header's name that says something of a limit, with what it says."""
    for what in ("limit", "remaining", "reset"):
        for part, unit in _PARTS.items():
            yield f"x-ratelimit-{what}-{part}", _Meaning(_Group(unit, None, part), what)
            for per in Per:
                yield f"x-ratelimit-{what}-{part}-{per.value}", _Meaning(_Group(unit, per, part), what)
        for part in ("requests", "tokens", "input-tokens", "output-tokens"):
            unit = Unit.REQUESTS if part == "requests" else Unit.TOKENS
            yield f"anthropic-ratelimit-{part}-{what}", _Meaning(_Group(unit, Per.MINUTE, part), what)
        for prefix, group in _PLAIN.items():
            yield f"{prefix}-{what}", _Meaning(group, what)


_PARTS = {
    "requests": Unit.REQUESTS,
    "req": Unit.REQUESTS,
    "tokens": Unit.TOKENS,
    "tokens-prompt": Unit.TOKENS,
    "tokens-generated": Unit.TOKENS,
    "tokens-cache-adjusted-prompt": Unit.TOKENS,
}
"""OpenAI's names and their clones; Mistral's and Cerebras's with the window; Fireworks's with the kind of token."""
_TOGETHER_OR_OPENROUTER = _Group(Unit.REQUESTS, None, "")
_PLAIN = {
    "x-ratelimit": _TOGETHER_OR_OPENROUTER,
    "x-tokenlimit": _Group(Unit.TOKENS, Per.SECOND, ""),
    "x-trial-endpoint-call": _Group(Unit.REQUESTS, Per.MINUTE, "trial"),
    "x-endpoint-monthly-call": _Group(Unit.REQUESTS, Per.MONTH, "trial"),
}
"""Together's and OpenRouter's share their names; Cohere's come with trial keys only."""
_MEANINGS = dict(_meanings())


def _window(group: _Group, reset: str) -> Per | None:
    """Together counts by the second and says how many until the reset; OpenRouter says when, and not of what window."""
    if group is not _TOGETHER_OR_OPENROUTER:
        return group.per
    stated = number(reset)
    return Per.SECOND if stated is not None and stated <= EPOCH_FROM else None


def _announced(group: _Group, values: Mapping[str, str], date: str, wall_s: float) -> AnnouncedLimit | None:
    """What a group says, if anything. A limit that is not positive is unknown, and so is a 0 left of it."""
    limit, remaining = _count(values.get("limit", "")), _count(values.get("remaining", ""))
    reset = values.get("reset", "").strip()
    resets_in_s = _reset_s(reset, date, wall_s)
    if not limit:
        limit = None
        if remaining == 0 and not resets_in_s:
            remaining = None
    if limit is None and remaining is None:
        return None
    per = _window(group, reset)
    return AnnouncedLimit(unit=group.unit, per=per, limit=limit, remaining=remaining, resets_in_s=resets_in_s)


def _share(stated: AnnouncedLimit) -> float:
    """How much is left, to find the tightest; what does not say goes behind what does."""
    if stated.remaining is None:
        return float("inf")
    return stated.remaining / stated.limit if stated.limit else float(stated.remaining)


def _nearly_used(stated: AnnouncedLimit) -> AnnouncedLimit:
    """Fireworks served although the limit was reached: no reason to stop, but one to go elsewhere first."""
    if stated.limit is None:
        return stated
    left = max(1, stated.limit // 50)
    return replace(stated, remaining=left if stated.remaining is None else min(stated.remaining, left))


def _count(text: str) -> int | None:
    stated = number(text)
    return None if stated is None or stated < 0 else int(min(stated, MAX_COUNT))


def _reset_s(text: str, date: str, wall_s: float) -> float | None:
    """Seconds until a reset, bounded by a month. One that has passed, by a negative number too, is now."""
    seconds = seconds_until(text, date=date, wall_s=wall_s)
    return None if seconds is None else min(MAX_RESET_S, max(0.0, seconds))
