"""Every gate, with the bound and the value that broke it in words, and which of two gates is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from signalbox.v1 import router_pb2

from router_service.core.budget import BudgetRules, BudgetStanding, ProviderBudget
from router_service.core.catalog import Kind, LongContextPrices, Model, Provider, Target
from router_service.core.chat import Image, Part, Prompt, ResponseFormat, ResponseKind, Tool
from router_service.core.decision.policy import Policy
from router_service.core.decision.rejection import Rejection
from router_service.core.decision.rules import Conditions, Rule
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.core.plan import Standing, View
from router_service.core.quota import Overflow, QuotaRules, QuotaStanding, Unit, WindowReading, standing
from router_service.core.request import Request, Routing
from router_service.core.task import BudgetTier, TaskType
from router_service.core.windows import Per
from tests.core.decision.making import FRESH, OVER, asked, decided, ids, made, refused, speed, spent, viewed

PROVIDER = Provider(name="a", dialect="openai", base_url="")
USD = 1_000_000_000
EMPTY = {"a": QuotaStanding(provider="a", remaining_share=0.0, has_room=False, resets_in_s=90.0)}
RATE_LIMITED = Standing(blocked_for_s=4.0, block_reason=BlockReason.RATE_LIMITED)
LOCAL_ALONE = Policy(exploration=0, rules=(Rule(name="home", when=Conditions(), only=("tier:local", "free")),))
OFF = replace(PROVIDER, is_enabled=False)
EMBEDDER = Model(id="x", kind=Kind.EMBEDDING)
FREE_ONLY = BudgetStanding(free_only=True)
OWN = BudgetRules(providers={"a": ProviderBudget(daily_usd_nanos=USD)})


def windowed(
    unit: Unit, limit: int, used: int, *, is_free: bool = False, overflow: Overflow = Overflow.STOP
) -> Mapping[str, QuotaStanding]:
    """The provider has this one window."""
    window = WindowReading(
        unit=unit, per=Per.MINUTE, limit=limit, used=used, left_share=0.5, resets_in_s=30.0, is_free=is_free
    )
    return {"a": standing(QuotaRules(provider="a", overflow=overflow), "", [window])}


def test_every_reason_of_the_wire_contract_has_its_gate() -> None:
    prefix = "REJECTION_REASON_"
    names = {name.removeprefix(prefix) for name in router_pb2.RejectionReason.DESCRIPTOR.values_by_name}
    assert names - {"UNSPECIFIED"} == {reason.name for reason in Rejection}


@pytest.mark.parametrize(
    ("request_", "view", "reason", "detail"),
    [
        pytest.param(asked(Routing(model="y")), viewed(made("a/x")), "MODEL_NOT_ALLOWED", "names 'y'", id="model"),
        pytest.param(
            asked(Routing(denied_providers=frozenset({"a"}))),
            viewed(made("a/x")),
            "PROVIDER_NOT_ALLOWED",
            "denies a",
            id="denied",
        ),
        pytest.param(
            asked(Routing(allowed_providers=frozenset({"c", "b"}))),
            viewed(made("a/x")),
            "PROVIDER_NOT_ALLOWED",
            "only b, c",
            id="not-among-the-allowed",
        ),
        pytest.param(asked(), viewed(made("a/x", provider=OFF)), "DISABLED", "a is switched off", id="provider-off"),
        pytest.param(
            asked(), viewed(made("a/x", model=Model(id="x", is_enabled=False))), "DISABLED", "target is", id="off"
        ),
        pytest.param(
            asked(),
            viewed(made("a/x", provider=replace(PROVIDER, key_env=("A_KEY",)))),
            "DISABLED",
            "no key for a",
            id="no-key",
        ),
        pytest.param(
            asked(Routing(required_capabilities=frozenset({"vision", "tools", "audio"}))),
            viewed(made("a/x", capabilities="tools")),
            "CAPABILITY",
            "lacks audio, vision",
            id="capability",
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.VISION)), viewed(made("a/x")), "CAPABILITY", "vision", id="vision-task"
        ),
        pytest.param(
            asked(Routing(task_type=TaskType.EMBEDDING)), viewed(made("a/x")), "CAPABILITY", "no vectors", id="text"
        ),
        pytest.param(asked(), viewed(made("a/x", model=EMBEDDER)), "CAPABILITY", "vectors and no text", id="vectors"),
        pytest.param(
            asked(Routing(region="eu")), viewed(made("a/x", region="us")), "REGION", "runs in us, and eu", id="region"
        ),
        pytest.param(asked(Routing(region="eu")), viewed(made("a/x")), "REGION", "nobody named", id="no-region"),
        pytest.param(
            asked(Routing(required_compliance=frozenset({"hipaa", "soc2"}))),
            viewed(made("a/x", compliance="soc2 gdpr")),
            "COMPLIANCE",
            "not certified for hipaa",
            id="compliance",
        ),
        pytest.param(asked(Routing(requires_sla=True)), viewed(made("a/x")), "SLA", "there is none", id="sla"),
        pytest.param(
            asked(),
            viewed(made("a/x"), policy=Policy(only_self_hosted=True)),
            "SELF_HOSTING",
            "the operator runs",
            id="self-hosting",
        ),
        pytest.param(asked(), viewed(made("a/x"), policy=LOCAL_ALONE), "RULE", "'home' keeps to tier:local", id="rule"),
        pytest.param(
            asked(Routing(budget_tier=BudgetTier.LOW)),
            viewed(made("a/x", price=1.51)),
            "BUDGET_TIER",
            "costs 1.51 USD per million tokens, and the budget tier ends at 1.5",
            id="tier",
        ),
        pytest.param(
            asked(Routing(budget_tier=BudgetTier.HIGH)),
            viewed(made("a/x", price=None)),
            "BUDGET_TIER",
            "price is unknown",
            id="tier-unknown",
        ),
        pytest.param(
            asked(Routing(min_quality=0.75)),
            viewed(made("a/x", quality=0.74)),
            "QUALITY",
            "0.74 is under the floor of 0.75",
            id="quality",
        ),
        pytest.param(
            asked(tokens=200_000, output=1000),
            viewed(made("a/x", context=200_000)),
            "CONTEXT_WINDOW",
            "200 000 tokens of input and 1 000 tokens of output do not fit into a window of 200 000 tokens",
            id="context",
        ),
        pytest.param(
            asked(Routing(max_cost_usd_nanos=USD // 100), tokens=9000, output=1001),
            viewed(made("a/x", price=1)),
            "COST_PER_REQUEST",
            "0.01 USD is over the request's bound of 0.01 USD",
            id="cost",
        ),
        pytest.param(
            asked(Routing(max_cost_usd_nanos=USD)),
            viewed(made("a/x", price=None)),
            "COST_PER_REQUEST",
            "price is unknown",
            id="cost-unknown",
        ),
        pytest.param(
            asked(tokens=500_000),
            viewed(made("a/x", price=2), budget=BudgetStanding(request_limits={"a": USD // 2})),
            "COST_PER_REQUEST",
            "1.00 USD is over the bound for one request to a of 0.50 USD",
            id="cost-of-the-provider",
        ),
        pytest.param(
            asked(Routing(max_latency_s=1.0)),
            viewed(made("a/x", paced=speed(2.0))),
            "LATENCY",
            "2.3 s is over the bound of 1 s",
            id="latency",
        ),
        pytest.param(
            asked(time_left_s=0.2),
            viewed(made("a/x"), statistics={"a/x": replace(FRESH, time_to_first_token_p50_s=2.0)}),
            "DEADLINE",
            "to finish within 0.2 s is under the floor of 10 %",
            id="deadline",
        ),
        pytest.param(asked(), viewed(made("a/x"), budget=FREE_ONLY), "SPEND_LIMIT", "only free", id="free-only"),
        pytest.param(
            asked(),
            viewed(made("a/x"), budget=OVER),
            "SPEND_LIMIT",
            "budget of the server for a day is used up",
            id="over",
        ),
        pytest.param(
            asked(),
            viewed(made("a/x"), budget=spent(OWN, {"a": 1})),
            "SPEND_LIMIT",
            "the budget of the provider a for a day is used up",
            id="provider-over",
        ),
        *(
            pytest.param(
                asked(tokens=10_000),
                viewed(made("a/x", price=10), budget=spent(replace(rules, is_hard=True), {name: 0.95})),
                "SPEND_LIMIT",
                f"the {whose} has 0.05 USD left, and this request may cost 0.10 USD",
                id=f"not-enough-left-{name}",
            )
            for name, rules, whose in (
                ("day", BudgetRules(daily_usd_nanos=USD), "budget of the server for a day"),
                ("week", BudgetRules(weekly_usd_nanos=USD), "budget of the server for a week"),
                ("month", BudgetRules(monthly_usd_nanos=USD), "budget of the server for a month"),
                ("a", OWN, "budget of the provider a for a day"),
            )
        ),
        pytest.param(
            asked(tokens=10_000),
            viewed(made("a/x", price=10), budget=spent(BudgetRules(weekly_usd_nanos=USD // 20, is_hard=True))),
            "SPEND_LIMIT",
            "the budget of the server for a week is 0.05 USD in all, and this request may cost 0.10 USD",
            id="never-enough",
        ),
        *(
            pytest.param(
                asked(tokens=10_000),
                viewed(made("a/x", price=10), quotas=windowed(unit, 10**9, 10**9 - left)),
                "QUOTA",
                f"{told}, and this request may take {needed}",
                id=f"too-little-of-{unit.value}",
            )
            for unit, left, told, needed in (
                (Unit.TOKENS, 10_299, "of its tokens for a minute there are 10 299 left", "10 300"),
                (Unit.USD_NANOS, 90_000_000, "of its money for a minute there are 0.09 USD left", "0.10 USD"),
                (Unit.NEURONS, 9363, "of its neurons for a minute there are 9 363 left", "9 364"),
            )
        ),
        pytest.param(
            asked(tokens=10_000),
            viewed(made("a/x"), quotas=windowed(Unit.TOKENS, 6000, 0)),
            "QUOTA",
            "of its tokens for a minute there are 6 000 in all, and this request may take 10 300",
            id="larger-than-the-whole-window",
        ),
        pytest.param(asked(), viewed(made("a/x"), quotas=EMPTY), "QUOTA", "no room left for another 90 s", id="quota"),
        pytest.param(
            asked(), viewed(made("a/x"), standings={"a/x": RATE_LIMITED}), "BLOCKED", "4 s: rate limited", id="blocked"
        ),
        pytest.param(
            asked(),
            viewed(made("a/x", provider=replace(PROVIDER, max_concurrency=50)), in_flight={"a/x": 50}),
            "CONCURRENCY",
            "50 requests are in flight, and it may have 50",
            id="concurrency",
        ),
    ],
)
def test_refusal(request_: Request, view: View, reason: str, detail: str) -> None:
    found = decided(request_, view)
    assert found.targets == ()
    told, words = refused(found, "a/x")
    assert told == reason
    assert detail in words
    assert found.rejected == {"a/x": Rejection[reason]}
    assert found.rejected_counts == {Rejection[reason]: 1}
    assert found.reason.startswith("No target may serve this request: 1 by ")


@pytest.mark.parametrize(
    ("request_", "view"),
    [
        pytest.param(asked(Routing(model="auto")), viewed(made("a/x")), id="auto"),
        pytest.param(asked(Routing(region="eu")), viewed(made("a/x", region="eu-west-1")), id="part-of-the-region"),
        pytest.param(asked(Routing(region="EU")), viewed(made("a/x", region="eu-west-1")), id="region-in-capitals"),
        pytest.param(asked(Routing(region="eu")), viewed(made("a/x", region="EU")), id="capitals-in-the-catalogue"),
        pytest.param(asked(Routing(budget_tier=BudgetTier.LOW)), viewed(made("a/x", price=1.5)), id="at-the-ceiling"),
        pytest.param(
            asked(Routing(budget_tier=BudgetTier.UNLIMITED)), viewed(made("a/x", price=None)), id="no-ceiling"
        ),
        pytest.param(asked(Routing(budget_tier=BudgetTier.FREE)), viewed(made("a/x", price=0)), id="free"),
        pytest.param(
            asked(Routing(budget_tier=BudgetTier.FREE, max_cost_usd_nanos=0)),
            viewed(made("a/x", price=60), quotas={"a": QuotaStanding(provider="a", is_free=True)}),
            id="free-in-its-window",
        ),
        pytest.param(asked(Routing(min_quality=0.75)), viewed(made("a/x", quality=0.75)), id="at-the-floor"),
        pytest.param(asked(tokens=199_000, output=1000), viewed(made("a/x", context=200_000)), id="it-just-fits"),
        pytest.param(
            asked(Routing(max_cost_usd_nanos=10_000_000), tokens=9000, output=1000), viewed(made("a/x")), id="at-cost"
        ),
        pytest.param(
            asked(Routing(max_latency_s=2.5), output=500), viewed(made("a/x", paced=speed(2.0, 1000))), id="at-time"
        ),
        pytest.param(asked(time_left_s=2.3), viewed(made("a/x", paced=speed(2.0))), id="even-odds"),
        pytest.param(asked(), viewed(made("l/x", tier="local"), budget=FREE_ONLY), id="local-is-free"),
        pytest.param(
            asked(),
            viewed(made("a/x", price=None), budget=spent(BudgetRules(daily_usd_nanos=USD, is_hard=True))),
            id="unknown",
        ),
        pytest.param(
            asked(tokens=500_000),
            viewed(made("a/x", price=2), budget=spent(BudgetRules(daily_usd_nanos=USD), {"day": 0.99})),
            id="a-soft-budget-lets-one-call-cross-it",
        ),
        pytest.param(
            asked(tokens=10_000),
            viewed(made("a/x"), quotas=windowed(Unit.TOKENS, 10_300, 0)),
            id="it-just-fits-a-window",
        ),
        pytest.param(
            asked(),
            viewed(made("a/x", provider=replace(PROVIDER, max_concurrency=50)), in_flight={"a/x": 49, "b/y": 99}),
            id="one-slot-left",
        ),
        pytest.param(asked(Routing(task_type=TaskType.EMBEDDING)), viewed(made("a/x", model=EMBEDDER)), id="vectors"),
        pytest.param(
            asked(Routing(required_capabilities=frozenset({"json_object"}))),
            viewed(made("a/x", capabilities="json_schema")),
            id="a-schema-is-more-than-an-object",
        ),
    ],
)
def test_passes(request_: Request, view: View) -> None:
    found = decided(request_, view)
    assert len(found.targets) == 1
    assert found.rejected == {}


@pytest.mark.parametrize(
    ("routing", "tags"),
    [
        (Routing(requires_compliance=True, region="eu"), "gdpr"),
        (Routing(requires_compliance=True, region="eu-west"), "gdpr"),
        (Routing(requires_compliance=True, region="EU-West"), "gdpr"),
        (Routing(requires_compliance=True, region="europa"), "soc2"),
        (Routing(requires_compliance=True, region="us"), "soc2"),
        (Routing(requires_compliance=True), "soc2"),
        (Routing(requires_compliance=True, region="eu", required_compliance=frozenset({"hipaa"})), "hipaa"),
        (Routing(region="eu"), ""),
    ],
)
def test_compliance_without_tags_means_those_of_the_region(routing: Routing, tags: str) -> None:
    region = routing.region
    view = viewed(made("a/has", region=region, compliance=tags), made("b/lacks", region=region))
    assert set(ids(decided(asked(routing), view))) == ({"a/has"} if tags else {"a/has", "b/lacks"})


@pytest.mark.parametrize(
    ("change", "capability"),
    [
        (Prompt(messages=(), tools=(Tool(name="t"),)), "tools"),
        (Prompt(messages=(), response_format=ResponseFormat(kind=ResponseKind.JSON_SCHEMA)), "json_schema"),
        (Prompt(messages=(), response_format=ResponseFormat(kind=ResponseKind.JSON_OBJECT)), "json_object"),
        (Prompt(messages=(), response_format=ResponseFormat()), ""),
    ],
)
def test_content_demands_what_it_needs(change: Prompt, capability: str) -> None:
    request = replace(asked(), prompt=change)
    told, words = refused(decided(request, viewed(made("a/x"))), "a/x")
    assert (told, words) == (("CAPABILITY", f"it lacks {capability}") if capability else ("", ""))


def test_an_image_demands_vision() -> None:
    message = replace(asked().prompt.messages[0], content="", parts=(Part(image=Image(uri="https://a.example/x.png")),))
    request = replace(asked(), prompt=Prompt(messages=(message,)))
    view = viewed(made("a/blind"), made("b/seeing", capabilities="vision"))
    assert ids(decided(request, view)) == ["b/seeing"]


@pytest.mark.parametrize("tokens", [999, 1000, 1001])
def test_long_context_prices_hold_for_the_whole_request(tokens: int) -> None:
    long = LongContextPrices(from_input_tokens=1000, input=2.0, output=8.0)
    found = decided(asked(tokens=tokens, output=100), viewed(made("a/x", price=(1.0, 4.0), long=long)))
    assert found.estimate is not None
    expected = 1000 * (tokens * 1 + 100 * 4) * (2 if tokens >= 1000 else 1)
    assert found.estimate.cost_usd_nanos == expected
    bound = Routing(max_cost_usd_nanos=expected - 1)
    refused_view = viewed(made("a/x", price=(1.0, 4.0), long=long))
    assert refused(decided(asked(bound, tokens=tokens, output=100), refused_view), "a/x")[0] == "COST_PER_REQUEST"


def test_what_waiting_does_not_cure_is_told_before_what_it_cures() -> None:
    target = made("a/x", context=10, provider=replace(PROVIDER, max_concurrency=1))
    view = viewed(target, standings={"a/x": RATE_LIMITED}, quotas=EMPTY, in_flight={"a/x": 1})
    assert refused(decided(asked(), view), "a/x")[0] == "CONTEXT_WINDOW"


def test_unhealthy_targets_stand_last_or_are_refused_as_the_policy_says() -> None:
    targets: tuple[Target, ...] = (made("a/x", price=0.1), made("b/y"))
    down = {"a/x": Standing(state=State.UNHEALTHY, traffic_share=0.0)}
    excluding = Policy(exploration=0, excludes_unhealthy=True)
    assert ids(decided(asked(), viewed(*targets, standings=down))) == ["b/y", "a/x"]
    found = decided(asked(), viewed(*targets, standings=down, policy=excluding))
    assert ids(found) == ["b/y"]
    assert refused(found, "a/x") == ("HEALTH", "it is unhealthy, and others are not")
    all_down = {**down, "b/y": down["a/x"]}
    assert ids(decided(asked(), viewed(*targets, standings=all_down, policy=excluding))) == ["a/x", "b/y"]


def test_a_refusal_counts_each_target_by_its_first_gate() -> None:
    view = viewed(made("a/x", context=10), made("b/y", region="us"), made("c/z", context=10, region="eu"))
    found = decided(asked(Routing(region="eu")), view)
    assert {id: reason.name for id, reason in found.rejected.items()} == {
        "a/x": "REGION",
        "b/y": "REGION",
        "c/z": "CONTEXT_WINDOW",
    }
    assert found.reason == "No target may serve this request: 2 by region, 1 by context window."


@pytest.mark.parametrize(
    ("overflow", "routing", "budget", "reason"),
    [
        (Overflow.STOP, Routing(), None, "QUOTA"),
        (Overflow.PAID, Routing(), None, ""),
        (Overflow.PAID, Routing(), OVER, "SPEND_LIMIT"),
        (Overflow.PAID, Routing(max_cost_usd_nanos=1), None, "COST_PER_REQUEST"),
        (Overflow.PAID, Routing(budget_tier=BudgetTier.FREE), None, "BUDGET_TIER"),
    ],
)
def test_a_call_that_is_too_large_for_its_free_window_has_a_price(
    overflow: Overflow, routing: Routing, budget: BudgetStanding | None, reason: str
) -> None:
    quotas = windowed(Unit.TOKENS, 10_000, 0, is_free=True, overflow=overflow)
    small, large = (
        decided(asked(routing, tokens=n), viewed(made("a/x"), quotas=quotas, budget=budget)) for n in (1, 10_000)
    )
    assert ids(small) == ["a/x"]
    assert refused(large, "a/x")[0] == reason
    assert ids(large) == ([] if reason else ["a/x"])
