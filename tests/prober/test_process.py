"""The prober as a process: what it finds with no traffic at all, and how it starts, stops and is reached."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from signalbox.v1 import chat_pb2, health_feed_pb2_grpc
from signalbox.v1 import health_feed_pb2 as pb

from prober.publish import EpochLost, next_epoch
from router_service.core.addresses import prober_socket
from router_service.core.health import State
from router_service.core.outcome import BlockReason
from router_service.rpc.process import MOST_OPEN_FILES
from tests.harness import settings
from tests.harness.collector import collecting
from tests.harness.processes import SLOWER_IN_CI, short_directory, wait_until
from tests.harness.shortage import short_of_files
from tests.harness.stack import refused

from .stage import CONFIRM_S, COOLDOWN_S, INTERVAL_S, NAMES, TARGETS, Stage, staged

FOUND_WITHIN_S = 1.2 * INTERVAL_S + 2 * CONFIRM_S + 0.5
"""A fault with no traffic: an interval with its jitter, two probes to confirm, and slack."""


def test_every_target_is_found_healthy_with_its_last_probe(stage: Stage) -> None:
    snapshot = stage.snapshot()
    assert set(snapshot.targets) == set(TARGETS)
    assert set(snapshot.providers) == set(NAMES)
    for health in snapshot.targets.values():
        assert health.traffic_share == 1.0
        assert health.last_probe is not None
        assert health.last_probe.connect_s > 0
        assert 0 < health.last_probe.first_byte_s <= health.last_probe.total_s
        assert health.last_probe_time > 1_700_000_000


def test_a_fault_is_found_without_traffic_and_so_is_its_end(stage: Stage) -> None:
    stage.witness.break_provider("alder", "status=503")
    assert stage.until("alder", State.UNHEALTHY) < FOUND_WITHIN_S * SLOWER_IN_CI
    assert stage.health("alder").last_error == "SERVER_ERROR 503"
    assert stage.health("birch").state is State.HEALTHY
    stage.witness.mend()
    recovering_s = stage.until("alder", State.RECOVERING)
    assert recovering_s < (COOLDOWN_S + 1.2 * INTERVAL_S + CONFIRM_S + 0.5) * SLOWER_IN_CI
    stage.until("alder", State.HEALTHY)
    assert stage.health("alder").traffic_share == 1.0


@pytest.mark.parametrize("faults", [("reset", "silence", "garbage"), ("html", "stall", "redirect=http://127.0.0.1:1/")])
def test_every_kind_of_fault_is_found(stage: Stage, faults: tuple[str, ...]) -> None:
    stage.witness.show([{"provider": name, "fault": fault} for name, fault in zip(NAMES, faults, strict=True)])
    for name in NAMES:
        stage.until(name, State.UNHEALTHY)


def test_a_provider_that_hangs_does_not_age_the_others(stage: Stage) -> None:
    stage.witness.break_provider("alder", "silence")
    stage.until("alder", State.UNHEALTHY)
    stage.witness.forget()
    before = stage.snapshot()
    wait_until(
        lambda: (
            min(sum(r.provider == name for r in stage.witness.rows(path="models")) for name in ("birch", "cedar")) >= 3
        ),
        within_s=1.2 * INTERVAL_S * 4 * SLOWER_IN_CI,
        what="the other providers were not probed on time",
    )
    after = stage.snapshot()
    for target in TARGETS[1:]:
        assert after.targets[target].last_probe_time > before.targets[target].last_probe_time
        assert after.targets[target].state is State.HEALTHY


def test_a_rate_limited_probe_is_not_a_failure(own_stage: Stage) -> None:
    own_stage.witness.break_provider("alder", "status=429")
    wait_until(
        lambda: own_stage.health("alder").last_error == "" and _last_status(own_stage) == 429, within_s=5, what="no 429"
    )
    snapshot = own_stage.snapshot()
    assert snapshot.targets["alder/chat-small"].state is State.HEALTHY
    assert snapshot.providers["alder"].block_reason is None


def test_a_prober_short_of_files_finds_nobody_down_and_probes_again(own_stage: Stage) -> None:
    with short_of_files(own_stage.prober.pid):
        wait_until(
            lambda: "open files" in own_stage.prober.stderr(), within_s=5 * SLOWER_IN_CI, what="it does not say so"
        )
    assert all(health.state is State.HEALTHY for health in own_stage.snapshot().targets.values())
    own_stage.witness.forget()
    wait_until(
        lambda: {row.provider for row in own_stage.witness.rows(path="models")} == set(NAMES),
        within_s=5 * SLOWER_IN_CI,
        what="it does not probe again",
    )
    soft, hard = resource.prlimit(own_stage.prober.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, MOST_OPEN_FILES)


def test_a_refused_key_blocks_the_provider_and_its_acceptance_frees_it(stage: Stage) -> None:
    stage.witness.break_provider("cedar", "status=401")
    wait_until(lambda: _block(stage) is BlockReason.CREDENTIALS, within_s=5, what="cedar is not blocked")
    assert stage.health("cedar").state is State.HEALTHY
    stage.witness.mend()
    wait_until(lambda: _block(stage) is None, within_s=5, what="cedar stays blocked")


@pytest.mark.parametrize(
    "unfit",
    [
        pytest.param({"key_env": "SIGNALBOX_TEST_NO_SUCH_KEY"}, id="no-key"),
        pytest.param({"enabled": False}, id="switched-off"),
        pytest.param({"dialect": "vertex"}, id="dialect-not-built"),
    ],
)
def test_a_provider_that_may_not_be_called_is_never_probed(unfit: dict[str, object]) -> None:
    def providers(address: str) -> list[dict[str, object]]:
        birch = settings.provider("birch", f"http://{address}/birch/v1") | unfit
        return [*settings.simulated(address, ("alder",)), birch, *settings.simulated(address, ("cedar",))]

    with staged(providers) as stage:
        stage.until("alder", State.HEALTHY)
        stage.until("cedar", State.HEALTHY)
        assert stage.health("birch").state is State.UNKNOWN
        assert {row.provider for row in stage.witness.rows(path="models")} == {"alder", "cedar"}


def test_snapshots_come_at_once_then_as_a_heartbeat_and_on_every_change(stage: Stage) -> None:
    with grpc.insecure_channel(stage.tcp) as channel:
        call = health_feed_pb2_grpc.HealthFeedStub(channel).Watch(pb.WatchRequest(), timeout=20)
        snapshots = (response.snapshot for response in call)
        first = next(snapshots)
        second = next(snapshots)
        assert second.sequence > first.sequence
        assert second.epoch == first.epoch
        heartbeat_s = (second.produced_time.ToNanoseconds() - first.produced_time.ToNanoseconds()) / 1e9
        assert heartbeat_s < 1.0 * SLOWER_IN_CI
        stage.witness.break_provider("alder", "status=500")
        found = next(s for s in snapshots if s.targets[0].state == pb.HEALTH_STATE_UNHEALTHY)
        assert found.targets[0].target == "alder/chat-small"
        assert found.targets[0].traffic_share == 0.0
        call.cancel()


def test_health_and_reflection_serve_on_both_addresses(stage: Stage) -> None:
    for address in (stage.socket, stage.tcp):
        with grpc.insecure_channel(address) as channel:
            for service in ("", "signalbox.v1.HealthFeed"):
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            listing = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                iter([reflection_pb2.ServerReflectionRequest(list_services="")])
            )
            names = {service.name for service in next(listing).list_services_response.service}
            assert "signalbox.v1.HealthFeed" in names


REPORTER = "router-refused"


def report(
    sequence: int = 1, *, reporter: str = REPORTER, target: str = TARGETS[0], output_seconds: float = 0.0
) -> pb.ReportRequest:
    made = pb.ReportRequest(reporter_id=reporter, sequence=sequence)
    entry = made.targets.add(target=target, output_seconds=output_seconds)
    entry.outcomes.add(outcome=chat_pb2.OUTCOME_OK, count=5)
    return made


def test_a_report_over_tcp_is_refused(stage: Stage) -> None:
    with grpc.insecure_channel(stage.tcp) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health_feed_pb2_grpc.HealthFeedStub(channel).Report(report(), timeout=5)
        error = refused(caught.value)
    assert (error.code, error.info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE")
    assert error.facts["request_id"]
    assert "socket" in error.message
    assert REPORTER not in stage.snapshot().merged_sequences


@pytest.mark.parametrize(
    ("damaged", "field"),
    [
        (report(target="yew/chat-small"), "targets[0].target"),
        (report(output_seconds=float("nan")), "targets[0].output_seconds"),
        (report(output_seconds=-1.0), "targets[0].output_seconds"),
        (report(sequence=0), "sequence"),
    ],
)
def test_a_corrupt_report_is_refused_with_the_field(stage: Stage, damaged: pb.ReportRequest, field: str) -> None:
    with grpc.insecure_channel(stage.socket) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            health_feed_pb2_grpc.HealthFeedStub(channel).Report(damaged, timeout=5)
        error = refused(caught.value)
    assert (error.code, error.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert list(error.fields) == [field]
    assert error.facts["request_id"]
    assert REPORTER not in stage.snapshot().merged_sequences


def test_a_report_is_merged_once(stage: Stage) -> None:
    before = stage.health("cedar").samples
    with grpc.insecure_channel(stage.socket) as channel:
        stub = health_feed_pb2_grpc.HealthFeedStub(channel)
        answers = [
            stub.Report(report(sequence, reporter="router-merged", target="cedar/chat-small"), timeout=5)
            for sequence in (3, 3, 2)
        ]
    assert [answer.accepted_sequence for answer in answers] == [3, 3, 3]
    assert answers[0].next_report_after.ToMilliseconds() == 100
    wait_until(lambda: "router-merged" in stage.snapshot().merged_sequences, within_s=5, what="it is not merged")
    snapshot = stage.snapshot()
    assert snapshot.merged_sequences["router-merged"] == 3
    gained = snapshot.targets["cedar/chat-small"].samples - before
    assert 3 < gained < 10  # five calls once, with a probe or two, less what was forgotten meanwhile


def test_a_restart_raises_the_epoch_and_survives_a_kill(own_stage: Stage) -> None:
    for epoch in (2, 3):
        own_stage.prober.kill()
        assert prober_socket(own_stage.directory).exists()  # left behind by the killed one
        own_stage.prober.start()
        assert own_stage.snapshot().epoch == epoch


def test_the_end_is_clean_and_quick_also_with_watchers(own_stage: Stage) -> None:
    with grpc.insecure_channel(own_stage.tcp) as channel:
        call = health_feed_pb2_grpc.HealthFeedStub(channel).Watch(pb.WatchRequest(), timeout=20)
        next(call)
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
            own_stage.prober.signal(number)
            assert own_stage.prober.wait(within_s=1.0 * SLOWER_IN_CI) == code
            own_stage.prober.start()
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
        assert refused(caught.value).code is grpc.StatusCode.UNAVAILABLE
    assert "Traceback" not in own_stage.prober.stderr()


def test_the_ready_file_and_the_directory_are_as_they_should(stage: Stage) -> None:
    ready = json.loads((stage.directory / "prober.ready").read_text())
    assert ready.pop("metrics").startswith("127.0.0.1:")
    assert ready == {"pid": stage.prober.pid, "prober": stage.tcp}
    socket = prober_socket(stage.directory)
    assert stat.S_ISSOCK(os.stat(socket).st_mode)
    assert stat.S_IMODE(os.stat(socket.parent).st_mode) == 0o700


def test_a_second_prober_on_the_same_directory_is_refused(own_stage: Stage) -> None:
    second = _run(
        own_stage.directory, "--config", str(own_stage.directory / "signalbox.yaml"), "--prober-address", "127.0.0.1:0"
    )
    assert (second.returncode, second.stderr.count("\n")) == (2, 1)
    assert "another prober" in second.stderr
    assert own_stage.snapshot().epoch == 1


def test_a_taken_port_is_refused(stage: Stage) -> None:
    with short_directory() as directory:
        second = _run(directory, "--config", str(stage.directory / "signalbox.yaml"), "--prober-address", stage.tcp)
    assert second.returncode == 2
    [line] = second.stderr.splitlines()  # gRPC's own words about it are kept back
    assert line.startswith(f"prober: cannot listen on {stage.tcp}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-such-flag"], "--no-such-flag"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--prober-address", "0.0.0.0:0"], "0.0.0.0:0"),
        (["--prober-address", "nonsense"], "nonsense"),
        (["--simulator-address", "127.0.0.1:99999"], "127.0.0.1:99999"),
        (["--ready-file", "/proc/nothing/ready"], "--ready-file: /proc/nothing/ready cannot be written: No such file"),
        (["--ready-file", "/proc"], "--ready-file: /proc cannot be written: Is a directory"),
    ],
)
def test_a_bad_start_exits_with_2_and_says_why(arguments: list[str], said: str) -> None:
    with short_directory() as directory:
        done = _run(directory, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "content", ["many", "-3", "", str(2**63 - 1), str(2**64), "9" * 5000, "\N{DIGIT ONE}\N{ARABIC-INDIC DIGIT TWO}"]
)
def test_a_spoilt_count_of_starts_is_not_guessed(tmp_path: Path, content: str) -> None:
    (tmp_path / "prober.epoch").write_text(content)
    with pytest.raises(EpochLost, match=r"prober\.epoch"):
        next_epoch(tmp_path)
    assert (tmp_path / "prober.epoch").read_text() == content


@pytest.mark.parametrize("content", [b"many", b"18446744073709551616", b"\xff\xfe\x00"])
def test_a_spoilt_count_of_starts_ends_the_prober_with_2_and_what_to_do(content: bytes) -> None:
    with short_directory() as directory:
        (directory / "prober.epoch").write_bytes(content)
        done = _run(directory, "--prober-address", "127.0.0.1:0")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "prober.epoch" in done.stderr
    assert "or remove it" in done.stderr


def test_the_count_of_starts_goes_up_to_what_a_snapshot_has_room_for(tmp_path: Path) -> None:
    (tmp_path / "prober.epoch").write_text(str(2**63 - 2))
    assert next_epoch(tmp_path) == 2**63 - 1


def test_the_count_of_starts_rises_by_one(tmp_path: Path) -> None:
    assert [next_epoch(tmp_path) for _ in range(3)] == [1, 2, 3]
    assert os.listdir(tmp_path) == ["prober.epoch"]


def test_nothing_of_the_router_is_loaded() -> None:
    code = (
        "import sys, prober.main\n"
        "bad = [m for m in sys.modules if m.startswith(('router_service.edge', 'router_service.service', "
        "'router_service.analytics', 'router_service.simulator', 'router_service.health.board'))]\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_spans_of_probes_go_to_the_collector_and_their_ids_into_snapshots() -> None:
    with collecting() as (collector, endpoint):
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        with staged(environment=environment, telemetry={"sample_ratio": 1.0}) as stage:
            stage.until_all_healthy()
            spans = [stage.health(name).probe_span for name in NAMES]
            assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
        # The end of the process sends what is left.
        assert {span.span_id for span in spans} <= {s.span.span_id for s in collector.spans}
        assert {s.service for s in collector.named("probe alder")} == {"signalbox-prober"}


def _last_status(stage: Stage) -> int:
    probe = stage.health("alder").last_probe
    return probe.status_code if probe is not None else 0


def _block(stage: Stage) -> BlockReason | None:
    return stage.snapshot().providers["cedar"].block_reason


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "prober", "--data-dir", str(directory), *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SIGNALBOX_")}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=15, check=False
    )
