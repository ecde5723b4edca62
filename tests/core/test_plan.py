"""The decision as a table: which targets, in which order, and why not the others."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_service.core.catalog import Catalog, Target
from router_service.core.health import ProbeSpan, Source, State
from router_service.core.outcome import BlockReason
from router_service.core.plan import Plan, Rejection, SnapshotInfo, Standing, View, plan
from router_service.core.request import Routing
from tests.core.examples import request, target

CHEAP, DEAR, OTHER = target("a/cheap", price=1), target("a/dear", price=5), target("b/other", price=3)
UNHEALTHY = Standing(state=State.UNHEALTHY, traffic_share=0.0)
BLOCKED = Standing(blocked_for_s=2.0, block_reason=BlockReason.RATE_LIMITED)


def planned(
    *targets: Target, routing: Routing | None = None, standings: dict[str, Standing] | None = None, seed: int = 0
) -> Plan:
    view = View(catalog=Catalog(targets=targets), standings=standings or {})
    return plan(request(routing), view, Random(seed))


def ids(found: Plan) -> list[str]:
    return [t.id for t in found.targets]


@pytest.mark.parametrize(
    ("standings", "order"),
    [
        pytest.param({}, ["a/cheap", "b/other", "a/dear"], id="price-then-another-provider-first"),
        pytest.param({"a/cheap": UNHEALTHY}, ["b/other", "a/dear", "a/cheap"], id="unfit-last"),
        pytest.param({"a/cheap": UNHEALTHY, "a/dear": UNHEALTHY}, ["b/other", "a/cheap", "a/dear"], id="provider-down"),
        pytest.param(
            {"a/cheap": UNHEALTHY, "a/dear": UNHEALTHY, "b/other": UNHEALTHY},
            ["a/cheap", "b/other", "a/dear"],
            id="all-unfit-are-still-tried",
        ),
        pytest.param(
            {"a/cheap": Standing(state=State.RECOVERING, traffic_share=0.0)},
            ["b/other", "a/dear", "a/cheap"],
            id="no-share-stands-behind-those-with-a-full-one",
        ),
        pytest.param(
            {"a/cheap": Standing(state=State.UNKNOWN)}, ["a/cheap", "b/other", "a/dear"], id="unknown-counts-as-well"
        ),
    ],
)
def test_order(standings: dict[str, Standing], order: list[str]) -> None:
    assert ids(planned(DEAR, OTHER, CHEAP, standings=standings)) == order


def test_unknown_price_is_the_dearest() -> None:
    assert ids(planned(target("a/unknown", price=None), target("b/dear", price=50))) == ["b/dear", "a/unknown"]


def test_free_is_the_cheapest() -> None:
    assert ids(planned(CHEAP, target("local/free", price=0))) == ["local/free", "a/cheap"]


@pytest.mark.parametrize(
    ("routing", "kept"),
    [
        (Routing(), {"a/cheap", "a/dear", "b/other"}),
        (Routing(model="auto"), {"a/cheap", "a/dear", "b/other"}),
        (Routing(model="a/dear"), {"a/dear"}),
        (Routing(model="dear"), {"a/dear"}),
        (Routing(model="nobody"), set()),
        (Routing(allowed_providers=frozenset({"b"})), {"b/other"}),
        (Routing(denied_providers=frozenset({"b"})), {"a/cheap", "a/dear"}),
        (Routing(allowed_providers=frozenset({"b"}), denied_providers=frozenset({"b"})), set()),
    ],
)
def test_wishes(routing: Routing, kept: set[str]) -> None:
    found = planned(CHEAP, DEAR, OTHER, routing=routing)
    assert set(ids(found)) == kept
    assert set(found.rejected) == {"a/cheap", "a/dear", "b/other"} - kept


@pytest.mark.parametrize(
    ("routing", "standing", "key_env", "reason"),
    [
        (Routing(model="other"), BLOCKED, ("KEY",), Rejection.MODEL_NOT_ALLOWED),
        (Routing(denied_providers=frozenset({"a"})), BLOCKED, ("KEY",), Rejection.PROVIDER_NOT_ALLOWED),
        (Routing(allowed_providers=frozenset({"b"})), BLOCKED, (), Rejection.PROVIDER_NOT_ALLOWED),
        (Routing(), BLOCKED, ("KEY",), Rejection.DISABLED),
        (Routing(), BLOCKED, (), Rejection.BLOCKED),
    ],
)
def test_the_first_reason_that_waiting_does_not_cure_is_told(
    routing: Routing, standing: Standing, key_env: tuple[str, ...], reason: Rejection
) -> None:
    found = planned(target("a/m", key_env=key_env), routing=routing, standings={"a/m": standing})
    assert found.targets == ()
    assert found.rejected == {"a/m": reason}


def test_alias_stands_for_every_target_that_has_it() -> None:
    found = planned(
        target("a/x", aliases=("fast",)), target("b/y", aliases=("fast",)), CHEAP, routing=Routing(model="fast")
    )
    assert set(ids(found)) == {"a/x", "b/y"}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_share_of_traffic_is_the_share_of_first_places(share: float) -> None:
    standings = {"a/cheap": Standing(state=State.RECOVERING, traffic_share=share)}
    view, rng = View(catalog=Catalog(targets=(CHEAP, OTHER)), standings=standings), Random(7)
    first = Counter(plan(request(), view, rng).targets[0].id for _ in range(2000))
    assert abs(first["a/cheap"] / 2000 - share) < 0.05


def test_plan_tells_the_view_it_rests_on() -> None:
    standing = Standing(probe_span=ProbeSpan(trace_id=b"t" * 16, span_id=b"s" * 8))
    snapshot = SnapshotInfo(epoch=3, sequence=9, age_s=0.5, source=Source.PROBER)
    view = View(catalog=Catalog(targets=(CHEAP, OTHER)), standings={"a/cheap": standing}, snapshot=snapshot)
    found = plan(request(), view, Random(0))
    assert found.view.snapshot is snapshot
    assert found.standing(CHEAP) is standing
    assert found.standing(OTHER) == Standing()


STATES = st.builds(
    Standing,
    state=st.sampled_from(State),
    traffic_share=st.floats(0, 1),
    block_reason=st.sampled_from([None, *BlockReason]),
)


@given(standings=st.lists(STATES, min_size=6, max_size=6), seed=st.integers(0, 2**32))
def test_every_target_is_planned_or_rejected_once_and_no_last_resort_precedes_a_fit_one(
    standings: list[Standing], seed: int
) -> None:
    targets = [target(f"{provider}/{model}", price=model) for provider in "abc" for model in (1, 2)]
    by_id = {t.id: s for t, s in zip(targets, standings, strict=True)}
    found = planned(*targets, standings=by_id, seed=seed)
    assert sorted([*ids(found), *found.rejected]) == sorted(by_id)
    is_unfit = [by_id[id].state is State.UNHEALTHY for id in ids(found)]
    assert is_unfit == sorted(is_unfit)
    again = planned(*targets, standings=by_id, seed=seed)
    assert ids(again) == ids(found)
