"""What a user types: grpcurl with no proto file, against a running router and prober."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.harness import processes, settings
from tests.harness.tools import tool
from tests.harness.witness import Witness

IMPOSSIBLE = '{"denied_providers": ["cedar"], "budget_tier": "BUDGET_TIER_FREE"}'
USER = '{"role": "ROLE_USER", "content": "Say hello"}'


@dataclass(frozen=True, slots=True)
class Running:
    router: str
    prober: str
    witness: Witness


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with processes.short_directory() as directory:
        simulator = processes.simulator(directory)
        with processes.running(simulator):
            config = settings.write(directory, settings.simulated(simulator.ready["simulator"]))
            prober, router = processes.prober(directory, config), processes.router(directory, config)
            with processes.running(prober, router), Witness(simulator.ready["simulator"]) as witness:
                yield Running(router.ready["router"], prober.ready["prober"], witness)


def grpcurl(*arguments: str, address: str, data: str = "{}", code: int = 0, codes: tuple[int, ...] = ()) -> str:
    """What it prints; with a wrong exit code that is in the failure."""
    command = [tool("grpcurl"), "-plaintext", "-d", data, *arguments[:-1], address, arguments[-1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode in (codes or (code,)), done.stdout + done.stderr
    return done.stdout + done.stderr


def messages(text: str) -> list[dict[str, object]]:
    """The JSON documents that grpcurl printed one after the other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        document, end = decoder.raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    return found


def test_list_and_describe(running: Running) -> None:
    services = grpcurl("list", address=running.router).split()
    assert {"signalbox.v1.Router", "signalbox.v1.Admin", "grpc.health.v1.Health"} <= set(services)
    assert {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} <= set(services)
    described = subprocess.run(
        [tool("grpcurl"), "-plaintext", running.router, "describe", "signalbox.v1.Router"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    assert "rpc StreamComplete ( .signalbox.v1.StreamCompleteRequest )" in described
    assert "signalbox.v1.HealthFeed" in grpcurl("list", address=running.prober)


def test_complete(running: Running) -> None:
    [answer] = messages(
        grpcurl("signalbox.v1.Router/Complete", address=running.router, data=f'{{"messages": [{USER}]}}')
    )
    assert answer["target"] == "alder/chat-small"
    assert answer["message"]
    assert int(str(answer["cost_usd_nanos"])) > 0


def test_stream_complete(running: Running) -> None:
    data = f'{{"request": {{"messages": [{USER}]}}}}'
    events = messages(grpcurl("signalbox.v1.Router/StreamComplete", address=running.router, data=data))
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "started"
    assert set(kinds[1:-1]) == {"delta"}
    assert kinds[-1] == "done"


def test_route(running: Running) -> None:
    [answer] = messages(grpcurl("signalbox.v1.Router/Route", address=running.router, data=f'{{"messages": [{USER}]}}'))
    plan = answer["plan"]
    assert isinstance(plan, dict)
    assert (plan["target"], plan["strategy"]) == ("alder/chat-small", "points")
    assert plan["reason"].startswith("alder/chat-small has ")
    assert "candidates" not in plan


def test_a_request_that_nobody_may_serve_is_refused_with_counts(running: Running) -> None:
    running.witness.forget()
    data = f'{{"messages": [{USER}], "routing": {IMPOSSIBLE}}}'
    printed = grpcurl("signalbox.v1.Router/Route", address=running.router, data=data, code=73)
    assert "Code: FailedPrecondition" in printed
    assert "rejected: 2 by budget_tier, 1 by provider_not_allowed" in printed
    assert '"reason": "NO_ELIGIBLE_TARGET"' in printed
    assert running.witness.rows() == []


def test_the_same_request_in_the_full_view_tells_all(running: Running) -> None:
    data = f'{{"messages": [{USER}], "routing": {IMPOSSIBLE}, "view": "PLAN_VIEW_FULL"}}'
    [answer] = messages(grpcurl("signalbox.v1.Router/Route", address=running.router, data=data))
    plan = answer["plan"]
    assert isinstance(plan, dict)
    assert "target" not in plan
    assert {(c["reason"], c["count"]) for c in plan["rejected_by_reason"]} == {
        ("REJECTION_REASON_BUDGET_TIER", 2),
        ("REJECTION_REASON_PROVIDER_NOT_ALLOWED", 1),
    }
    rejected = {c["target"]: c["rejection"] for c in plan["candidates"]}
    assert rejected.keys() == {"alder/chat-small", "birch/chat-small", "cedar/chat-small"}
    assert rejected["cedar/chat-small"]["detail"] == "the request denies cedar"
    assert all(rejection["detail"] for rejection in rejected.values())


def test_health_watch(running: Running) -> None:
    """Watch never ends by itself, so a deadline ends it: what came before is what counts."""
    for address, service in ((running.router, "signalbox.v1.Router"), (running.prober, "signalbox.v1.HealthFeed")):
        printed = grpcurl(
            "-max-time",
            "1",
            "grpc.health.v1.Health/Watch",
            address=address,
            data=f'{{"service": "{service}"}}',
            code=68,
        )
        assert '"status": "SERVING"' in printed
        assert '"SERVING"' in grpcurl("grpc.health.v1.Health/Check", address=address)


def test_health_feed_watch(running: Running) -> None:
    printed = grpcurl("-max-time", "2", "signalbox.v1.HealthFeed/Watch", address=running.prober, code=68)
    snapshots = messages(printed[: printed.index("ERROR:")])
    assert len(snapshots) >= 1
    snapshot = snapshots[-1]["snapshot"]
    assert isinstance(snapshot, dict)
    assert {t["target"] for t in snapshot["targets"]} == {"alder/chat-small", "birch/chat-small", "cedar/chat-small"}
    assert int(snapshot["epoch"]) >= 1


def test_a_report_over_tcp_is_refused(running: Running) -> None:
    printed = grpcurl("signalbox.v1.HealthFeed/Report", address=running.prober, code=71)
    assert "PermissionDenied" in printed
    assert "ROLE" in printed
    assert '"request_id": "req-' in printed


def test_a_bad_request_names_the_field(running: Running) -> None:
    data = f'{{"messages": [{USER}], "generation": {{"maxOutputTokens": -5}}}}'
    printed = grpcurl("signalbox.v1.Router/Complete", address=running.router, data=data, code=67)
    assert "Code: InvalidArgument" in printed
    assert '"field": "generation.max_output_tokens"' in printed
    assert "is -5; must be 1 to" in printed


def test_a_deadline_of_a_millisecond_calls_nobody(running: Running) -> None:
    running.witness.forget()
    data = f'{{"messages": [{USER}]}}'
    # It may be over before the connection is there (1) or after (68).
    printed = grpcurl(
        "-max-time", "0.001", "signalbox.v1.Router/Complete", address=running.router, data=data, codes=(1, 68)
    )
    assert "deadline" in printed.lower()
    assert running.witness.rows() == []


@pytest.mark.parametrize("method", ["Router/Embed", "Router/BatchComplete", "Admin/CreateTarget"])
def test_what_is_not_built_says_so(running: Running, method: str) -> None:
    printed = grpcurl(f"signalbox.v1.{method}", address=running.router, code=76)
    assert "Code: Unimplemented" in printed
    assert f"signalbox.v1.{method} is not built yet" in printed
    assert '"request_id": "req-' in printed
