"""Rows of the fault matrix for the prober and its channel that no other test has; docs/reliability.md lists all."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signalbox.v1 import chat_pb2, router_pb2
from signalbox.v1 import health_feed_pb2 as pb

from prober.merge import Picture
from prober.probe import Finding, ProbeResult
from prober.publish import Feed
from prober.schedule import LONGEST_START_S, Schedule
from router_service.core.catalog import Catalog, Model, Provider, Target
from router_service.core.health import ProbeTiming, Source, State
from router_service.core.settings import ProberSettings
from router_service.health.board import Reception
from router_service.health.wire import snapshot_from_message, snapshot_to_message
from tests.harness import settings
from tests.harness.processes import SLOWER_IN_CI, wait_until
from tests.harness.stack import routing
from tests.harness.witness import Row
from tests.health.making import TARGETS as BOARD_TARGETS
from tests.health.making import BoardRig, snapshot

from .stage import NAMES, Stage, connected, staged

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = tuple(Provider(name=name, dialect="openai", base_url="http://127.0.0.1:1") for name in NAMES)
CATALOG = Catalog(tuple(Target(provider, Model(id="small")) for provider in PROVIDERS))


def test_p01_without_a_prober_the_router_serves_and_says_that_nothing_is_known() -> None:
    with routing() as stack:
        message = chat_pb2.Message(role=chat_pb2.ROLE_USER, content="Hello")
        plan = stack.stub.Route(router_pb2.RouteRequest(messages=[message]), timeout=5).plan
        assert plan.snapshot.source == router_pb2.SNAPSHOT_SOURCE_NONE
        assert plan.target
        assert stack.stub.Complete(router_pb2.CompleteRequest(messages=[message]), timeout=5).target


def test_p06_two_probers_of_one_epoch_are_named_once_and_the_newest_sequence_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = BoardRig()
    with caplog.at_level(logging.WARNING):
        for sequence in range(1, 7):
            made = replace(snapshot(sequence), prober_id=f"prober-{sequence % 2}")
            assert rig.accept(made) is Reception.TAKEN
        assert rig.accept(replace(snapshot(4), prober_id="prober-0")) is Reception.NOT_NEWER
    assert [r.message for r in caplog.records if "share epoch" in r.message] == [
        "two probers share epoch 1: prober-1 and prober-0; the higher sequence counts. Stop one of them"
    ]
    assert rig.board.snapshot_info().sequence == 6


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5), st.sampled_from(State)), min_size=1, max_size=12),
    st.randoms(),
)
def test_p07_the_order_in_which_snapshots_arrive_does_not_matter(
    made: list[tuple[int, int, State]], rng: Random
) -> None:
    """Each (epoch, sequence) is one whole state; some come twice, some never, in any order."""
    states = {(epoch, sequence): state for epoch, sequence, state in made}
    arriving = [*states, *rng.sample(list(states), len(states) // 2)]
    rng.shuffle(arriving)
    rig = BoardRig()
    for epoch, sequence in arriving:
        rig.accept(snapshot(sequence, epoch=epoch, alder=states[epoch, sequence]))
    newest = max(states)
    info = rig.board.snapshot_info()
    assert (info.epoch, info.sequence) == newest
    straight = BoardRig()
    straight.accept(snapshot(newest[1], epoch=newest[0], alder=states[newest]))
    assert rig.after(10.0).state("alder/small") is straight.after(10.0).state("alder/small")


def test_p09_a_provider_that_fails_every_second_probe_does_not_flap() -> None:
    settings = ProberSettings()
    picture, changes = Picture(CATALOG, settings, now=0.0), []
    last = State.UNKNOWN
    for i in range(200):
        now = i * settings.confirm_s
        timing = ProbeTiming(is_ok=i % 2 == 0)
        finding = Finding.GOOD if timing.is_ok else Finding.BAD
        picture.probed(ProbeResult(provider="alder", finding=finding, timing=timing), now)
        made = picture.snapshot(now, epoch=1, sequence=1, prober_id="p", wall_time=0.0)
        if (state := made.targets["alder/small"].state) is not last:
            changes.append(now)
            last = state
    assert all(later - earlier >= settings.rules.min_dwell_s for earlier, later in pairwise(changes[1:]))
    assert last in (State.HEALTHY, State.DEGRADED)


@pytest.mark.parametrize("wrong_by_s", [-3600.0, 3600.0, -1e9])
def test_p14_a_clock_that_is_wrong_ages_nothing(wrong_by_s: float) -> None:
    rig = BoardRig()
    for sequence in (1, 2, 3):
        made = replace(snapshot(sequence, alder=State.DEGRADED), produced_time=max(0.0, 1.79e9 + wrong_by_s))
        assert rig.accept(made) is Reception.TAKEN
        rig.after(1.0)
    info = rig.board.snapshot_info()
    assert (info.source, info.age_s) == (Source.PROBER, 1.0)
    assert rig.state("alder/small") is State.DEGRADED


@pytest.mark.anyio
async def test_p15_probers_that_start_together_do_not_probe_together() -> None:
    """Twenty probers of three providers each, as after a deployment: their first probes are spread over a second."""
    at: list[float] = []
    are_all = asyncio.Event()

    async def probe(provider: Provider) -> ProbeResult:
        at.append(time.monotonic())
        if len(at) == 60:
            are_all.set()
        return ProbeResult(provider=provider.name, finding=Finding.GOOD, timing=ProbeTiming(is_ok=True))

    settings, began = ProberSettings(interval_s=60.0), time.monotonic()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        running = [
            group.create_task(
                Schedule(
                    PROVIDERS,
                    settings,
                    picture=Picture(CATALOG, settings, now=began),
                    probe=probe,
                    changed=lambda: None,
                    rng=Random(seed),
                    clock=time.monotonic,
                ).run()
            )
            for seed in range(20)
        ]
        await are_all.wait()
        for task in running:
            task.cancel()
    per_tenth = Counter(int((each - began) / (LONGEST_START_S / 10)) for each in at)
    assert max(per_tenth.values()) <= 20, per_tenth


PRICES = {"alder": (0.01, 10.0), "birch": (0.01, 10.0), "cedar": (0.01, 100.0)}
"""In USD per million tokens: one token of cedar's costs more than the cap."""
CAP_USD = 0.00006


def priced(address: str) -> list[dict[str, object]]:
    return [settings.provider(name, f"http://{address}/{name}/v1", prices=PRICES[name]) for name in NAMES]


def spent_usd(rows: Sequence[Row]) -> float:
    costs = [PRICES[row.provider] for row in rows]
    return sum(r.input_tokens * into + r.output_tokens * out for r, (into, out) in zip(rows, costs, strict=True)) / 1e6


@pytest.mark.slow
def test_p15_the_cap_on_deep_probes_is_kept_by_the_providers_own_log_also_across_kills() -> None:
    with staged(priced, deep={"enabled": True, "max_usd_per_day": CAP_USD, "interval_s": 0.05}) as stage:
        for least in (2, 4):
            _wait_for_rows(stage, path="chat", provider="alder", least=least)
            stage.prober.kill()
            stage.prober.start()
        probes = _until_still(stage)
        assert {row.provider for row in probes} == {"alder", "birch"}
        assert {row.output_tokens for row in probes} == {1}
        for name in ("alder", "birch"):
            assert spent_usd([row for row in probes if row.provider == name]) <= CAP_USD


def _until_still(stage: Stage) -> Sequence[Row]:
    """Until cheap probes have come, a few of each provider, and no deep one with them."""
    before, rows = -1, stage.witness.rows()
    began = time.monotonic()
    while len(rows) > before:
        assert time.monotonic() - began < 30 * SLOWER_IN_CI, "deep probes do not end"
        before, seen = len(rows), len(stage.witness.rows(path="models"))
        _wait_for_rows(stage, path="models", least=seen + 12)
        rows = stage.witness.rows()
    return rows


def _wait_for_rows(stage: Stage, *, path: str, least: int, provider: str = "") -> None:
    wait_until(
        lambda: sum(provider in ("", row.provider) for row in stage.witness.rows(path=path)) >= least,
        within_s=10 * SLOWER_IN_CI,
        what=f"{path} is not asked {least} times",
    )


def test_p11_a_model_that_fails_alone_is_found_and_its_return_is_shown_by_deep_probes() -> None:
    """Its list of models answers all the while, and nobody calls it."""
    with staged(deep={"enabled": True, "max_usd_per_day": 1.0, "interval_s": 0.2}) as stage:
        stage.until_all_healthy()
        stage.witness.break_provider("alder", "status=503", path="chat")
        stage.until("alder", State.UNHEALTHY)
        assert stage.health("alder").last_error == "SERVER_ERROR 503"
        assert stage.health("birch").state is State.HEALTHY
        stage.witness.mend()
        stage.until("alder", State.RECOVERING)
        stage.until("alder", State.HEALTHY)


def test_p16_an_older_reader_ignores_what_a_newer_prober_adds() -> None:
    message = snapshot_to_message(snapshot(4, epoch=2, alder=State.DEGRADED))
    unknown = b"\xba\x3e\x05extra"  # field 999, five bytes
    newer = pb.Snapshot.FromString(message.SerializeToString() + unknown)
    newer.targets[0].MergeFromString(unknown)
    newer.providers.add(provider="alder").MergeFromString(unknown)
    read = snapshot_from_message(pb.Snapshot.FromString(newer.SerializeToString()), known=BOARD_TARGETS)
    assert (read.order, read.targets["alder/small"].state) == ((2, 4), State.DEGRADED)


def test_p16_a_newer_reader_does_without_what_an_older_prober_leaves_out() -> None:
    older = pb.Snapshot(epoch=1, sequence=1)
    older.targets.add(target="alder/small", state=pb.HEALTH_STATE_HEALTHY, traffic_share=1.0)
    older.providers.add(provider="alder")
    read = snapshot_from_message(older, known=BOARD_TARGETS)
    assert read.targets["alder/small"].last_probe is None
    assert read.providers["alder"].windows == ()


class Reader:
    """Stands in for a call's context, and keeps what it is sent first."""

    def __init__(self) -> None:
        self.got: asyncio.Future[pb.WatchResponse] = asyncio.get_running_loop().create_future()

    async def write(self, message: pb.WatchResponse) -> None:
        self.got.set_result(message)


@pytest.mark.anyio
async def test_p17_a_hundred_readers_are_sent_one_message_that_is_made_once() -> None:
    settings = ProberSettings()
    feed = Feed(Picture(CATALOG, settings, now=0.0), settings, epoch=1, prober_id="prober-1", clock=lambda: 0.0)
    readers = [Reader() for _ in range(100)]
    async with asyncio.TaskGroup() as group:
        watching = [
            group.create_task(feed.Watch(pb.WatchRequest(), reader))  # type: ignore[arg-type]
            for reader in readers
        ]
        sent = [await reader.got for reader in readers]
        for task in watching:
            task.cancel()
    assert all(message is sent[0] for message in sent)


@pytest.mark.anyio
async def test_d06_an_address_where_another_service_listens_changes_nothing_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        with caplog.at_level(logging.INFO):
            async with connected(f"127.0.0.1:{port}") as line:
                await line.until(lambda: "UNIMPLEMENTED" in caplog.text, within_s=3, what="it is not said")
                await asyncio.sleep(0.5)  # several tries
                assert line.board.snapshot_info().source is Source.NONE
                assert all(line.state(name) is State.UNKNOWN for name in NAMES)
    finally:
        await server.stop(None)
    assert caplog.text.count("UNIMPLEMENTED") == 1


def rows_of_the_page() -> dict[str, list[str]]:
    """The rows of the prober's tables in docs/reliability.md, and the tests that each names."""
    page = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| ((?:P|D)\d\d) \|.*\|([^|]*)\|$", page, re.MULTILINE)
    return {row: re.findall(r"`([^`]+)`", tests) for row, tests in rows}


def test_every_row_is_on_the_page_and_names_tests_that_exist() -> None:
    rows = rows_of_the_page()
    assert list(rows) == [f"P{n:02}" for n in range(1, 18)] + [f"D{n:02}" for n in range(1, 11)]
    for row, tests in rows.items():
        assert tests or row == "D09", f"{row} names no test"
        for named in tests:
            file, _, function = named.partition("::")
            source = (ROOT / "tests" / file).read_text()
            assert re.search(rf"^(async )?def {function}\b", source, re.MULTILINE), f"{row}: {named} does not exist"
