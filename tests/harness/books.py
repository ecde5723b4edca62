"""Holds the callers' records against the providers' logs: every attempt that was sent is one row, and every row one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.harness.load import Call, Tried
from tests.harness.witness import Row

Prices = Mapping[str, tuple[float, float]]
"""Of each provider, in USD per million tokens of input and of output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Two moments by the wall clock."""

    began: float
    ended: float

    def meets(self, began: float, ended: float) -> bool:
        return began < self.ended and ended > self.began


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What nobody can know: the rows of a provider that was killed, and the attempts of a router that was."""

    provider: str
    rows: Span
    router: Span

    def is_unwitnessed(self, tried: Tried) -> bool:
        return tried.target.startswith(f"{self.provider}/") and self.rows.meets(tried.began, tried.ended)

    def is_orphan(self, row: Row) -> bool:
        """Sent by the router that was killed, perhaps for a call that was then repeated, with the same ids."""
        return self.router.meets(row.came_at, row.came_at)


def disagreements(
    calls: Sequence[Call], rows: Iterable[Row], lines: Mapping[str, Mapping[str, object]], prices: Prices, lost: Lost
) -> Iterator[str]:
    """What is on one side only, or differs. `lines` are the router's own, by request, and tell of calls that failed."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.attempt_id].append(row)
    known = {call.request_id: call for call in calls}
    for attempt_id, each in found.items():
        request_id, _, number = attempt_id.rpartition(".")
        if request_id not in known:
            yield f"{attempt_id}: nobody asked for it"
        elif not all(lost.is_orphan(row) for row in each) and not 1 <= int(number) <= known[request_id].attempts:
            yield f"{attempt_id}: reached {each[0].provider} and is no attempt of {known[request_id]}"
    for call in calls:
        own = [found[f"{call.request_id}.{n + 1}"] for n in range(call.attempts)]
        yield from _about_failed(call, own, lines, prices, lost) if call.error else _about_good(call, own, prices, lost)


def _about_good(call: Call, found: Sequence[list[Row]], prices: Prices, lost: Lost) -> Iterator[str]:
    if sum(tried.cost_usd_nanos for tried in call.tried) != call.cost_usd_nanos:
        yield f"{call.request_id}: its cost is not that of its attempts: {call}"
    if [tried.outcome for tried in call.tried].count("OK") != 1 or call.tried[-1].tokens != call.tokens:
        yield f"{call.request_id}: its last attempt is not its answer: {call}"
    for tried, rows in zip(call.tried, found, strict=True):
        if tried.cost_usd_nanos != _price(tried.target, tried.tokens, prices):
            yield f"{call.request_id}: {tried} is not what the tokens cost"
        if lost.is_unwitnessed(tried):
            continue
        if len(rows := [row for row in rows if row.came_at > tried.began - CLOCKS_S]) != (tried.outcome != "CONNECT"):
            yield f"{call.request_id}: {tried} is {len(rows)} rows: {rows}"
        for row in rows:
            if (problem := _differs(tried, row, call)) is not None:
                yield f"{row.attempt_id}: {problem}: {tried} {row}"


CLOCKS_S = 0.005
"""The providers' wall clock is their own reading of it."""


def _differs(tried: Tried, row: Row, call: Call) -> str | None:
    if row.provider != tried.target.partition("/")[0]:
        return "went elsewhere"
    if tried.status and tried.status != row.status:
        return "another status"
    if tried.outcome != "OK":
        return "a refusal is billed" if tried.outcome == "SERVER_ERROR" and tried.cost_usd_nanos else None
    if not row.terminal or row.text_sha256 != call.text_sha256:
        return "looks whole and was not sent so"
    if tried.is_estimated or tried.tokens != (row.input_tokens, row.output_tokens):
        return "other tokens"
    return None


def _about_failed(
    call: Call, found: Sequence[list[Row]], lines: Mapping[str, Mapping[str, object]], prices: Prices, lost: Lost
) -> Iterator[str]:
    if (line := lines.get(call.request_id)) is None:
        if not lost.router.meets(call.began_at, call.ended_at):
            yield f"{call.request_id}: failed, and the router has no line for it: {call}"
        return
    attempts = line["attempts"]
    assert isinstance(attempts, list)
    if len(attempts) != call.attempts:
        yield f"{call.request_id}: {call} and {line}"
        return
    if len(attempts) == 1 and line["cost_usd_nanos"] != _price(
        attempts[0], (int(str(line["input_tokens"])), int(str(line["output_tokens"]))), prices
    ):
        yield f"{call.request_id}: not what the tokens cost: {line}"
    for attempt, rows in zip(attempts, found, strict=True):
        provider = attempt.partition("/")[0]
        may_be_lost = provider == lost.provider and lost.rows.meets(call.began_at, call.ended_at)
        if len(rows) > 1 or (not rows and not may_be_lost and not attempt.endswith(":UPSTREAM_CONNECT")):
            yield f"{call.request_id}: {attempt} is {len(rows)} rows: {line}"


def _price(target: str, tokens: tuple[int, int], prices: Prices) -> int:
    price_in, price_out = prices[target.partition("/")[0]]
    return round((tokens[0] * price_in + tokens[1] * price_out) * 1000)
