"""`signalbox top`: what happens at the router, by its page of metrics, and what of it all stands on a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO

import pytest
from rich.console import Console
from signalbox.v1.health_feed_pb2 import (
    BLOCK_REASON_RATE_LIMITED,
    HEALTH_STATE_DEGRADED,
    HEALTH_STATE_HEALTHY,
    HEALTH_STATE_UNHEALTHY,
    HealthState,
    Snapshot,
)

from router_service.commands.metrics_page import BudgetFigure, CannotRead, Reading, read
from router_service.commands.top_screen import View, ago, rate
from router_service.commands.traffic import Readings, TargetTraffic, Traffic, quantile

INFINITY = float("inf")
PAGE = """\
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1000.5
# TYPE signalbox_in_flight gauge
signalbox_in_flight{} 2
# TYPE signalbox_requests_total counter
signalbox_requests_total{kind="unary",outcome="OK"} 90
signalbox_requests_total{kind="stream",outcome="OK"} 6
signalbox_requests_total{kind="unary",outcome="UPSTREAM_TIMEOUT"} 4
# TYPE signalbox_attempts_total counter
signalbox_attempts_total{target="alder/small",outcome="ok"} 96
signalbox_attempts_total{target="alder/small",outcome="server_error"} 4
# TYPE signalbox_fallbacks_total counter
signalbox_fallbacks_total{target="alder/small",outcome="server_error"} 3
# TYPE signalbox_cost_usd_total counter
signalbox_cost_usd_total{provider="alder"} 0.5
signalbox_cost_usd_total{provider="birch"} 0.25
# TYPE rpc_server_call_duration_seconds histogram
rpc_server_call_duration_seconds_bucket{rpc_method="signalbox.v1.Router/Complete",le="0.1"} 50
rpc_server_call_duration_seconds_bucket{rpc_method="signalbox.v1.Router/Complete",le="+Inf"} 60
rpc_server_call_duration_seconds_bucket{rpc_method="signalbox.v1.Router/StreamComplete",le="0.1"} 5
rpc_server_call_duration_seconds_bucket{rpc_method="signalbox.v1.Router/StreamComplete",le="+Inf"} 40
rpc_server_call_duration_seconds_bucket{rpc_method="grpc.health.v1.Health/Check",le="+Inf"} 999
# TYPE signalbox_budget_limit_usd gauge
signalbox_budget_limit_usd{owner="server",per="day"} 10
signalbox_budget_limit_usd{owner="provider",name="alder",per="day"} 1
# TYPE signalbox_budget_remaining_usd gauge
signalbox_budget_remaining_usd{owner="server",per="day"} 9.5
signalbox_budget_remaining_usd{owner="provider",name="alder",per="day"} -0.1
"""


@contextmanager
def _page(text: str, status: int = 200) -> Iterator[str]:
    """The address of a server that has a page of metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_page_is_read_over_all_kinds_providers_and_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with _page(PAGE) as address:
        reading = read(address, at_s=3.0)
    assert (reading.at_s, reading.started_at, reading.in_flight) == (3.0, 1000.5, 2)
    assert reading.requests == {"OK": 96, "UPSTREAM_TIMEOUT": 4}
    assert reading.attempts == {("alder/small", "ok"): 96, ("alder/small", "server_error"): 4}
    assert (reading.fallbacks, reading.cost_usd) == (3, 0.75)
    assert reading.durations == {0.1: 55, INFINITY: 100}
    assert reading.budgets == (
        BudgetFigure(owner="server", name="", per="day", limit_usd=10, left_usd=9.5),
        BudgetFigure(owner="provider", name="alder", per="day", limit_usd=1, left_usd=-0.1),
    )


@pytest.mark.parametrize(
    ("text", "status", "why"),
    [
        ("# TYPE up gauge\nup 1\n", 200, "no router's"),
        ("<html>not this", 200, "no page of metrics"),
        ("gone", 404, "Not Found"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), 200, "no page of metrics"),
    ],
    ids=["another program's", "a web page", "no page", "no text"],
)
def test_page_that_is_none_of_a_router_is_told(text: str, status: int, why: str) -> None:
    with _page(text, status) as address, pytest.raises(CannotRead, match=why):
        read(address, at_s=0.0)


def test_page_that_nobody_serves_is_told() -> None:
    with pytest.raises(CannotRead, match="refused"):
        read("127.0.0.1:1", at_s=0.0)


def _reading(at_s: float, ok: float, *, failed: float = 0, started_at: float = 100.0) -> Reading:
    return Reading(
        at_s=at_s,
        started_at=started_at,
        requests={"OK": ok, "UPSTREAM_TIMEOUT": failed},
        attempts={("alder/small", "ok"): ok, ("alder/small", "timeout"): failed},
        fallbacks=failed,
        cost_usd=ok / 10,
        in_flight=1,
        durations={0.1: ok, INFINITY: ok + failed},
        budgets=(),
    )


def _traffic(*readings: Reading, now_s: float = 100.0) -> Traffic:
    kept = Readings(window_s=10.0)
    for reading in readings:
        kept.add(reading)
    traffic = kept.traffic(now_s=now_s, wall=160.0)
    assert traffic is not None
    return traffic


def test_rates_are_those_between_the_first_and_the_last_reading() -> None:
    traffic = _traffic(_reading(0.0, 100), _reading(5.0, 130, failed=10), now_s=6.0)
    assert (traffic.per_s, traffic.failed, traffic.reasons) == (8.0, 0.25, ("UPSTREAM_TIMEOUT",))
    assert traffic.fallbacks_per_s == 2.0
    assert traffic.cost_usd_per_s == pytest.approx(0.6)
    assert (traffic.age_s, traffic.up_s) == (1.0, 60.0)
    assert traffic.targets == {"alder/small": TargetTraffic(per_s=8.0, failed=0.25)}


def test_calls_that_were_cut_short_or_refused_for_their_content_are_no_failures_of_a_target() -> None:
    before = _reading(0.0, 0)
    attempts = dict.fromkeys(
        (("alder/small", o) for o in ("ok", "timeout", "caller_error", "cancelled", "deadline")), 10
    )
    after = replace(_reading(5.0, 0), attempts=attempts | {("birch/small", "cancelled"): 10})
    assert _traffic(before, after).targets == {"alder/small": TargetTraffic(per_s=6.0, failed=1 / 3)}


def test_rates_forget_what_is_older_than_the_window() -> None:
    traffic = _traffic(_reading(0.0, 0), _reading(10.0, 1000), _reading(20.0, 1010))
    assert traffic.per_s == 1.0


def test_router_that_was_started_anew_begins_anew() -> None:
    traffic = _traffic(_reading(0.0, 1000), _reading(1.0, 3, started_at=150.0), _reading(2.0, 5, started_at=150.0))
    assert (traffic.per_s, traffic.up_s) == (2.0, 10.0)


def test_first_reading_alone_tells_totals_and_no_rates() -> None:
    traffic = _traffic(_reading(0.0, 1000, failed=3))
    assert (traffic.per_s, traffic.failed, traffic.p50_s, traffic.cost_usd) == (0.0, 0.0, None, 100.0)


@pytest.mark.parametrize(
    ("durations", "share", "time_s"),
    [
        ({}, 0.5, None),
        ({0.1: 0.0, INFINITY: 0.0}, 0.5, None),
        ({0.1: 10.0, 0.2: 10.0, INFINITY: 10.0}, 0.5, 0.05),
        ({0.1: 10.0, 0.2: 20.0, INFINITY: 20.0}, 0.75, 0.15),
        ({0.1: 10.0, 0.2: 10.0, INFINITY: 40.0}, 0.95, 0.2),
    ],
)
def test_quantile_lies_evenly_within_a_bucket(
    durations: Mapping[float, float], share: float, time_s: float | None
) -> None:
    assert quantile(durations, share) == (None if time_s is None else pytest.approx(time_s))


def _snapshot(states: Mapping[str, HealthState.ValueType]) -> Snapshot:
    snapshot = Snapshot(epoch=3, sequence=9)
    for target, state in states.items():
        added = snapshot.targets.add(target=target, state=state, samples=5, success_rate=0.5, traffic_share=1)
        added.state_age.FromSeconds(240)
        if state != HEALTH_STATE_HEALTHY:
            added.last_error, added.consecutive_failures = "SERVER_ERROR 503", 4
    return snapshot


WELL = _traffic(_reading(0.0, 100), _reading(5.0, 140, failed=10))
STATES = {
    "alder/small": HEALTH_STATE_HEALTHY,
    "birch/small": HEALTH_STATE_HEALTHY,
    "cedar/small": HEALTH_STATE_DEGRADED,
    "dogwood/small": HEALTH_STATE_UNHEALTHY,
}


def _shown(view: View, *, width: int = 160, height: int | None = None) -> list[str]:
    console = Console(width=width, height=height or 40, file=StringIO(), color_system=None)
    options = console.options if height is None else console.options.update_dimensions(width, height)
    return ["".join(s.text for s in line).rstrip() for line in console.render_lines(view, options, pad=False)]


def _row(lines: list[str], target: str) -> str:
    [row] = [line for line in lines if line.startswith(target)]
    return row


def test_what_is_wrong_stands_first_with_since_when_and_why() -> None:
    snapshot = _snapshot(STATES)
    blocked = snapshot.providers.add(provider="birch", block_reason=BLOCK_REASON_RATE_LIMITED)
    blocked.blocked_for.FromSeconds(30)
    lines = _shown(View(snapshot=snapshot, age_s=2.0))
    order = [line.split()[0] for line in lines if "/small" in line]
    assert order == ["dogwood/small", "birch/small", "cedar/small", "alder/small"]
    for word in ("unhealthy", "4 min", "SERVER_ERROR 503, 4 in a row"):
        assert word in _row(lines, "dogwood")
    for word in ("blocked", "rate limited for 28 s"):
        assert word in _row(lines, "birch")
    assert lines[0] == "health  1 unhealthy, 1 degraded, 2 healthy · epoch 3, snapshot 9"


def test_block_that_ran_out_since_the_snapshot_is_none() -> None:
    snapshot = _snapshot(STATES)
    snapshot.providers.add(provider="birch", block_reason=BLOCK_REASON_RATE_LIMITED).blocked_for.FromSeconds(1)
    assert "healthy" in _row(_shown(View(snapshot=snapshot, age_s=1.5)), "birch")


def test_router_and_money_have_their_lines() -> None:
    lines = _shown(View(snapshot=_snapshot(STATES), traffic=_at_age(WELL, 0.2)))
    assert lines[1].startswith("router  10/s requests · 20.0% failed (UPSTREAM_TIMEOUT) · 2/s fallbacks · p50 ")
    assert lines[1].endswith("· 1 in flight · up 1 min")
    assert lines[2].startswith("money   2880 USD an hour · 14 USD since its start")
    assert "10/s" in _row(lines, "alder")
    assert "20%" in _row(lines, "alder")


def test_budgets_that_are_nearest_to_their_end_are_shown() -> None:
    figures = [
        BudgetFigure(owner="server", name="", per="day", limit_usd=10, left_usd=9.5),
        BudgetFigure(owner="provider", name="alder", per="day", limit_usd=1, left_usd=-0.25),
        BudgetFigure(owner="tenant", name="web", per="day", limit_usd=5, left_usd=1),
        BudgetFigure(owner="tenant", name="shop", per="day", limit_usd=5, left_usd=5),
    ]
    money = _shown(View(snapshot=_snapshot(STATES), traffic=_at_age(WELL, 0.2, figures)), width=240)[2]
    assert "alder day: 1.25 of 1 USD spent, 0 left · web day: 4 of 5 USD spent, 1 left · day: 0.5 of 10 USD" in money
    assert money.endswith("1 more budget")


def _at_age(traffic: Traffic, age_s: float, budgets: list[BudgetFigure] | None = None) -> Traffic:
    return replace(traffic, age_s=age_s, budgets=tuple(budgets or ()))


def test_lost_router_is_told_and_its_old_rates_leave_the_rows() -> None:
    why = "no figures from 127.0.0.1:9464, Connection refused"
    lines = _shown(View(snapshot=_snapshot(STATES), traffic=_at_age(WELL, 75.0), router=why))
    assert lines[1] == f"router  lost 1 min ago: {why}"
    assert "10/s" not in _row(lines, "alder")


def test_router_that_was_never_there_is_told_with_what_to_do() -> None:
    lines = _shown(View(snapshot=_snapshot(STATES), router="no figures from 127.0.0.1:9464, Connection refused"))
    assert lines[1].startswith("router  no figures from 127.0.0.1:9464, Connection refused; --metrics-address ")


@pytest.mark.parametrize(
    ("silence", "told"),
    [
        ("the prober is gone: connection refused", "the prober is gone: connection refused"),
        ("", "the prober is silent"),
    ],
)
def test_lost_prober_is_told_with_the_age_of_what_is_shown(silence: str, told: str) -> None:
    lines = _shown(View(snapshot=_snapshot(STATES), age_s=90.0, silence=silence))
    assert lines[0].endswith(f"{told}; this is 1 min old")
    assert "5 min" in _row(lines, "alder"), "time goes on for a state"


@pytest.mark.parametrize(("width", "height"), [(160, 50), (80, 24), (60, 10), (40, 8), (20, 4)])
def test_screen_keeps_within_the_terminal(width: int, height: int) -> None:
    many = _snapshot({f"provider-{n}/a-model-with-a-long-name": HEALTH_STATE_HEALTHY for n in range(30)} | STATES)
    lines = _shown(View(snapshot=many, traffic=_at_age(WELL, 0.2)), width=width, height=height)
    assert max(map(len, lines)) <= width
    if width >= 60:
        assert len(lines) <= height
        assert any(line.startswith("dogwood/small") for line in lines)
    if height < len(many.targets) and width >= 60:
        assert lines[-1].startswith("and ")
        assert lines[-1].endswith(" healthy more")


@pytest.mark.parametrize(
    ("shown", "value", "text"),
    [
        (rate, 0.0, "0/s"),
        (rate, 0.05, "3/min"),
        (rate, 12.34, "12.3/s"),
        (rate, 12345.6, "12346/s"),
        (ago, 7.4, "7 s"),
        (ago, 61.0, "1 min"),
        (ago, 7200.0, "2 h"),
        (ago, 200_000.0, "2 d"),
    ],
)
def test_figures_fit_their_size(shown: Callable[[float], str], value: float, text: str) -> None:
    assert shown(value) == text
