"""Why nobody serves a request, for every mixture of reasons: what can be waited for, and what cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from random import Random

import pytest

from router_service.core.budget import BudgetRules, BudgetStanding, ProviderBudget, TenantBudget
from router_service.core.catalog import Provider, Retired, Target
from router_service.core.decision.rejection import Refusal
from router_service.core.errors import (
    BudgetSpent,
    CredentialsRefused,
    NoTarget,
    ProvidersBlocked,
    ProvidersOverloaded,
    Rejected,
    SignalboxError,
    TargetsSaturated,
    UnknownTarget,
)
from router_service.core.outcome import BlockReason
from router_service.core.plan import Rejection, Standing, View
from router_service.core.quota import QuotaRules, QuotaStanding, Unit, WindowReading, standing
from router_service.core.request import Request, Routing
from router_service.core.windows import Per
from router_service.service.planning import Planning
from router_service.service.refusals import no_room
from tests.core.decision.making import OVER, USD, asked, made, spent, viewed

NARROW = Provider(name="", dialect="openai", base_url="", max_concurrency=2)
A, B, C = made("a/x"), made("b/x"), made("c/x", provider=NARROW)
LIMITED = Standing(blocked_for_s=7.0, block_reason=BlockReason.RATE_LIMITED)
POOR = Standing(block_reason=BlockReason.MONEY)
TIRED = Standing(blocked_for_s=9.0, block_reason=BlockReason.OVERLOADED)
LOCKED = Standing(block_reason=BlockReason.CREDENTIALS)


OWN = BudgetRules(providers={name: ProviderBudget(daily_usd_nanos=USD) for name in "ab"})


def full(provider: str, resets_in_s: float | None) -> QuotaStanding:
    return QuotaStanding(provider=provider, remaining_share=0.0, has_room=False, resets_in_s=resets_in_s)


def refusal(view: View, request: Request | None = None) -> SignalboxError:
    """What a request to be run ends with. Its deadline is far away, and one that no target has to meet."""
    planning = Planning(view=lambda _tenant: view, route_view=lambda _tenant: view, rng=Random(0))
    with pytest.raises(SignalboxError) as caught:
        planning.to_run(request or endless(asked()))
    return caught.value


def endless(request: Request) -> Request:
    return Request(
        request_id=request.request_id,
        prompt=request.prompt,
        routing=request.routing,
        tenant=request.tenant,
        deadline=float("inf"),
        estimated_input_tokens=request.estimated_input_tokens,
    )


@pytest.mark.parametrize(
    ("quotas", "standings", "providers", "retry_after_s"),
    [
        ({"a": full("a", 30.0), "b": full("b", 20.0)}, {}, ("a", "b"), 20.0),
        ({"a": full("a", None), "b": full("b", None)}, {}, ("a", "b"), None),
        ({"a": full("a", 30.0)}, {"b/x": LIMITED}, ("b", "a"), 7.0),
        ({"a": full("a", 3.0)}, {"b/x": LIMITED}, ("b", "a"), 3.0),
        ({"a": full("a", 3.0)}, {"b/x": LOCKED}, ("b", "a"), 3.0),
        ({}, {"a/x": POOR, "b/x": POOR}, ("a", "b"), None),
        ({}, {"a/x": POOR, "b/x": LIMITED}, ("a", "b"), 7.0),
        ({}, {"a/x": POOR, "b/x": TIRED}, ("a", "b"), 9.0),
        ({}, {"a/x": TIRED, "b/x": LIMITED}, ("a", "b"), 7.0),
    ],
)
def test_rate_limits_are_waited_for_until_the_soonest_ends(
    quotas: Mapping[str, QuotaStanding],
    standings: Mapping[str, Standing],
    providers: tuple[str, ...],
    retry_after_s: float | None,
) -> None:
    error = refusal(viewed(A, B, quotas=quotas, standings=standings))
    assert isinstance(error, ProvidersBlocked)
    assert (error.providers, error.retry_after_s) == (providers, retry_after_s)


def test_providers_that_all_asked_for_rest_are_waited_for() -> None:
    soon = replace(TIRED, blocked_for_s=3.0)
    error = refusal(viewed(A, B, standings={"a/x": TIRED, "b/x": soon}))
    assert isinstance(error, ProvidersOverloaded)
    assert error.retry_after_s == 3.0


def test_keys_that_are_refused_everywhere_are_the_operators_to_mend() -> None:
    assert isinstance(refusal(viewed(A, B, standings={"a/x": LOCKED, "b/x": LOCKED})), CredentialsRefused)


@pytest.mark.parametrize(
    ("budget", "tenant", "subject", "retry_after_s"),
    [
        (OVER, "", "server", 60.0),
        (OVER, "web", "server", 60.0),
        (
            spent(BudgetRules(tenants={"web": TenantBudget(daily_usd_nanos=USD)}), {"web": 1}, "web"),
            "web",
            "tenant:web",
            60.0,
        ),
        (spent(BudgetRules(daily_usd_nanos=0)), "", "server", None),
        (spent(BudgetRules(weekly_usd_nanos=USD, is_hard=True), {"week": 0.9999}), "", "server", 60.0),
        (spent(BudgetRules(monthly_usd_nanos=1, is_hard=True)), "", "server", None),
        (spent(OWN, {"a": 1, "b": 1}), "", "provider:a", 60.0),
        (spent(replace(OWN, daily_usd_nanos=0), {"a": 1, "b": 1}), "", "server", None),
    ],
)
def test_a_spent_budget_says_whose_it_is_and_when_it_is_filled(
    budget: BudgetStanding, tenant: str, subject: str, retry_after_s: float | None
) -> None:
    error = refusal(viewed(A, B, budget=budget), endless(asked(tenant=tenant)))
    assert isinstance(error, BudgetSpent)
    assert (error.subject, error.retry_after_s) == (subject, retry_after_s)


def test_a_caller_who_may_only_have_what_is_free_need_not_wait() -> None:
    error = refusal(viewed(A, B, budget=BudgetStanding(free_only=True)))
    assert isinstance(error, NoTarget)
    assert error.rejected == {"spend_limit": 2}


def test_room_is_waited_for_before_anything_else() -> None:
    view = viewed(A, C, quotas={"a": full("a", 30.0)}, in_flight={"c/x": 2})
    planning = Planning(view=lambda _: view, route_view=lambda _: view, rng=Random(0))
    with pytest.raises(TargetsSaturated):
        planning.to_tell(endless(asked()), may_be_empty=False)
    _, found = planning.to_run(endless(asked()))
    assert [target.id for target in found.targets] == ["c/x"], "what is run may wait for whom is only full"


def test_whoever_came_furthest_is_told_first() -> None:
    dear = made("d/x", price=50.0)
    view = viewed(A, B, dear)
    routing = Routing(denied_providers=frozenset({"a"}), max_cost_usd_nanos=1, min_quality=0.0)
    error = refusal(view, endless(asked(routing)))
    assert isinstance(error, NoTarget)
    assert error.rejected == {"provider_not_allowed": 1, "cost_per_request": 2}
    assert [(r.target, r.reason) for r in error.first] == [
        ("b/x", "cost_per_request"),
        ("d/x", "cost_per_request"),
        ("a/x", "provider_not_allowed"),
    ]
    assert error.first[-1] == Rejected("a/x", "provider_not_allowed", "the request denies a")


def test_a_model_that_nothing_stands_for_is_unknown_whatever_else_holds() -> None:
    request = endless(asked(Routing(model="b/x", region="eu")))
    assert isinstance(refusal(viewed(A), request), UnknownTarget)
    assert isinstance(refusal(viewed(A, B), request), NoTarget)


@pytest.mark.parametrize(
    ("asked_for", "replacement", "told"),
    [
        ("last", "b/x", ", retired by a as of 2026-10-23; use b/x, or leave it empty to let the router choose"),
        ("a/last", "x", ", retired by a as of 2026-10-23; use x, or leave it empty to let the router choose"),
        ("last", "gone", ", retired by a as of 2026-10-23; leave it empty to let the router choose"),
        ("last", "", ", retired by a as of 2026-10-23; leave it empty to let the router choose"),
        ("b/last", "b/x", "; leave it empty to let the router choose"),
    ],
)
def test_whoever_asks_for_a_retired_model_hears_of_its_replacement(asked_for: str, replacement: str, told: str) -> None:
    retired = Retired(id="last", since=date(2026, 10, 23), replacement=replacement)
    old = Target(replace(A.provider, retired=(retired,)), A.model)
    error = refusal(viewed(old, B), endless(asked(Routing(model=asked_for))))
    assert isinstance(error, UnknownTarget)
    assert str(error) == f"no target answers to the model {asked_for!r}{told}"


def test_without_any_target_the_operator_is_told_what_to_do() -> None:
    error = refusal(viewed(), endless(asked(Routing(model="fast"))))
    assert isinstance(error, NoTarget)
    assert "no target is configured" in str(error)


@pytest.mark.parametrize(("limit", "retry_after_s"), [(6000, 30.0), (600, None)])
def test_who_asks_for_more_tokens_than_a_window_holds_is_not_told_to_wait(
    limit: int, retry_after_s: float | None
) -> None:
    window = WindowReading(
        unit=Unit.TOKENS, per=Per.MINUTE, limit=limit, used=limit - 100, left_share=0.5, resets_in_s=30.0
    )
    quotas = {"a": standing(QuotaRules(provider="a"), "", [window])}
    error = refusal(viewed(A, quotas=quotas))
    assert isinstance(error, ProvidersBlocked)
    assert error.retry_after_s == retry_after_s


def lacking(reason: Rejection, retry_in_s: float | None = None, subject: str = "") -> Refusal:
    return Refusal(reason, "in words", retry_in_s, subject)


@pytest.mark.parametrize(
    ("unroomed", "kind", "retry_after_s"),
    [
        ({"a/x": lacking(Rejection.QUOTA, 9.0), "b/x": lacking(Rejection.QUOTA, 4.0)}, ProvidersBlocked, 4.0),
        ({"a/x": lacking(Rejection.SPEND_LIMIT, 9.0)}, BudgetSpent, 9.0),
        ({"a/x": lacking(Rejection.SPEND_LIMIT), "b/x": lacking(Rejection.SPEND_LIMIT, 9.0)}, BudgetSpent, 9.0),
        ({"a/x": lacking(Rejection.SPEND_LIMIT), "b/x": lacking(Rejection.COST_PER_REQUEST, 9.0)}, BudgetSpent, None),
    ],
)
def test_room_that_others_took_meanwhile(
    unroomed: Mapping[str, Refusal], kind: type[ProvidersBlocked | BudgetSpent], retry_after_s: float | None
) -> None:
    error = no_room(asked(), unroomed)
    assert isinstance(error, kind)
    assert error.retry_after_s == retry_after_s


def test_what_has_no_room_by_now_is_told_as_it_is_and_not_whose_doing_it_was() -> None:
    error = no_room(asked(tenant="web"), {"a/x": lacking(Rejection.SPEND_LIMIT, None, "provider:a")})
    assert isinstance(error, BudgetSpent)
    assert error.subject == "provider:a"
    assert str(error) == "by now in words, and nothing that is free may serve it"


def test_a_slot_or_a_bound_that_others_took_meanwhile() -> None:
    assert isinstance(
        no_room(asked(), {"a/x": lacking(Rejection.CONCURRENCY), "b/x": lacking(Rejection.QUOTA)}), TargetsSaturated
    )
    error = no_room(asked(), {"a/x": lacking(Rejection.COST_PER_REQUEST)})
    assert isinstance(error, NoTarget)
    assert error.first == (Rejected("a/x", "cost_per_request", "in words"),)
