"""Who watches is told of its own reports alone, whoever reported by the same id first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from signalbox.v1 import health_feed_pb2 as pb
from signalbox.v1 import health_feed_pb2_grpc

from tests.harness import keys
from tests.harness.processes import SLOWER_IN_CI

from .stage import Stage, staged

VICTIM = "router-of-another"
PATIENCE_S = 5 * SLOWER_IN_CI
TENANTS = [keys.tenant(name, role="health_reporter") for name in ("honest", "meddler")]


@pytest.fixture
def guarded_stage() -> Iterator[Stage]:
    with staged(tenants=TENANTS) as made:  # type: ignore[arg-type]
        yield made


class Feed:
    """The prober's feed over TCP, asked with the keys of tenants."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = health_feed_pb2_grpc.HealthFeedStub(channel)

    def report(self, tenant: str, sequence: int) -> int:
        request = pb.ReportRequest(reporter_id=VICTIM, sequence=sequence)
        return self._stub.Report(request, metadata=keys.bearer(tenant), timeout=PATIENCE_S).accepted_sequence

    def asked(self, tenant: str) -> Mapping[str, int]:
        answer = self._stub.GetSnapshot(pb.GetSnapshotRequest(), metadata=keys.bearer(tenant), timeout=PATIENCE_S)
        return progress(answer.snapshot)

    def watch(self, tenant: str) -> Iterator[pb.WatchResponse]:
        return iter(self._stub.Watch(pb.WatchRequest(), metadata=keys.bearer(tenant), timeout=PATIENCE_S))

    def until_watched(self, tenant: str, wanted: Mapping[str, int]) -> list[Mapping[str, int]]:
        """What the tenant's watcher is told from now on until it is `wanted`."""
        told: list[Mapping[str, int]] = []
        for response in self.watch(tenant):
            told.append(progress(response.snapshot))
            if told[-1] == wanted:
                break
        return told


def progress(snapshot: pb.Snapshot) -> Mapping[str, int]:
    return {reporter.reporter_id: reporter.merged_sequence for reporter in snapshot.reporters}


def test_who_reports_first_by_a_routers_id_does_not_speak_for_it(guarded_stage: Stage) -> None:
    with grpc.insecure_channel(guarded_stage.tcp) as channel:
        feed = Feed(channel)
        assert feed.report("meddler", 5) == 5
        feed.until_watched("meddler", {VICTIM: 5})
        assert feed.asked("honest") == {}, "nothing of the honest router's has come"
        assert feed.report("honest", 3) == 3
        told = feed.until_watched("honest", {VICTIM: 3})
        assert all(each in ({}, {VICTIM: 3}) for each in told)
        assert (feed.asked("honest"), feed.asked("meddler")) == ({VICTIM: 3}, {VICTIM: 5})


def test_a_watcher_comes_again_once_its_key_is_another_tenants(guarded_stage: Stage) -> None:
    with grpc.insecure_channel(guarded_stage.tcp) as channel:
        feed = Feed(channel)
        feed.report("honest", 3)
        feed.until_watched("honest", {VICTIM: 3})
        watching = feed.watch("honest")
        next(watching)
        rename(guarded_stage.directory / "signalbox.yaml", "honest", "renamed")
        for _ in watching:
            pass  # until it ends by itself: an error, or no end in time, would be raised
        assert feed.asked("honest") == {}


def rename(config: Path, before: str, after: str) -> None:
    """Give a tenant another name and leave it its key; in one step, as editors and deployments do it."""
    draft = config.with_suffix(".draft")
    draft.write_text(config.read_text().replace(before, after))
    draft.replace(config)
