"""A stage for the prober: the real process on simulated providers, and what a router would see of it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc
from signalbox.v1 import health_feed_pb2 as pb
from signalbox.v1 import health_feed_pb2_grpc

from router_service.core.addresses import prober_socket
from router_service.core.health import Snapshot, State, TargetHealth
from router_service.core.settings import HealthRules, ProberSettings
from router_service.health.board import HealthBoard
from router_service.health.channel import HealthChannel
from router_service.health.wire import snapshot_from_message
from tests.harness import processes, settings
from tests.harness.processes import ANY_METRICS, SLOWER_IN_CI, Process, running, short_directory
from tests.harness.witness import Witness

NAMES = ("alder", "birch", "cedar")
TARGETS = tuple(f"{name}/chat-small" for name in NAMES)
INTERVAL_S, CONFIRM_S, COOLDOWN_S = 0.4, 0.05, 0.6
PROBER = {
    "interval_s": INTERVAL_S,
    "confirm_s": CONFIRM_S,
    "timeout_s": 0.5,
    "stale_s": 2,
    "ignore_s": 6,
    "report_s": 0.1,
}
HEALTH = {"cooldown_s": COOLDOWN_S, "recovery_step_s": 0.2, "min_dwell_s": 0.1}
CHANNEL = ProberSettings(
    stale_s=2, ignore_s=6, report_s=0.1, rules=HealthRules(cooldown_s=COOLDOWN_S, recovery_step_s=0.2, min_dwell_s=0.1)
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a test talks to and what it may hurt."""

    directory: Path
    prober: Process
    witness: Witness

    @property
    def socket(self) -> str:
        return f"unix:{prober_socket(self.directory)}"

    @property
    def tcp(self) -> str:
        return self.prober.ready["prober"]

    def snapshot(self, address: str | None = None) -> Snapshot:
        with grpc.insecure_channel(address or self.socket) as channel:
            response = health_feed_pb2_grpc.HealthFeedStub(channel).GetSnapshot(pb.GetSnapshotRequest(), timeout=5)
        return snapshot_from_message(response.snapshot, known=TARGETS)

    def health(self, name: str) -> TargetHealth:
        return self.snapshot().targets[f"{name}/chat-small"]

    def until(self, name: str, state: State, *, within_s: float = 8.0) -> float:
        """Wait for a provider's target to be found in `state`; return how long it took, in seconds."""
        return processes.wait_until(
            lambda: self.health(name).state is state,
            within_s=within_s * SLOWER_IN_CI,
            what=f"{name} is {self.health(name).state}, not {state}",
        )

    def until_all_healthy(self) -> None:
        for name in NAMES:
            self.until(name, State.HEALTHY)


def prober_process(directory: Path, config: Path, *, environment: Mapping[str, str] | None = None) -> Process:
    command = [sys.executable, "-m", "prober", "--config", str(config), "--prober-address", "127.0.0.1:0", *ANY_METRICS]
    return Process(
        command=[*command, "--data-dir", str(directory)],
        directory=directory,
        name="prober",
        environment=environment or {},
    )


def simulator_process(directory: Path) -> Process:
    return Process(
        command=[sys.executable, "-m", "router_service.simulator", "--simulator-address", "127.0.0.1:0"],
        directory=directory,
        name="simulator",
    )


@contextmanager
def staged(
    providers: Callable[[str], list[dict[str, object]]] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    deep: Mapping[str, object] | None = None,
    **sections: Mapping[str, object],
) -> Iterator[Stage]:
    """Simulator and prober for as long as the block lasts; `sections` are added to the configuration."""
    prober = {**PROBER, **({"deep": deep} if deep else {})}
    with short_directory() as directory:
        simulator = simulator_process(directory)
        with running(simulator):
            address = simulator.ready["simulator"]
            made = providers(address) if providers else settings.simulated(address, NAMES)
            config = settings.write(directory, made, prober=prober, health=HEALTH, **sections)
            process = prober_process(directory, config, environment=environment)
            with Witness(address) as witness, running(process):
                yield Stage(directory, process, witness)


@dataclass(frozen=True, slots=True)
class Line:
    """A router's board, kept current by a channel to the real prober."""

    board: HealthBoard
    channel: HealthChannel

    def state(self, name: str) -> State:
        self.board.tick()
        return self.board.standings()[f"{name}/chat-small"].state

    async def until(self, is_so: Callable[[], bool], *, within_s: float, what: str) -> float:
        began = time.monotonic()
        while not is_so():
            assert time.monotonic() - began < within_s * SLOWER_IN_CI, what
            await asyncio.sleep(0.01)
        return time.monotonic() - began


@asynccontextmanager
async def connected(address: str, reporter_id: str | None = None) -> AsyncIterator[Line]:
    """A router's end of the line; a reporter's id is random for each start, as the contract has it."""
    reporter_id = reporter_id or f"router-{secrets.token_hex(8)}"
    board = HealthBoard(TARGETS, CHANNEL, clock=time.monotonic)
    channel = HealthChannel(address, board, reporter_id=reporter_id, settings=CHANNEL, rng=Random(1))
    async with asyncio.TaskGroup() as group:
        running_channel = group.create_task(channel.run())
        try:
            yield Line(board, channel)
        finally:
            running_channel.cancel()
