"""Which behaviour holds for a request, and what stays when behaviours are replaced."""

from __future__ import annotations

import pytest

from router_service.core.simulation import Behaviour, Limit, LimitUnit, NormalLatency, WindowLength
from router_service.simulator.cast import Cast, Role
from router_service.simulator.windows import Cost

DAY = Limit(unit=LimitUnit.REQUESTS, per=WindowLength.DAY, max=200)
MINUTE = Limit(unit=LimitUnit.TOKENS, per=WindowLength.MINUTE, max=100)
SPREAD = NormalLatency(mean_s=1.0, deviation_s=0.3)


def cast(behaviours: dict[str, Behaviour], *, seed: int = 0) -> Cast:
    """Return a cast whose clock stands at 0."""
    return Cast(behaviours, seed=seed, now_s=0.0)


def draws(role: Role, count: int = 5) -> list[float]:
    """Return the next delays of a role's answers."""
    return [role.latency.draw_s(0.0) for _ in range(count)]


@pytest.mark.parametrize(
    ("provider", "model", "answering_s", "account_s"),
    [
        ("fast", "small", 1.0, 1.0),
        ("fast", "large", 2.0, 1.0),
        ("fast", "meta/large", 3.0, 1.0),
        ("fast", "", 1.0, 1.0),
        ("alone", "m", 4.0, 9.0),
        ("alone", "n", 9.0, 9.0),
        ("other", "large", 9.0, 9.0),
    ],
)
def test_nearest_behaviour_holds(provider: str, model: str, answering_s: float, account_s: float) -> None:
    latencies_s = {"fast": 1.0, "fast/large": 2.0, "fast/meta/large": 3.0, "alone/m": 4.0, "*": 9.0}
    role = cast({name: Behaviour(latency_s=time_s) for name, time_s in latencies_s.items()}).role(provider, model)
    assert (role.answering.latency_s, role.account.latency_s) == (answering_s, account_s)


def test_nobody_named_is_plain() -> None:
    assert cast({}).role("any", "m").answering == Behaviour()


def test_a_model_counts_in_its_own_windows_and_its_providers() -> None:
    players = cast({"fast": Behaviour(limits=(DAY,)), "fast/large": Behaviour(limits=(MINUTE,))})
    small, large = players.role("fast", "small"), players.role("fast", "large")
    assert [window.limit for window in small.windows] == [DAY]
    assert [window.limit for window in large.windows] == [DAY, MINUTE]
    assert small.windows[0] is large.windows[0]


def test_a_model_without_a_provider_of_its_own_shares_the_defaults_count() -> None:
    players = cast({"*": Behaviour(limits=(DAY,)), "fast/large": Behaviour()})
    assert players.role("fast", "large").windows[0] is players.role("fast", "small").windows[0]


def test_providers_of_the_default_count_apart() -> None:
    players = cast({"*": Behaviour(limits=(DAY,), max_concurrency=3)})
    one, other = players.role("one"), players.role("other")
    assert one is players.role("one", "any")
    assert one.windows[0] is not other.windows[0]
    assert one.slots is not None
    assert one.slots is not other.slots


def test_draws_of_one_target_do_not_depend_on_anothers() -> None:
    behaviours = {name: Behaviour(latency=SPREAD) for name in ("fast", "fast/large", "*")}
    quiet, busy = cast(behaviours), cast(behaviours)
    draws(busy.role("fast", "small"))
    draws(busy.role("other"))
    busy.role("fast").listing_latency.draw_s(0.0)
    assert draws(quiet.role("fast", "large")) == draws(busy.role("fast", "large"))
    assert draws(cast(behaviours).role("fast")) != draws(cast(behaviours, seed=1).role("fast"))
    assert draws(cast(behaviours).role("fast")) != draws(cast(behaviours).role("fast", "large"))


def test_replaced_behaviours_keep_counts_and_begin_draws_anew() -> None:
    behaviours = {"fast": Behaviour(latency=SPREAD, limits=(DAY, MINUTE))}
    players = cast(behaviours)
    before = draws(players.role("fast"))
    for window in players.role("fast").windows:
        window.take(Cost(tokens=10), 0.0)
    players.recast({"fast": Behaviour(latency=SPREAD, limits=(DAY,))}, now_s=1.0)
    role = players.role("fast")
    assert draws(role) == before
    assert [(window.limit, window.used(1.0)) for window in role.windows] == [(DAY, 1)]
    players.recast(behaviours, now_s=2.0)
    assert [window.used(2.0) for window in players.role("fast").windows] == [1, 0]


def test_replaced_behaviours_bound_what_is_under_way() -> None:
    players = cast({"fast": Behaviour(max_concurrency=1)})
    slots = players.role("fast").slots
    assert slots is not None
    slots.enter(list[int]().clear)
    assert slots.is_full
    players.recast({"fast": Behaviour(max_concurrency=2)}, now_s=0.0)
    assert players.role("fast").slots is slots
    assert not slots.is_full
    players.recast({}, now_s=0.0)
    assert (slots.most, slots.busy) == (None, 1)


@pytest.mark.parametrize(("tokens", "neurons"), [((8, 24), 6), ((0, 0), 0), ((1_000_000, 0), 27_000)])
def test_cost_is_rounded_up(tokens: tuple[int, int], neurons: int) -> None:
    cost = cast({}).role("fast").cost(input_tokens=tokens[0], output_tokens=tokens[1])
    assert cost == Cost(tokens=sum(tokens), neurons=neurons)
