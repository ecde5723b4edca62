"""One deep probe against raw servers: what it asks, what it finds, and what it is booked as."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from opentelemetry.trace import NoOpTracer

from prober.cap import DailyCap
from prober.deep import DeepAnswer, DeepProbe
from prober.exchange import Exchanges
from prober.funds import Funds, Unaffordable
from prober.probe import Finding
from prober.recipes import FIRST_FOR_REASONING, LADDER, MOST_INPUT_TOKENS, first_rung
from router_service.core.budget import BudgetRules
from router_service.core.catalog import Catalog, Model, Prices, Provider, Secret, Target, Timeouts
from router_service.core.quota import Limit, Unit
from router_service.core.windows import Moment, Per, WindowKey
from router_service.providers.openai import OpenAIDialect
from router_service.store.memory import MemoryQuotaStore
from router_service.store.quota import QuotaBook
from router_service.store.terms import terms_of

from .raw import CANARY, Answer, answering, http, serving, silent

pytestmark = pytest.mark.anyio

NOW = Moment(1_795_000_000.0, 1_795_000_000.0)
LAST = len(LADDER) - 1
WORST_USD_NANOS = (MOST_INPUT_TOKENS + 1) * 1_000


def answer(content: str, *, finish_reason: str = "length", **headers: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 12, "completion_tokens": 1}
    return http(200, json.dumps({"model": "small", "choices": [choice], "usage": usage}).encode(), **headers)


class Rig:
    """A deep probe of one target whose tokens cost a dollar a million."""

    def __init__(
        self,
        *,
        cap_usd_nanos: int = 10**9,
        prices: Prices | None = None,
        budgets: BudgetRules | None = None,
        most_requests: int = 100,
    ) -> None:
        self.limits = (Limit(unit=Unit.REQUESTS, per=Per.DAY, max=most_requests),)
        self.prices = prices or Prices(input=1.0, output=1.0)
        self.budgets = budgets or BudgetRules()
        self.store = MemoryQuotaStore()
        self.quotas = QuotaBook((), self.budgets, store=self.store, clock=lambda: NOW)
        self.cap = DailyCap(self.store, cap_usd_nanos=cap_usd_nanos, clock=lambda: NOW)

    async def probe(self, url: str, *, rung: int = 0) -> DeepAnswer | Unaffordable:
        provider = Provider(
            name="alder",
            dialect="openai",
            base_url=url,
            key=Secret(_value=CANARY),
            limits=self.limits,
            timeouts=Timeouts(first_byte_s=0.5),
        )
        target = Target(provider, Model(id="small", prices=self.prices))
        self.quotas.adopt(terms_of(Catalog((target,))), self.budgets)
        async with Exchanges() as exchanges:
            funds = Funds(self.quotas, self.cap)
            probe = DeepProbe(exchanges, dialects={"openai": OpenAIDialect()}, funds=funds, tracer=NoOpTracer())
            return await probe(target, rung)

    @property
    def requests(self) -> int:
        return self.quotas.readings("alder")[0].used

    async def spent_usd_nanos(self) -> int:
        key = WindowKey("deep probes alder", "2026-11-18")
        return (await self.store.spent([key]))[key]


async def probed(said: Answer, *, rung: int = 0) -> DeepAnswer:
    async with serving(said) as (url, _):
        told = await Rig().probe(url, rung=rung)
    assert isinstance(told, DeepAnswer)
    return told


async def test_a_good_probe_asks_for_one_token_in_the_providers_dialect_and_is_booked() -> None:
    rig = Rig()
    async with serving(answering(answer("ok"))) as (url, heads):
        told = await rig.probe(url)
    assert isinstance(told, DeepAnswer)
    result = told.result
    assert (result.provider, result.target, result.finding) == ("alder", "alder/small", Finding.GOOD)
    assert (result.timing.is_ok, result.timing.status_code, result.error, told.wants_more) == (True, 200, "", False)
    assert 0 < result.timing.first_byte_s < result.timing.total_s
    head, _, body = heads[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert f"Bearer {CANARY}".encode() in head
    assert b"x-request-id: probe-" in head.lower()
    asked = json.loads(body)
    assert (asked["model"], asked["max_completion_tokens"]) == ("small", 1)
    assert rig.requests == 1
    assert await rig.spent_usd_nanos() == 13_000, "12 tokens in and 1 out"


@pytest.mark.parametrize(
    ("said", "finding", "error", "wants_more"),
    [
        (answer("ok", finish_reason="stop"), Finding.GOOD, "", False),
        (answer("", finish_reason="stop"), Finding.GOOD, "", False),
        (answer(""), Finding.UNANSWERED, "", True),
        (http(400, b'{"error":{"message":"max_tokens is too small"}}'), Finding.UNANSWERED, "CALLER_ERROR 400", True),
        (http(400, b'{"error":{"code":"content_filter"}}'), Finding.UNANSWERED, "CONTENT_FILTERED 400", False),
        (http(401), Finding.KEY_REFUSED, "CREDENTIALS 401", False),
        (http(402), Finding.MONEY_GONE, "MONEY 402", False),
        (http(429, b'{"error":{"code":"insufficient_quota"}}'), Finding.MONEY_GONE, "MONEY 429", False),
        (http(429, b"{}"), Finding.RATE_LIMITED, "RATE_LIMITED 429", False),
        (http(404, b"{}"), Finding.BAD, "MODEL_MISSING 404", False),
        (http(500), Finding.BAD, "SERVER_ERROR 500", False),
        (http(503, b"<html>"), Finding.BAD, "SERVER_ERROR 503", False),
        (http(200, b'{"error":{"message":"x"}}'), Finding.BAD, "SERVER_ERROR 200", False),
        (http(200, b"{}"), Finding.BAD, "BAD_RESPONSE 200", False),
        (http(302, location="http://169.254.169.254/"), Finding.BAD, "BAD_RESPONSE 302", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Finding.BAD, "BAD_RESPONSE", False),
    ],
)
async def test_an_answer_makes_a_finding(said: bytes, finding: Finding, error: str, wants_more: bool) -> None:
    told = await probed(answering(said))
    assert (told.result.finding, told.result.error, told.wants_more) == (finding, error, wants_more)


async def test_the_last_resort_is_taken_as_it_comes() -> None:
    assert (await probed(answering(answer("")), rung=LAST)).result.finding is Finding.GOOD
    told = await probed(answering(http(400, b"{}")), rung=LAST)
    assert (told.result.finding, told.wants_more) == (Finding.UNANSWERED, False)


async def test_models_that_reason_are_asked_to_be_brief_about_it() -> None:
    assert first_rung(Model(id="plain")) == 0
    assert first_rung(Model(id="thinker", capabilities=frozenset({"reasoning"}))) == FIRST_FOR_REASONING
    async with serving(answering(answer("ok"))) as (url, heads):
        await Rig().probe(url, rung=FIRST_FOR_REASONING)
    asked = json.loads(heads[0].partition(b"\r\n\r\n")[2])
    assert (asked["max_completion_tokens"], asked["reasoning_effort"]) == (64, "minimal")
    tokens = [recipe.max_output_tokens for recipe in LADDER]
    assert tokens == sorted(tokens), "no rung gives less room than the one before"


async def test_a_rate_limit_says_when_to_come_again() -> None:
    assert (await probed(answering(http(429, retry_after="7")))).result.retry_after_s == 7.0


async def test_what_hangs_is_a_failure_and_counted_at_its_worst() -> None:
    rig = Rig()
    async with serving(silent) as (url, _):
        told = await rig.probe(url)
    assert isinstance(told, DeepAnswer)
    assert (told.result.finding, told.result.error) == (Finding.BAD, "TIMEOUT")
    assert (rig.requests, await rig.spent_usd_nanos()) == (1, WORST_USD_NANOS)


async def test_what_was_never_sent_costs_nothing() -> None:
    rig = Rig()
    async with serving(silent) as (url, _):
        pass
    told = await rig.probe(url)
    assert isinstance(told, DeepAnswer)
    assert (told.result.error, rig.requests, await rig.spent_usd_nanos()) == ("CONNECT", 0, 0)


async def test_a_refused_request_counts_and_costs_nothing() -> None:
    rig = Rig()
    async with serving(answering(http(500))) as (url, _):
        await rig.probe(url)
    assert (rig.requests, await rig.spent_usd_nanos()) == (1, 0)


@pytest.mark.parametrize(
    "rig",
    [
        pytest.param(lambda: Rig(cap_usd_nanos=WORST_USD_NANOS - 1), id="the-days-cap"),
        pytest.param(lambda: Rig(budgets=BudgetRules(daily_usd_nanos=0)), id="the-servers-budget"),
        pytest.param(lambda: Rig(budgets=BudgetRules(free_only=True)), id="free-only"),
        pytest.param(lambda: Rig(most_requests=0), id="no-requests-left"),
    ],
)
async def test_what_cannot_be_afforded_is_not_asked(rig: Callable[[], Rig]) -> None:
    made = rig()
    async with serving(answering(answer("ok"))) as (url, heads):
        told = await made.probe(url)
    assert isinstance(told, Unaffordable)
    assert 0 < told.retry_in_s <= 300.0
    assert (heads, made.requests) == ([], 0)


async def test_the_last_tenth_of_a_limit_is_left_to_callers() -> None:
    rig = Rig(most_requests=20)
    async with serving(answering(answer("ok"))) as (url, heads):
        told = [await rig.probe(url) for _ in range(22)]
    assert isinstance(told[-1], Unaffordable)
    assert len(heads) == rig.requests == 19


async def test_what_is_free_needs_no_room_under_the_cap() -> None:
    rig = Rig(cap_usd_nanos=0, prices=Prices(input=0.0, output=0.0))
    async with serving(answering(answer("ok"))) as (url, _):
        told = await rig.probe(url)
    assert isinstance(told, DeepAnswer)


async def test_what_an_answer_says_of_limits_is_told_on() -> None:
    headers = {"x_ratelimit_limit_tokens_minute": "6000", "x_ratelimit_remaining_tokens_minute": "5000"}
    async with serving(answering(answer("ok", finish_reason="stop", **headers))) as (url, _):
        told = await Rig().probe(url)
    assert isinstance(told, DeepAnswer)
    left = {window.unit: (window.limit, window.remaining) for window in told.windows}
    assert left["requests/day"][0] == 100
    assert left["tokens/minute"] == (6000, 5000)
