"""Large catalogues: a snapshot is read and taken over in slices, and what happens in between is not lost."""

from __future__ import annotations

import asyncio

import pytest

from router_service.core.health import Snapshot, State, TargetHealth
from router_service.core.outcome import Outcome
from router_service.core.settings import ProberSettings
from router_service.core.slices import SLICE
from router_service.health.board import HealthBoard, Reception
from router_service.health.slices import finish_between_others
from router_service.health.wire import snapshot_from_message, snapshot_in_slices, snapshot_to_message
from router_service.health.wire_limits import Corrupt

from .making import Clock, attempt

TARGETS = tuple(f"p{i % 7}/m{i}" for i in range(20 * SLICE))
EARLY, LATE = TARGETS[0], TARGETS[-1]


def large(sequence: int = 1, *, state: State = State.HEALTHY) -> Snapshot:
    share = 1.0 if state is State.HEALTHY else 0.1
    targets = {t: TargetHealth(target=t, state=state, state_age_s=60.0, traffic_share=share) for t in TARGETS}
    return Snapshot(epoch=1, sequence=sequence, prober_id="prober", targets=targets)


def board(clock: Clock) -> HealthBoard:
    return HealthBoard(TARGETS, ProberSettings(), clock=clock)


@pytest.mark.anyio
async def test_others_have_their_turn_between_slices() -> None:
    message, made = snapshot_to_message(large()), board(Clock())
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        others = group.create_task(other())
        snapshot = await finish_between_others(snapshot_in_slices(message, known=made.targets))
        read_in = turns
        assert await finish_between_others(made.accept_in_slices(snapshot)) is Reception.TAKEN
        others.cancel()
    assert read_in >= len(TARGETS) / SLICE - 1
    assert turns - read_in >= len(TARGETS) / SLICE - 1
    assert {standing.state for standing in made.standings().values()} == {State.HEALTHY}


def test_in_slices_the_same_is_read() -> None:
    message = snapshot_to_message(large(state=State.DEGRADED))
    *_, last = message.targets
    assert snapshot_from_message(message, known=TARGETS) == large(state=State.DEGRADED)
    last.traffic_share = 7.0
    with pytest.raises(Corrupt, match=rf"targets\[{len(TARGETS) - 1}\]\.traffic_share"):
        snapshot_from_message(message, known=TARGETS)


@pytest.mark.parametrize("target", [EARLY, LATE], ids=["after its turn", "before its turn"])
@pytest.mark.parametrize("is_reported", [False, True])
def test_calls_that_end_between_slices_count(target: str, is_reported: bool) -> None:
    clock = Clock()
    made = board(clock)
    made.accept(large(1))
    work = made.accept_in_slices(large(2))
    next(work)
    for _ in range(3):
        attempt(made, target, Outcome.SERVER_ERROR)
    if is_reported:
        made.take_report()
    for _ in work:
        clock.now += 0.001
        made.tick()
    assert made.standings()[target].state is State.UNHEALTHY
    assert sum(standing.state is State.HEALTHY for standing in made.standings().values()) == len(TARGETS) - 1
    assert made.snapshot_info().sequence == 2


def test_another_catalogue_counts_at_once_and_its_new_targets_hear_of_the_snapshot_in_slices() -> None:
    clock = Clock()
    made = HealthBoard((EARLY,), ProberSettings(), clock=clock)
    made.accept(large())
    work = made.adopt_in_slices(made.entries_for(TARGETS))
    next(work)
    assert made.targets == frozenset(TARGETS)
    assert made.standings()[EARLY].state is State.HEALTHY, "what is known of those that stay is kept"
    assert made.standings()[LATE].state is State.UNKNOWN
    attempt(made, LATE, Outcome.OK)
    assert sum(1 for _ in work) >= len(TARGETS) / SLICE - 2
    assert {standing.state for standing in made.standings().values()} == {State.HEALTHY}
    gone = made.adopt_in_slices(made.entries_for((EARLY,)))
    assert list(gone) == []
    assert made.targets == {EARLY}
