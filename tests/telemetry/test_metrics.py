"""The figures, held against those who know better: what the callers saw, and the simulator's own log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
from signalbox_client import Client, SignalboxError

from tests.harness import processes, settings
from tests.harness.collector import Collector, collecting
from tests.harness.metrics import Figures, scraped
from tests.harness.processes import Process, wait_until
from tests.harness.witness import Witness

CANARY = "canary-prompt-5520"
ROUTER, PROBER = "signalbox-router", "signalbox-prober"
LIMITS = [{"unit": "requests", "per": "minute", "max": 500}]
OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "200"}


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked and heard, and everybody's figures at the end."""

    page: Figures
    prober_page: Figures
    collector: Collector
    witness: Witness
    router: Process
    cost_usd_nanos: int
    codes: Counter[str]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Some good calls, some that fall back, some refused, two streams; and then the figures."""
    with ExitStack() as stack:
        directory = stack.enter_context(processes.short_directory())
        collector, endpoint = stack.enter_context(collecting())
        simulator = processes.simulator(directory)
        stack.enter_context(processes.running(simulator))
        providers = settings.simulated(simulator.ready["simulator"], ("alder", "birch"))
        providers[0]["limits"] = LIMITS
        telemetry = {"otlp_endpoint": endpoint, "sample_ratio": 0}
        config = settings.write(directory, providers, telemetry=telemetry, budgets={"daily_usd": 10})
        prober = processes.prober(directory, config)
        prober.environment = OFTEN
        router = processes.router(directory, config, environment=OFTEN)
        stack.enter_context(processes.running(prober, router))
        witness = stack.enter_context(Witness(simulator.ready["simulator"]))
        client = stack.enter_context(Client(router.ready["router"]))
        cost_usd_nanos, codes = _ask(client, witness)
        metrics = router.ready["metrics"]
        wait_until(lambda: scraped(metrics).has("signalbox_snapshot_age_seconds"), within_s=10, what="a snapshot")
        page = scraped(metrics)
        prober_page = scraped(prober.ready["metrics"])
        yield Run(page, prober_page, collector, witness, router, cost_usd_nanos, codes)


def _ask(client: Client, witness: Witness) -> tuple[int, Counter[str]]:
    cost, codes = 0, Counter[str]()
    for model in ["alder/chat-small"] * 3 + ["birch/chat-small"] * 2:
        cost += client.complete(CANARY, model=model).cost_usd_nanos
        codes["OK"] += 1
    for _ in range(2):
        stream = client.stream(CANARY, max_output_tokens=5)
        assert "".join(stream.text())
        assert stream.done is not None
        cost += stream.done.response.cost_usd_nanos
    witness.break_provider("alder", "status=503")
    answer = client.complete(CANARY)
    assert [a.target for a in answer.attempts] == ["alder/chat-small", "birch/chat-small"]
    codes["OK"] += 1
    cost += answer.cost_usd_nanos
    for bad in ({"model": CANARY}, {"max_output_tokens": -1}):
        with pytest.raises(SignalboxError) as refused:
            client.complete(CANARY, **bad)
        codes[refused.value.code.name] += 1
    witness.mend()
    return cost, codes


def test_every_upstream_call_is_an_attempt(run: Run) -> None:
    rows = run.witness.rows()
    seen = Counter((row.provider, "ok" if row.status == 200 else "server_error") for row in rows)
    counted = {
        (target.partition("/")[0], outcome): int(count)
        for target in run.page.by("signalbox_attempts_total", "target")
        for outcome, count in run.page.by("signalbox_attempts_total", "outcome", target=target).items()
    }
    assert counted == seen
    assert run.page.value("gen_ai_client_operation_duration_seconds_count") == len(rows)
    assert run.page.value("gen_ai_client_operation_duration_seconds_count", error_type="UPSTREAM_5XX") == 1


def test_tokens_are_those_that_were_billed(run: Run) -> None:
    good = [row for row in run.witness.rows() if row.status == 200]
    name = "gen_ai_client_token_usage_sum"
    for provider in ("alder", "birch"):
        rows = [row for row in good if row.provider == provider]
        figures = run.page.by(name, "gen_ai_token_type", gen_ai_provider_name=provider)
        assert figures == {"input": sum(r.input_tokens for r in rows), "output": sum(r.output_tokens for r in rows)}


def test_cost_is_the_sum_of_the_bills(run: Run) -> None:
    assert run.cost_usd_nanos > 0
    assert run.page.value("signalbox_cost_usd_total") == pytest.approx(run.cost_usd_nanos / 1e9)


def test_calls_end_as_their_callers_saw(run: Run) -> None:
    name, method = "rpc_server_call_duration_seconds_count", "signalbox.v1.Router/Complete"
    assert run.page.by(name, "rpc_response_status_code", rpc_method=method) == run.codes
    assert run.page.value(name, rpc_method="signalbox.v1.Router/StreamComplete") == 2
    outcomes = run.page.by("signalbox_requests_total", "outcome", kind="unary")
    assert outcomes == {"OK": run.codes["OK"], "UNKNOWN_TARGET": 1, "INVALID_REQUEST": 1}


def test_a_fallback_names_the_target_that_was_left(run: Run) -> None:
    assert run.page.by("signalbox_fallbacks_total", "target") == {"alder/chat-small": 1.0}


def test_streams_tell_when_they_began(run: Run) -> None:
    assert run.page.value("gen_ai_server_time_to_first_token_seconds_count") == 2
    assert run.page.value("gen_ai_client_operation_time_to_first_chunk_seconds_count") == 2


def test_own_part_is_counted_once_for_each_request(run: Run) -> None:
    requests = run.page.value("signalbox_requests_total")
    assert run.page.value("signalbox_request_overhead_seconds_count") == requests
    assert run.page.by("signalbox_overhead_seconds_count", "stage") == {
        "read": requests,
        "plan": requests,
        "call": requests,
    }
    total = run.page.value("signalbox_request_overhead_seconds_sum")
    assert run.page.value("signalbox_overhead_seconds_sum") == pytest.approx(total)


def test_gauges_tell_how_it_stands(run: Run) -> None:
    assert run.page.value("signalbox_in_flight") == 0
    assert 0 <= run.page.value("signalbox_snapshot_age_seconds") < 5
    calls = sum(row.provider == "alder" for row in run.witness.rows())
    labels = {"provider": "alder", "unit": "requests", "per": "minute", "kind": "limit"}
    left = run.page.value("signalbox_quota_remaining", **labels)
    assert run.page.value("signalbox_quota_limit", **labels) == 500
    assert 500 - 2 * calls <= left <= 500  # a minute may have turned meanwhile, and its edges count on both sides
    spent = run.page.value("signalbox_budget_limit_usd") - run.page.value("signalbox_budget_remaining_usd")
    assert 0 <= spent <= run.cost_usd_nanos / 1e9 + 1e-9


def test_the_prober_counts_its_probes_and_knows_its_states(run: Run) -> None:
    assert run.prober_page.value("signalbox_probes_total", provider="birch", finding="good") >= 1
    states = run.prober_page.by("signalbox_target_state", "state", target="birch/chat-small")
    assert sum(states.values()) == 1
    assert run.prober_page.value("signalbox_watchers") == 1
    assert run.prober_page.value("signalbox_snapshots_published_total") > 1
    phases = run.prober_page.by("signalbox_probe_phase_duration_seconds_count", "phase")
    assert {"connect", "first_byte"} <= phases.keys()


def test_the_collector_gets_the_same_figures(run: Run) -> None:
    metrics = run.collector.metrics
    attempts = run.page.value("signalbox_attempts_total")
    wait_until(
        lambda: metrics.value(ROUTER, "signalbox.attempts") == attempts, within_s=10, what="the last figures arrive"
    )
    errors = metrics.value(ROUTER, "gen_ai.client.operation.duration", error_type="UPSTREAM_5XX")
    assert errors == run.page.value("gen_ai_client_operation_duration_seconds_count", error_type="UPSTREAM_5XX")
    assert metrics.value(ROUTER, "signalbox.cost.usd") == pytest.approx(run.cost_usd_nanos / 1e9)
    assert metrics.newest[ROUTER, "gen_ai.client.operation.duration"].metric.unit == "s"
    wait_until(lambda: metrics.value(PROBER, "signalbox.probes") > 0, within_s=10, what="the prober's figures arrive")


def test_nothing_that_a_caller_wrote_is_a_label(run: Run) -> None:
    page = httpx.get(f"http://{run.router.ready['metrics']}/metrics", timeout=5, trust_env=False).text
    assert CANARY not in page
    assert not [m for m in run.collector.metrics.newest.values() if CANARY in str(m.metric)]
