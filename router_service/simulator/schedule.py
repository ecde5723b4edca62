"""The fault schedule: which requests meet which fault, by provider, model, path, time, number and chance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated

import msgspec

from .faults import Fault, FaultError, parse_fault

ANY = "*"

Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the schedule; times are seconds after the schedule was set."""

    fault: str
    provider: str = ANY
    model: str = ANY
    path: str = ANY
    from_s: Seconds = 0.0
    for_s: Seconds | None = None  # absent: for ever
    probability: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0
    first: Positive | None = None  # only the first so many requests that match
    every: Positive | None = None  # only each so-manieth request that matches


class RuleState(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as the control interface shows it; `remaining_s` is absent for a rule without end."""

    rule: Rule
    state: str  # waiting, active or over
    remaining_s: float | None
    matched: int
    fired: int


class _RuleList(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]


class ScheduleError(ValueError):
    """The schedule's JSON cannot be used; the message names the rule and the field."""


class Schedule:
    """Rules in order, with the count of requests that each has met; the first rule that fires decides."""

    def __init__(self, rules: Sequence[Rule], *, set_at_s: float) -> None:
        """Start at `set_at_s`, on the clock that the other methods are given. Raises FaultError."""
        self._rules = tuple(_LiveRule(rule) for rule in rules)
        self._set_at_s = set_at_s

    def find(self, *, provider: str, model: str, path: str, now_s: float, random: Random) -> tuple[str, Fault] | None:
        """Count this request and return the fault it meets, as text and value, or None."""
        for live in self._rules:
            if live.meets(provider, model, path, now_s - self._set_at_s) and live.fires(random):
                return live.rule.fault, live.fault
        return None

    def show(self, now_s: float) -> list[RuleState]:
        """Return each rule with the time it has left and what it has done."""
        return [live.show(now_s - self._set_at_s) for live in self._rules]


class _LiveRule:
    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.fault = parse_fault(rule.fault)
        self.matched = 0
        self.fired = 0
        self.until_s = None if rule.for_s is None else rule.from_s + rule.for_s

    def meets(self, provider: str, model: str, path: str, age_s: float) -> bool:
        rule = self.rule
        return (
            rule.provider in (ANY, provider)
            and rule.model in (ANY, model)
            and rule.path in (ANY, path)
            and age_s >= rule.from_s
            and (self.until_s is None or age_s < self.until_s)
        )

    def fires(self, random: Random) -> bool:
        rule = self.rule
        self.matched += 1
        if rule.first is not None and self.matched > rule.first:
            return False
        if rule.every is not None and self.matched % rule.every:
            return False
        if rule.probability < 1.0 and random.random() >= rule.probability:
            return False
        self.fired += 1
        return True

    def show(self, age_s: float) -> RuleState:
        state = "waiting" if age_s < self.rule.from_s else "active"
        if self.until_s is not None and age_s >= self.until_s:
            state = "over"
        left_s = None if self.until_s is None else round(max(0.0, self.until_s - max(age_s, self.rule.from_s)), 3)
        return RuleState(rule=self.rule, state=state, remaining_s=left_s, matched=self.matched, fired=self.fired)


def parse_schedule(body: bytes, *, set_at_s: float) -> Schedule:
    """Read `{"rules": […]}`. Raises ScheduleError."""
    try:
        rules = msgspec.json.decode(body, type=_RuleList).rules
    except msgspec.DecodeError as error:
        raise ScheduleError(str(error).replace("`", "")) from error
    for number, rule in enumerate(rules):
        try:
            parse_fault(rule.fault)
        except FaultError as error:
            raise ScheduleError(f"rules[{number}].fault: {error}") from error
    return Schedule(rules, set_at_s=set_at_s)
