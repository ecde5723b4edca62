"""The decision and the books agree: whom a plan names has room, and whom it keeps away for want of room has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from router_service.core.budget import BudgetRules, ProviderBudget
from router_service.core.catalog import Catalog, Provider, Target
from router_service.core.decision.expectation import expect
from router_service.core.decision.rejection import Refusal
from router_service.core.plan import Plan, Rejection, plan
from router_service.core.quota import Amounts, Limit, Overflow, Refused, Reservation, Unit
from router_service.core.request import Request
from router_service.core.windows import Per
from router_service.service.rooms import Rooms
from router_service.store.quota import QuotaBook
from router_service.store.terms import terms_of
from tests.core.decision import worlds
from tests.core.decision.making import viewed
from tests.store.making import HandClock, book

SEEDS = st.integers(0, 2**32)


@settings(max_examples=600, deadline=None)
@given(seed=SEEDS)
def test_a_plan_names_whoever_has_room_and_nobody_else(seed: int) -> None:
    rng = Random(seed)
    request, policy = worlds.request(rng), worlds.policy(rng)
    targets = limited(rng, worlds.world(seed, 12).view.catalog.targets)
    quotas = used(rng, targets)
    found = plan(request, viewed(*targets, policy=policy, quotas=quotas.standings(), budget=quotas.budget()), rng)
    rooms = Rooms(quotas)
    for place, target in enumerate(found.targets):
        room = rooms.take(request, found, place, spent_usd_nanos=0)
        assert not isinstance(room, Refusal), (target.id, room)
        room.give_back(None, was_sent=False)
    for id, reason in found.rejected.items():
        if reason in (Rejection.QUOTA, Rejection.SPEND_LIMIT):
            got = asked_for(quotas, request, found, id)
            takes_no_money = isinstance(got, Reservation) and not got.amounts.usd_nanos
            assert takes_no_money or isinstance(got, Refused), (id, found.refusal(id))


def limited(rng: Random, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The same targets, at providers with limits and free windows."""
    providers: Mapping[str, Provider] = {t.provider.name: t.provider for t in targets}
    given = {
        name: replace(
            provider,
            limits=tuple(limit(rng) for _ in range(rng.randint(0, 2))),
            free=rng.choice((None, limit(rng))),
            overflow=rng.choice((*Overflow,)),
            max_concurrency=None,
        )
        for name, provider in providers.items()
    }
    return tuple(Target(given[target.provider.name], target.model) for target in targets)


def limit(rng: Random) -> Limit:
    most = rng.choice((3, 1500, 6000, 10**6, 10**9))
    return Limit(unit=rng.choice((*Unit,)), per=rng.choice((Per.DAY, Per.EVER)), max=most)


def used(rng: Random, targets: tuple[Target, ...]) -> QuotaBook:
    """Books of which something is used already."""

    def bound() -> int | None:
        return rng.choice((None, None, None, None, None, None, 0, 10**6, 10**8, 10**10))

    rules = BudgetRules(
        daily_usd_nanos=bound(),
        weekly_usd_nanos=bound(),
        monthly_usd_nanos=bound(),
        providers={n: ProviderBudget(daily_usd_nanos=bound(), request_usd_nanos=bound()) for n in worlds.NAMES},
        is_hard=rng.random() < 0.5,
    )
    quotas = book(*terms_of(Catalog(targets)), clock=HandClock(), budgets=rules)
    for target in targets:
        amounts = Amounts(requests=1, tokens=rng.choice((1, 4000)), neurons=1, usd_nanos=rng.choice((1, 10**6, 10**8)))
        found = quotas.reserve(target.provider.name, target.model.id, amounts)
        if isinstance(found, Reservation):
            quotas.settle(found, amounts)
    return quotas


def asked_for(quotas: QuotaBook, request: Request, found: Plan, id: str) -> Reservation | Refused:
    """What the books say to an attempt at a target that the plan has not."""
    target = found.view.catalog.by_id[id]
    payable = quotas.payable(target.provider.name, target.model.id)
    left = [n for n in (payable, request.routing.max_cost_usd_nanos) if n is not None]
    expected = expect(found.decision, found.decision.prepared.offer_of[id], min(left, default=None))
    return quotas.reserve(
        target.provider.name, target.model.id, expected.amounts, worst_usd_nanos=expected.worst_usd_nanos
    )
