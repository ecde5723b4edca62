"""Router, prober and simulated providers as real processes under load, each hurt in turn; callers must not notice.

The first provider has a simulator of its own, so that it can be killed while the others live. What cannot be saved is
a stream that has delivered when its provider or the router itself is killed: it must end in an error, never look
whole. Everything else must succeed, with nothing but the client's documented retry in between.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import processes, settings
from tests.harness.books import Lost, Span, disagreements
from tests.harness.load import STREAMS, Call, Load
from tests.harness.processes import SLOWER_IN_CI, Process, free_port, running, wait_until
from tests.harness.witness import Row, Witness

PACE = {"*": {"latency_s": 0.02, "tokens_per_s": 100, "output_tokens": 24}}
PRICES = {"alder": (0.10, 0.40), "birch": (2.0, 8.0), "cedar": (4.0, 16.0)}
LEAVE_S = 2.0
UNDER_WAY_S = 3.0
"""So long at most an attempt of the killed router may have been under way."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs. The witnesses' logs are all that ever reached a provider, for `kept` has a killed one's."""

    router: Process
    prober: Process
    first: Process
    others: Process
    load: Load
    kept: list[Row]
    forgiven: list[Call]
    """Cut streams that were accounted for already."""
    unwitnessed: list[Span]
    """When the first provider's log could not be kept: from its last reading to its death."""
    unrecorded: list[Span]
    """When the router had attempts under way of which it could tell nobody."""

    def rows(self) -> list[Row]:
        rows = list(self.kept)
        for simulator in (self.first, self.others):
            with Witness(simulator.ready["simulator"]) as witness:
                rows += witness.rows()
        return rows

    def request_lines(self) -> dict[str, dict[str, object]]:
        """The router's line about each finished request, those of a killed one included."""
        lines = [json.loads(line) for line in self.router.stderr().splitlines() if line.startswith("{")]
        return {line["request_id"]: line for line in lines if "request_id" in line}

    def first_attempts(self, *, since: float) -> list[str]:
        """The provider of each first attempt of the calls that began after `since`, by the providers' own logs."""
        ids = {c.request_id for c in self.load.since(since)}
        return [r.provider for r in self.rows() if r.attempt_id.endswith(".1") and r.attempt_id[:-2] in ids]


# They are chapters of one story, which the last one checks: no other test process may take one of them.
pytestmark = pytest.mark.story


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with processes.short_directory() as directory:
        first = processes.simulator(directory, name="first", port=free_port(), behaviours=PACE)
        others = processes.simulator(directory, name="others", port=free_port(), behaviours=PACE)
        with running(first, others):
            config = _config(directory, first, others)
            prober = processes.prober(directory, config, port=free_port())
            router = processes.router(directory, config, port=free_port())
            with running(prober, router), Load(router.ready["router"]) as load:
                yield World(router, prober, first, others, load, [], [], [], [])


def _config(directory: Path, first: Process, others: Process) -> Path:
    addresses = {"alder": first.ready["simulator"], "birch": others.ready["simulator"]}
    providers = [
        settings.provider(name, f"http://{addresses.get(name, addresses['birch'])}/{name}/v1", prices=prices)
        for name, prices in PRICES.items()
    ]
    return settings.write(directory, providers, health={**settings.QUICK_HEALTH, "recovery_step_s": 0.3})


def settled(world: World) -> None:
    """The first provider serves again, and nearly everything."""

    def is_back() -> bool:
        recent = world.first_attempts(since=time.monotonic() - 1.0)
        return len(recent) >= 20 and recent.count("alder") >= 0.9 * len(recent)

    wait_until(is_back, within_s=12 * SLOWER_IN_CI, what="the first provider serves its usual share")


def test_a_provider_that_breaks_is_left_and_taken_back(world: World) -> None:
    settled(world)
    with Witness(world.first.ready["simulator"]) as witness:
        witness.break_provider("alder", "status=503")
        broken = time.monotonic()
        wait_until(lambda: time.monotonic() > broken + LEAVE_S + 1.5, within_s=5, what="time passes")
        later = world.first_attempts(since=broken + LEAVE_S)
        witness.mend()
    assert len(later) > 50
    assert later.count("alder") <= 0.1 * len(later), "left within two seconds"
    settled(world)
    assert not world.load.errors()


def test_a_killed_provider_is_left_and_taken_back(world: World) -> None:
    settled(world)
    with Witness(world.first.ready["simulator"]) as witness:
        read_at = time.time()
        world.kept.extend(witness.rows())
    world.first.kill()
    killed = time.monotonic()
    world.unwitnessed.append(Span(began=read_at, ended=time.time()))
    wait_until(lambda: time.monotonic() > killed + 1.5, within_s=5, what="time passes")
    world.first.start()
    settled(world)
    cut = [c for c in world.load.calls if c.error]
    assert all(is_cut_stream(c, "STREAM_INTERRUPTED") and c.target.startswith("alder/") for c in cut), cut
    assert len(cut) <= STREAMS
    assert all(c.began < killed for c in cut), "nobody who came later noticed"
    forgive(world, cut)


def test_a_stopped_provider_is_left_and_taken_back(world: World) -> None:
    """Its connections stay open and nothing comes: only calls that do not come back tell, and probes."""
    settled(world)
    stopped = time.monotonic()
    world.first.signal(signal.SIGSTOP)
    wait_until(lambda: time.monotonic() > stopped + LEAVE_S + 1.5, within_s=5, what="time passes")
    later = [c for c in world.load.since(stopped + LEAVE_S) if c.tried]
    world.first.signal(signal.SIGCONT)
    assert len(later) > 30
    assert sum(c.tried[0].target.startswith("alder/") for c in later) <= 0.2 * len(later), "left within two seconds"
    settled(world)
    cut = [c for c in world.load.calls if c.error]
    assert all(is_cut_stream(c, "STREAM_INTERRUPTED") and c.target.startswith("alder/") for c in cut), cut
    assert len(cut) <= STREAMS
    assert all(c.began < stopped for c in cut)
    forgive(world, cut)


@pytest.mark.parametrize("hurt", ["kill", "stop", "restart"])
def test_the_probers_troubles_are_its_own(world: World, hurt: str) -> None:
    began = time.monotonic()
    if hurt == "stop":
        world.prober.signal(signal.SIGSTOP)
    elif hurt == "kill":
        world.prober.kill()
    else:
        world.prober.end()
    wait_until(lambda: time.monotonic() > began + 1.0, within_s=5, what="time passes")
    if hurt == "stop":
        world.prober.signal(signal.SIGCONT)
    else:
        world.prober.start()
    settled(world)
    assert len(world.load.since(began)) > 50
    assert not world.load.errors()


def test_a_stopped_router_only_makes_its_callers_wait(world: World) -> None:
    began = time.monotonic()
    world.router.signal(signal.SIGSTOP)
    wait_until(lambda: time.monotonic() > began + 1.0, within_s=5, what="time passes")
    world.router.signal(signal.SIGCONT)
    settled(world)
    assert not world.load.errors()


def test_a_router_that_is_told_to_stop_finishes_what_it_has_begun(world: World) -> None:
    world.router.signal(signal.SIGTERM)
    assert world.router.wait(within_s=10 * SLOWER_IN_CI) == 0
    world.router.start()
    settled(world)
    assert not world.load.errors()


def test_a_killed_router_costs_at_most_what_had_begun_to_answer(world: World) -> None:
    """The streams under way, and a unary call whose headers were out: gRPC tries neither again."""
    killed, killed_at = time.monotonic(), time.time()
    world.router.kill()
    world.unrecorded.append(Span(began=killed_at - UNDER_WAY_S, ended=time.time()))
    world.router.start()
    settled(world)
    cut = [c for c in world.load.calls if c.error]
    assert {c.error for c in cut} <= {"UNAVAILABLE"}
    assert sum(c.is_stream for c in cut) <= STREAMS
    assert sum(not c.is_stream for c in cut) <= 2
    assert all(c.began < killed for c in cut)


def test_both_sides_agree_on_every_request(world: World) -> None:
    """Last: the load ends, and each caller's record is held against the providers' logs."""
    world.load.finish()
    calls = [*world.load.calls, *world.forgiven]
    [rows], [router] = world.unwitnessed, world.unrecorded
    lost = Lost(provider="alder", rows=rows, router=router)
    assert len([call for call in calls if not call.error]) > 500
    assert sum(call.attempts > 1 for call in calls) > 10, "some were moved to another provider"
    assert list(disagreements(calls, world.rows(), world.request_lines(), PRICES, lost)) == []
    assert "Traceback" not in world.router.stderr() + world.prober.stderr()


def is_cut_stream(call: Call, error: str) -> bool:
    return call.is_stream and call.has_delivered and error in call.error


def forgive(world: World, calls: list[Call]) -> None:
    """Keep the record of later tests clean of what was accounted for here."""
    for call in calls:
        world.load.calls.remove(call)
        world.forgiven.append(call)
