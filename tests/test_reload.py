"""The configuration changes while the processes serve: nobody notices but by what is new."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import chat_pb2, health_feed_pb2, health_feed_pb2_grpc, router_pb2, router_pb2_grpc

from tests.harness import processes, settings
from tests.harness.load import Load
from tests.harness.processes import Process, wait_until

SOON_S = 15.0


@dataclass(frozen=True, slots=True)
class Site:
    """Router, prober and simulator over one file, and callers all the while."""

    directory: Path
    config: Path
    simulator: str
    router: Process
    prober: Process
    load: Load

    def write(self, *names: str, **sections: dict[str, object]) -> None:
        """In place of the old file at once, as editors and deployments do it."""
        fresh = self.directory / "fresh"
        fresh.mkdir(exist_ok=True)
        settings.write(fresh, settings.simulated(self.simulator, names), **sections).replace(self.config)

    def plan(self) -> router_pb2.Plan:
        with grpc.insecure_channel(self.router.ready["router"]) as channel:
            stub = router_pb2_grpc.RouterStub(channel)
            message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="Hello")
            asked = router_pb2.RouteRequest(messages=[message], view=router_pb2.PLAN_VIEW_FULL)
            return stub.Route(asked, timeout=5).plan

    def planned(self) -> set[str]:
        return {candidate.provider for candidate in self.plan().candidates}

    def probed(self) -> set[str]:
        with grpc.insecure_channel(self.prober.ready["prober"]) as channel:
            stub = health_feed_pb2_grpc.HealthFeedStub(channel)
            snapshot = stub.GetSnapshot(health_feed_pb2.GetSnapshotRequest(), timeout=5).snapshot
            return {t.target.partition("/")[0] for t in snapshot.targets if t.HasField("last_probe_time")}


@contextmanager
def site(*names: str) -> Iterator[Site]:
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            address = simulator.ready["simulator"]
            config = settings.write(directory, settings.simulated(address, names))
            prober, router = processes.prober(directory, config), processes.router(directory, config)
            with processes.running(prober, router), Load(router.ready["router"]) as load:
                yield Site(directory, config, address, router, prober, load)


@pytest.fixture(scope="module")
def serving() -> Iterator[Site]:
    with site("alder", "birch") as found:
        yield found


def test_a_provider_comes_in_and_another_goes_under_load(serving: Site) -> None:
    before = serving.plan().config_version
    serving.write("birch", "cedar")
    wait_until(lambda: serving.planned() == {"birch", "cedar"}, within_s=SOON_S, what="the new providers are planned")
    wait_until(lambda: serving.probed() == {"birch", "cedar"}, within_s=SOON_S, what="the new provider is probed")
    wait_until(
        lambda: any(c.target.startswith("birch/") for c in serving.load.calls[-20:]),
        within_s=SOON_S,
        what="requests go by the new file",
    )
    assert serving.plan().config_version not in ("", before)
    assert not serving.load.errors(), "no caller noticed"


def test_a_bad_file_leaves_the_old_one_in_force(serving: Site) -> None:
    version, planned = serving.plan().config_version, serving.planned()
    serving.config.write_text("version: 1\nproviders: [{name: alder, tiers: premium}]\n")
    for process in (serving.router, serving.prober):
        wait_until(lambda p=process: "not reloaded" in p.stderr(), within_s=SOON_S, what="the refusal is told")  # type: ignore[misc]
        assert "signalbox.yaml:2" in process.stderr(), "with file and line"
    assert serving.plan().config_version == version
    assert serving.planned() == planned
    assert not serving.load.errors()


def test_a_hangup_asks_for_the_file_at_once(serving: Site) -> None:
    serving.write("alder", "birch", routing={"strategy": "round_robin"})
    serving.router.signal(signal.SIGHUP)
    wait_until(lambda: serving.plan().strategy == "round_robin", within_s=SOON_S, what="the strategy is the new one")


@pytest.mark.slow
def test_a_file_that_never_stands_still_is_told_of(serving: Site) -> None:
    """Whatever writes it must not do so for ever without anybody hearing why nothing is loaded."""
    before = serving.plan().config_version
    content = serving.config.read_bytes()

    def is_told() -> bool:
        serving.config.write_bytes(content + b"# touched\n" * (time.monotonic_ns() // 10**6 % 1000))
        return "is not reloaded before it stands still" in serving.router.stderr()

    wait_until(is_told, within_s=SOON_S, what="the router says so")
    assert f"SIGHUP loads it as it is: {serving.config}" in serving.router.stderr()
    assert serving.plan().config_version == before, "comments change no version"
    serving.write("alder", "birch", routing={"strategy": "cost_optimized"})
    wait_until(lambda: serving.plan().strategy == "cost_optimized", within_s=SOON_S, what="it is loaded once it rests")
    assert not serving.load.errors()


def test_what_is_read_only_at_the_start_is_said_to_wait(serving: Site) -> None:
    serving.write("alder", "birch", server={"drain_s": 6, "lame_duck_s": 0.2})
    wait_until(
        lambda: "what changed in server holds from the next start on" in serving.router.stderr(),
        within_s=SOON_S,
        what="the router says so",
    )
    assert not serving.load.errors()
