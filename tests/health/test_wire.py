"""The wire form: what goes through it unchanged, and what is refused whole with the field that is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
from google.protobuf.duration_pb2 import Duration
from signalbox.v1 import chat_pb2
from signalbox.v1 import health_feed_pb2 as pb

from router_service.core.health import (
    Latency,
    ProbeSpan,
    ProbeTiming,
    ProviderHealth,
    QuotaWindow,
    Snapshot,
    State,
    TargetHealth,
)
from router_service.core.outcome import BlockReason, Outcome
from router_service.core.tally import Report, Tally
from router_service.health.wire import snapshot_from_message, snapshot_to_message
from router_service.health.wire_limits import Corrupt
from router_service.health.wire_report import report_from_message, report_to_message

KNOWN = frozenset({"alder/small", "birch/small"})
LATENCY = Latency(p50_s=0.5, p90_s=1.0, p95_s=1.25, p99_s=2.0, mean_s=0.625)

WINDOWS = (
    QuotaWindow(unit="requests/minute", limit=30, remaining=12, resets_in_s=0.0),
    QuotaWindow(unit="tokens/day", limit=2**62, remaining=0, resets_in_s=3600.5, models=("small",), is_free=True),
    QuotaWindow(unit="usd_nanos", limit=5_000_000_000, remaining=1),
)

FULL = Snapshot(
    epoch=3,
    sequence=17,
    prober_id="prober-0f",
    produced_time=1_795_000_000.5,
    targets={
        "alder/small": TargetHealth(
            target="alder/small",
            state=State.RECOVERING,
            state_age_s=2.5,
            traffic_share=0.25,
            success_rate=0.75,
            success_rate_lower=0.5,
            consecutive_failures=2,
            samples=12.5,
            in_flight=4,
            latency=LATENCY,
            time_to_first_token=LATENCY,
            output_tokens_per_second=80.5,
            last_error="SERVER_ERROR 503",
            last_probe_time=1_795_000_000.0,
            last_probe=ProbeTiming(connect_s=0.25, tls_s=0.5, first_byte_s=0.125, total_s=1.0, status_code=503),
            probe_span=ProbeSpan(trace_id=b"t" * 16, span_id=b"s" * 8),
        ),
        "birch/small": TargetHealth(target="birch/small"),
    },
    providers={
        "alder": ProviderHealth(provider="alder", blocked_for_s=30.0, block_reason=BlockReason.MONEY),
        "birch": ProviderHealth(provider="birch", windows=WINDOWS),
    },
    merged_sequences={"router-1-of-2": 9},
)


def test_a_snapshot_goes_through_unchanged() -> None:
    message = pb.Snapshot.FromString(snapshot_to_message(FULL).SerializeToString())
    assert snapshot_from_message(message, known=KNOWN) == FULL


@pytest.mark.parametrize("state", State)
def test_every_state_goes_through(state: State) -> None:
    message = snapshot_to_message(
        Snapshot(epoch=1, sequence=1, targets={"a/m": TargetHealth(target="a/m", state=state)})
    )
    assert snapshot_from_message(message, known=None).targets["a/m"].state is state


def test_a_state_of_a_newer_version_counts_as_unknown() -> None:
    message = snapshot_to_message(FULL)
    message.targets[0].state = 99  # type: ignore[assignment]
    assert snapshot_from_message(message, known=KNOWN).targets["alder/small"].state is State.UNKNOWN


def test_a_block_for_a_reason_of_a_newer_version_blocks() -> None:
    message = snapshot_to_message(FULL)
    message.providers[0].block_reason = 99  # type: ignore[assignment]
    assert snapshot_from_message(message, known=KNOWN).providers["alder"].blocked_for_s == 30.0


SnapshotDamage = Callable[[pb.Snapshot], object]


def _share(value: float) -> SnapshotDamage:
    return lambda m: setattr(m.targets[0], "traffic_share", value)


SNAPSHOT_DAMAGES: list[tuple[str, str, SnapshotDamage]] = [
    ("no epoch", "epoch", lambda m: m.ClearField("epoch")),
    ("a negative sequence", "sequence", lambda m: setattr(m, "sequence", -1)),
    ("a share that is no number", "targets[0].traffic_share", _share(math.nan)),
    ("an infinite share", "targets[0].traffic_share", _share(math.inf)),
    ("a negative share", "targets[0].traffic_share", _share(-0.1)),
    ("a share over 1", "targets[0].traffic_share", _share(1.5)),
    ("a huge sample count", "targets[0].samples", lambda m: setattr(m.targets[0], "samples", 1e308)),
    (
        "negative failures",
        "targets[0].consecutive_failures",
        lambda m: setattr(m.targets[0], "consecutive_failures", -1),
    ),
    ("a negative latency", "targets[0].latency.p95", lambda m: m.targets[0].latency.p95.CopyFrom(Duration(seconds=-1))),
    (
        "an absurd latency",
        "targets[0].time_to_first_token.p50",
        lambda m: m.targets[0].time_to_first_token.p50.CopyFrom(Duration(seconds=10**9)),
    ),
    ("a negative age", "targets[0].state_age", lambda m: m.targets[0].state_age.CopyFrom(Duration(nanos=-1))),
    ("half a span", "targets[0].probe_span", lambda m: m.targets[0].probe_span.ClearField("span_id")),
    ("a span of wrong length", "targets[0].probe_span", lambda m: setattr(m.targets[0].probe_span, "trace_id", b"x")),
    (
        "an absurd status",
        "targets[0].last_probe.status_code",
        lambda m: setattr(m.targets[0].last_probe, "status_code", -5),
    ),
    ("a vendor's page as error", "targets[0].last_error", lambda m: setattr(m.targets[0], "last_error", "x" * 129)),
    ("an error that breaks the log", "targets[0].last_error", lambda m: setattr(m.targets[0], "last_error", "a\nb")),
    ("an unknown target", "targets", lambda m: setattr(m.targets[0], "target", "yew/small")),
    ("a target twice", "targets", lambda m: m.targets.append(m.targets[0])),
    ("an unknown provider", "providers", lambda m: setattr(m.providers[0], "provider", "yew")),
    (
        "an endless block",
        "providers[0].blocked_for",
        lambda m: m.providers[0].blocked_for.CopyFrom(Duration(seconds=301)),
    ),
    ("a block without a reason", "providers[0].block_reason", lambda m: m.providers[0].ClearField("block_reason")),
    ("a reporter without a name", "reporters[0].reporter_id", lambda m: m.reporters[0].ClearField("reporter_id")),
    (
        "a reporter that never reported",
        "reporters[0].merged_sequence",
        lambda m: m.reporters[0].ClearField("merged_sequence"),
    ),
    ("over 4 MiB", "snapshot", lambda m: setattr(m, "prober_id", "x" * (4 * 1024 * 1024))),
]


@pytest.mark.parametrize(("field", "damage"), [d[1:] for d in SNAPSHOT_DAMAGES], ids=[d[0] for d in SNAPSHOT_DAMAGES])
def test_a_corrupt_snapshot_is_refused_whole(field: str, damage: SnapshotDamage) -> None:
    message = snapshot_to_message(FULL)
    damage(message)
    with pytest.raises(Corrupt) as caught:
        snapshot_from_message(message, known=KNOWN)
    assert caught.value.field == field


def tally() -> Tally:
    made = Tally(in_flight=2)
    for outcome, latency_s in (
        (Outcome.OK, 0.5),
        (Outcome.OK, 2.0),
        (Outcome.TIMEOUT, 15.0),
        (Outcome.RATE_LIMITED, 0.1),
    ):
        made.add(
            outcome,
            latency_s=latency_s,
            time_to_first_token_s=0.25 if outcome is Outcome.OK else None,
            output_tokens=20,
            error=outcome.name,
        )
    made.block(BlockReason.RATE_LIMITED, for_s=2.5)
    return made


def report(sequence: int = 4) -> Report:
    return Report(
        reporter_id="router-1-of-2",
        sequence=sequence,
        tallies={"alder/small": tally()},
        age_s=1.5,
        windows={"birch": WINDOWS},
    )


def test_a_report_goes_through_unchanged() -> None:
    message = pb.ReportRequest.FromString(report_to_message(report()).SerializeToString())
    found = report_from_message(message, known=KNOWN)
    assert (found.reporter_id, found.sequence, found.age_s) == ("router-1-of-2", 4, 1.5)
    there, back = tally(), found.tallies["alder/small"]
    assert back.outcomes == there.outcomes
    assert back.latency.summary() == there.latency.summary()
    assert back.time_to_first_token.summary() == there.time_to_first_token.summary()
    assert (back.output_tokens, back.output_s) == (there.output_tokens, there.output_s)
    assert (back.leading_failures, back.longest_failures) == (there.leading_failures, there.longest_failures)
    assert (back.trailing_failures, back.in_flight, back.last_error) == (1, 2, "TIMEOUT")
    assert (back.blocked_for_s, back.block_reason) == (2.5, BlockReason.RATE_LIMITED)
    assert found.windows == {"birch": WINDOWS}


def test_windows_of_a_provider_that_is_not_configured_here_are_left_out() -> None:
    made = Report(reporter_id="router-1", sequence=1, tallies={}, windows={"yew": WINDOWS, "alder": WINDOWS[:1]})
    assert report_from_message(report_to_message(made), known=KNOWN).windows == {"alder": WINDOWS[:1]}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_goes_through(outcome: Outcome) -> None:
    made = Report(reporter_id="router-1", sequence=1, tallies={"alder/small": Tally(outcomes=Counter({outcome: 3}))})
    assert report_from_message(report_to_message(made), known=KNOWN).tallies["alder/small"].outcomes == {outcome: 3}


def test_an_outcome_of_a_newer_version_is_left_out() -> None:
    message = report_to_message(report())
    message.targets[0].outcomes[0].outcome = 99  # type: ignore[assignment]
    found = report_from_message(message, known=KNOWN).tallies["alder/small"]
    assert (found.good, found.bad) == (0, 1)


def test_a_report_older_than_five_minutes_is_sent_as_of_five_minutes() -> None:
    made = Report(reporter_id="router-1", sequence=1, tallies={}, age_s=300.4)
    assert report_from_message(report_to_message(made), known=KNOWN).age_s == 300.0


ReportDamage = Callable[[pb.ReportRequest], object]

REPORT_DAMAGES: list[tuple[str, str, ReportDamage]] = [
    ("no reporter", "reporter_id", lambda m: m.ClearField("reporter_id")),
    ("a reporter with spaces", "reporter_id", lambda m: setattr(m, "reporter_id", "router one of two")),
    ("no sequence", "sequence", lambda m: m.ClearField("sequence")),
    ("an unknown target", "targets[0].target", lambda m: setattr(m.targets[0], "target", "yew/small")),
    ("a target twice", "targets[1].target", lambda m: m.targets.append(m.targets[0])),
    ("a negative count", "targets[0].outcomes[0].count", lambda m: setattr(m.targets[0].outcomes[0], "count", -1)),
    ("no outcome", "targets[0].outcomes[0].outcome", lambda m: m.targets[0].outcomes[0].ClearField("outcome")),
    (
        "seconds that are no number",
        "targets[0].output_seconds",
        lambda m: setattr(m.targets[0], "output_seconds", math.nan),
    ),
    ("negative tokens", "targets[0].output_tokens", lambda m: setattr(m.targets[0], "output_tokens", -1)),
    ("an endless sum", "targets[0].latency.sum_seconds", lambda m: setattr(m.targets[0].latency, "sum_seconds", 1e308)),
    (
        "a bucket too far",
        "targets[0].latency.bucket_indexes",
        lambda m: m.targets[0].latency.bucket_indexes.__setitem__(0, 192),
    ),
    (
        "buckets out of order",
        "targets[0].latency.bucket_indexes",
        lambda m: m.targets[0].latency.bucket_indexes.__setitem__(0, 191),
    ),
    (
        "an empty bucket",
        "targets[0].latency.bucket_counts",
        lambda m: m.targets[0].latency.bucket_counts.__setitem__(0, 0),
    ),
    (
        "buckets without counts",
        "targets[0].latency.bucket_counts",
        lambda m: m.targets[0].latency.ClearField("bucket_counts"),
    ),
    (
        "an endless block",
        "targets[0].blocked_for",
        lambda m: m.targets[0].blocked_for.CopyFrom(Duration(seconds=10**6)),
    ),
    ("a negative block", "targets[0].blocked_for", lambda m: m.targets[0].blocked_for.CopyFrom(Duration(seconds=-1))),
    ("an old report", "age", lambda m: m.age.CopyFrom(Duration(seconds=301))),
    ("windows twice", "providers[1].provider", lambda m: m.providers.append(m.providers[0])),
    ("a window of nothing", "providers[0].windows[0].unit", lambda m: m.providers[0].windows[0].ClearField("unit")),
    (
        "less than nothing left",
        "providers[0].windows[0].remaining",
        lambda m: setattr(m.providers[0].windows[0], "remaining", -1),
    ),
    ("a negative limit", "providers[0].windows[1].limit", lambda m: setattr(m.providers[0].windows[1], "limit", -1)),
    (
        "a reset in the past",
        "providers[0].windows[0].resets_in",
        lambda m: m.providers[0].windows[0].resets_in.CopyFrom(Duration(seconds=-1)),
    ),
    (
        "a model without a name",
        "providers[0].windows[0].models[0]",
        lambda m: m.providers[0].windows[0].models.append(""),
    ),
    (
        "too many windows",
        "providers[0].windows",
        lambda m: m.providers[0].windows.extend([m.providers[0].windows[0]] * 256),
    ),
    ("over 1 MiB", "report", lambda m: setattr(m.targets[0], "last_error", "x" * (1024 * 1024))),
]


@pytest.mark.parametrize(("field", "damage"), [d[1:] for d in REPORT_DAMAGES], ids=[d[0] for d in REPORT_DAMAGES])
def test_a_corrupt_report_is_refused_whole(field: str, damage: ReportDamage) -> None:
    message = report_to_message(report())
    damage(message)
    with pytest.raises(Corrupt) as caught:
        report_from_message(message, known=KNOWN)
    assert caught.value.field == field


def test_every_outcome_and_state_of_the_contract_is_known() -> None:
    assert {name.removeprefix("OUTCOME_") for name in chat_pb2.Outcome.keys()} == {  # noqa: SIM118 - an enum wrapper
        "UNSPECIFIED",
        *(outcome.name for outcome in Outcome),
    }
    assert {name.removeprefix("HEALTH_STATE_") for name in pb.HealthState.keys()} == {  # noqa: SIM118
        "UNSPECIFIED",
        *(state.name for state in State),
    }
